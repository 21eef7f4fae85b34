/** Where bundles are kept. */
import { join, relative } from "node:path"

const root = join(import.meta.dirname, "../..")

/** The folder of all bundles. */
export const folder = join(root, "node_modules/.cache/bundles")

/** The file of a program's bundle. */
export const bundleOf = (program: string): string => join(folder, relative(root, program).replace(/\.ts$/, ".mjs"))
