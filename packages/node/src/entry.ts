/** The file that the children of a program run: the program's own, or another one that calls `runMain`. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Result from "effect/Result"
import * as NodePath from "node:path"
import { fileURLToPath } from "node:url"
import { reasonOf } from "./reason.ts"

/** The file with which this program was started; empty if it is no file. */
export const ownEntry = process.argv[1] ?? ""

/** What compilers make of a TypeScript file, the most common name first; of another file, what Node looks for. */
const builtNames = (file: string): ReadonlyArray<string> => {
  const { ext, name, dir } = NodePath.parse(file)
  const extensions = {
    ".ts": [".js", ".mjs", ".cjs"],
    ".tsx": [".js", ".mjs", ".cjs"],
    ".mts": [".mjs"],
    ".cts": [".cjs"]
  }
  const built = extensions[ext as keyof typeof extensions]
  return built === undefined ? [`${file}.js`] : built.map((extension) => NodePath.join(dir, name + extension))
}

/**
 * Finds the file of an entry, which may be built later than this is called. Fails with the reason, as text for people. If
 * a TypeScript entry does not exist, the JavaScript file beside it is used.
 */
export const find = (entry: URL | string): Effect.Effect<string, string, FileSystem.FileSystem> => {
  // Now: the program may enter another folder.
  const found = Result.try(() => typeof entry === "string" ? NodePath.resolve(entry) : fileURLToPath(entry))
  if (Result.isFailure(found)) {
    return Effect.fail(`the entry of its children, ${entry}, is no file: ${reasonOf(found.failure)}`)
  }
  const file = found.success
  return Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    if (entry === "") {
      return yield* Effect.fail(
        "this program is no file, so its children have no entry. Give runMain or layerSpawner one"
      )
    }
    const built = builtNames(file)
    for (const candidate of [file, ...built]) {
      if (yield* Effect.orElseSucceed(fs.exists(candidate), () => false)) return candidate
    }
    const candidates = [file, ...built.toReversed()]
    return yield* Effect.fail(`the entry of its children is missing: neither ${candidates.join(" nor ")} exists`)
  })
}
