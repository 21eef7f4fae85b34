/**
 * What a manager process runs: it serves until its lifeline ends.
 *
 * Signals do not end it: a terminal or a service manager sends them to all processes of a program, whose finalizers then
 * still need the manager.
 */
import { Manager } from "@effect-multiprocessing/core"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Runtime from "effect/Runtime"
import * as NodeFs from "node:fs"
import * as NodePath from "node:path"
import * as ChildProcess from "./childProcess.ts"
import * as Endpoint from "./endpoint.ts"
import type * as Instructions from "./instructions.ts"
import { reasonOf } from "./reason.ts"
import * as Signals from "./signals.ts"

/** Waits until the owner has ended the lifeline, or has itself ended. On Deno there is no event "close". */
const lifelineEnded = Effect.callback<void>((resume) => {
  process.stdin.once("end", () => resume(Effect.void)).once("error", () => resume(Effect.void)).resume()
})

/**
 * A journal that appends one line for every index to a file, each written before the next input is read (S-31). Without
 * its journal the manager stops.
 */
const openJournal = (path: string) => {
  const attempt = <A>(action: () => A): A =>
    Result.getOrThrowWith(
      Result.try(action),
      (error) => new Error(`cannot write the journal ${path}: ${reasonOf(error)}`)
    )
  return Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => attempt(() => NodeFs.openSync(path, "a"))),
      (file) => Effect.sync(() => NodeFs.closeSync(file))
    ),
    (file): Manager.ManagerOptions["journal"] => (entry) => {
      attempt(() => NodeFs.writeSync(file, `${Manager.toJournalLine(entry)}\n`))
    }
  )
}

/** Makes the server of a manager. */
type MakeServer = (
  options: Pick<Manager.ManagerOptions, "limits" | "journal"> & { readonly key: Manager.ManagerKey }
) => ReturnType<typeof Manager.makeServer>

const serve = ({ endpoint, journal: journalPath, limits }: Instructions.ManagerInstructions, makeServer: MakeServer) =>
  Effect.gen(function*() {
    // An owner that was killed has not removed the folder.
    const removed = Effect.try(() => NodeFs.rmSync(NodePath.dirname(endpoint.path), { recursive: true, force: true }))
    yield* Effect.addFinalizer(() => Effect.ignore(removed))
    const journal = journalPath === undefined ? undefined : yield* openJournal(journalPath)
    const server = yield* makeServer({ key: endpoint.key, limits, journal })
    yield* Endpoint.listen(server, endpoint.path, { isOwnFolder: true })
    yield* ChildProcess.begin
    yield* Effect.raceAllFirst([lifelineEnded, server.awaitShutdown, server.awaitDefect])
  }).pipe(
    Effect.scoped,
    Effect.provide(Endpoint.layerCrypto),
    // On standard error: the owner keeps its last lines for `StartFailed`.
    Effect.tapCause((cause) => Console.error(Cause.pretty(cause)))
  )

const runMain = Runtime.makeRunMain(({ fiber, teardown }) => fiber.addObserver((exit) => teardown(exit, process.exit)))

/** Runs a manager in this process, which ends with it. */
export const run = (instructions: Instructions.ManagerInstructions, makeServer: MakeServer): void => {
  Signals.ignore()
  runMain(serve(instructions, makeServer), { disableErrorReporting: true })
}
