/** The files of this package that are programs of their own. */

/** The URL of a file, relative to the caller's: TypeScript in development, JavaScript when published. */
export const ownFile = (path: string, caller: string): URL =>
  new URL(caller.endsWith(".ts") ? path : path.replace(/\.ts$/, ".js"), caller)
