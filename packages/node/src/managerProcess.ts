/**
 * The manager as a child process, with its own key and socket. It ends with its owner.
 *
 * With own kinds it runs the program of the user, whose `runMain` then serves; without it runs a program of this package.
 */
import { Kind, type Limits, type Manager, ManagerError } from "@effect-multiprocessing/core"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type * as Scope from "effect/Scope"
import * as NodePath from "node:path"
import * as ChildProcess from "./childProcess.ts"
import * as Endpoint from "./endpoint.ts"
import * as Entry from "./entry.ts"
import * as Instructions from "./instructions.ts"
import * as NodeOptions from "./nodeOptions.ts"
import { program } from "./ownFile.ts"
import { reasonOf } from "./reason.ts"
import * as Recursion from "./recursion.ts"

/** Milliseconds for the start. Ten seconds were too few on a machine with a load average of thirty. */
const startMs = 30_000

/** Milliseconds for its end: it waits for its clients, and then for its last bytes, for a second each. */
const graceMs = 3_000

/** Starts a manager and connects to it. The error contains the output of a manager that could not start. */
export const start = (options: {
  readonly endpoint: Manager.SocketEndpoint
  readonly limits: Partial<Limits.Limits> | undefined
  readonly journal: string | undefined
  /** Its own kinds. */
  readonly kinds: ReadonlyArray<Kind.Known>
  /** The file that it runs if it has own kinds. */
  readonly entry: URL | string
}): Effect.Effect<
  Manager.Manager["Service"],
  ManagerError.ManagerError,
  ChildProcessSpawner | FileSystem.FileSystem | Scope.Scope
> =>
  Effect.gen(function*() {
    const { endpoint, journal, limits } = options
    const { path } = endpoint
    const failed = (issue: string) =>
      new ManagerError.ManagerError({ reason: new ManagerError.StartFailed({ address: path, issue }) })
    yield* Recursion.refuse
    const kinds = Kind.kindsOf(options.kinds).map(({ name }) => name)
    const isOwn = kinds.length > 0
    const program = isOwn
      ? ChildProcess.sameProgram(yield* Effect.mapError(Entry.find(options.entry), failed))
      : yield* Effect.mapError(standardProgram, failed)
    const child = yield* ChildProcess.start({
      name: "manager",
      ...program,
      instructions: Instructions.encode({
        endpoint,
        limits,
        journal,
        ...isOwn ? { kinds, folder: process.cwd() } : {}
      }),
      grace: graceMs,
      linked: true,
      guard: { graceMs, folder: NodePath.dirname(path) }
    }).pipe(Effect.mapError((reason) => failed(`its process cannot be started: ${reason}`)))

    const ended = Effect.gen(function*() {
      const { code, signal } = yield* child.exit
      const lines = yield* child.lastLines
      return { how: signal ?? `code ${code}`, lines: lines.join("\n") }
    })
    const begun = yield* ChildProcess.begun(child.link)
    const listens = Effect.timeoutOrElse(begun, {
      duration: startMs,
      orElse: () => Effect.fail(failed(`its process did not listen within ${startMs} ms`))
    })
    const endedEarly = Effect.flatMap(
      ended,
      ({ how, lines }) => Effect.fail(failed(`its process ended with ${how} while starting: ${lines}`))
    )
    yield* Effect.raceFirst(listens, endedEarly)
    yield* ended.pipe(
      Effect.flatMap(({ how, lines }) =>
        Effect.logError(`The manager's process ended with ${how}: every call to it fails. ${lines}`)
      ),
      Effect.forkScoped
    )
    return yield* Endpoint.connect(options.endpoint, "main")
  })

// internals

const standardProgram = Effect.gen(function*() {
  const { args, environment } = NodeOptions.ofManager()
  const findFile = yield* program("manager")
  const file = yield* Effect.try({
    try: findFile,
    catch: (error) => `its program cannot be loaded: ${reasonOf(error)}`
  })
  return { args: [...args, file], environment }
})
