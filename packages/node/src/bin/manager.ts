/**
 * The program of a manager process. It serves until its owner has ended, or sends it SIGTERM.
 */
import { Manager } from "@effect-multiprocessing/core"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as NodeFs from "node:fs"
import * as NodePath from "node:path"
import * as Endpoint from "../endpoint.ts"
import * as Instructions from "../instructions.ts"

/** Waits until the owner's end of the lifeline closes: the owner has ended, or was killed. */
const ownerGone = Effect.callback<void>((resume) => {
  process.stdin.once("close", () => resume(Effect.void)).once("error", () => resume(Effect.void)).resume()
})

/** A journal that appends one line for every index to a file, each written before the next input is read (S-31). */
const openJournal = (path: string) =>
  Effect.map(
    Effect.acquireRelease(Effect.sync(() => NodeFs.openSync(path, "a")), (file) =>
      Effect.sync(() => NodeFs.closeSync(file))),
    (file): Manager.ManagerOptions["journal"] => (entry) =>
      NodeFs.writeSync(file, `${Manager.toJournalLine(entry)}\n`)
  )

const main = Effect.gen(function*() {
  const { endpoint, journal: journalPath, limits } = Instructions.receive<Instructions.ManagerInstructions>()
  const fs = yield* FileSystem.FileSystem
  // An owner that was killed has not removed the folder.
  yield* Effect.addFinalizer(() => Effect.ignore(fs.remove(NodePath.dirname(endpoint.path), { recursive: true })))
  const journal = journalPath === undefined ? undefined : yield* openJournal(journalPath)
  const server = yield* Manager.makeServer({ key: endpoint.key, limits, journal })
  yield* Endpoint.listen(server, endpoint.path)
  yield* Effect.raceFirst(ownerGone, server.awaitDefect)
}).pipe(
  Effect.scoped,
  Effect.provide(Layer.mergeAll(Endpoint.layerCrypto, NodeFileSystem.layer)),
  Effect.andThen(Effect.sync(() => process.exit(0)))
)

NodeRuntime.runMain(main)
