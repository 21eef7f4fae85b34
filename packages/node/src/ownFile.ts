/** The files of this package that are programs of their own, or are loaded into one. */
import { fileURLToPath } from "node:url"

/** The URL of a file, relative to the caller's: TypeScript in development, JavaScript when published. */
export const ownFile = (path: string, caller: string): URL =>
  new URL(caller.endsWith(".ts") ? path : path.replace(/\.ts$/, ".js"), caller)

/**
 * The file of a program that `programs/` has the source of. It is one file with all that it needs, in development, too:
 * to load a thousand modules would take most of a start (`scripts/bundle.mjs`).
 */
export const program = (name: "manager" | "watchdog"): string =>
  fileURLToPath(new URL(`../dist/programs/${name}.cjs`, import.meta.url))
