/**
 * The files of this package that are programs of their own, or are loaded into one. They are beside this file, unless a
 * bundler has put this file into a bundle: a bundle brings the texts of the programs, and needs no preload.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { existsSync, mkdtempSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { temporaryFolders } from "./temporaryFolders.ts"

/** The URL of a file, relative to this one; absent if there is none. A bundle of CommonJS does not know its own URL. */
const find = (path: string): URL | undefined => {
  const here = import.meta.url as string | undefined
  const url = here === undefined ? undefined : new URL(path, here)
  return url !== undefined && existsSync(url) ? url : undefined
}

/** What every worker loads first: TypeScript in development, JavaScript when published. Absent in a bundle. */
export const preload: URL | undefined = find("./bin/preload.ts") ?? find("./bin/preload.js")

/**
 * Finds the file of a program whose source is in `programs/`. In development it is a file of `dist`, too: to load a
 * program module by module would take most of its start. Returns a function that returns the path, or throws Node's
 * error; call it once for each start.
 */
export const program = (name: "manager" | "watchdog" | "compactor"): Effect.Effect<() => string> =>
  Effect.suspend(() => {
    const url = find(`../dist/programs/${name}.cjs`)
    if (url !== undefined) return Effect.succeed(() => fileURLToPath(url))
    return Effect.map(Effect.promise(() => import("./embedded.ts")), ({ files }) => () => unpack(`${name}.cjs`, files))
  })

/** Added to a program that was unpacked: it removes its folder once it has been loaded. */
const removal = "setImmediate(() => require('node:fs').rmSync(__dirname, { recursive: true, force: true }))"

/** Makes the files of a program in a new folder, where there can be one. */
const unpack = (name: string, files: Readonly<Record<string, string>>): string => {
  if (files[name] === undefined) throw new Error(`neither a file nor a bundle has ${name}. Build the package`)
  let failure: unknown
  for (const parent of temporaryFolders()) {
    const made = Result.try(() => mkdtempSync(join(parent, "emp-")))
    if (Result.isSuccess(made)) return write(made.success, name, files)
    failure ??= made.failure
  }
  throw failure
}

const write = (folder: string, name: string, files: Readonly<Record<string, string>>): string => {
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text)
  writeFileSync(join(folder, name), removal, { flag: "a" })
  return join(folder, name)
}
