/** The files of the programs, by name, for programs that are bundled. The build fills them in (`scripts/bundle.mjs`). */
export const files: Readonly<Record<string, string>> = {}
