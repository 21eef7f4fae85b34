/**
 * Child processes of this package: the same Node with the same conditions, each in its own process group, none
 * outliving its owner. The only file that starts processes with Effect's unstable process modules.
 *
 * The child's standard input is its lifeline. After its instructions nothing is written to it; it ends when the owner
 * ends, however that ends. The manager's process follows it. What does not is ended by the watchdog, which kills the
 * group of every child. A child that the watchdog does not know of yet has no instructions, and ends with its lifeline, or
 * is found by the watchdog.
 */
import type { Link } from "@effect-multiprocessing/core"
import * as Console from "effect/Console"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as ChildProcess from "effect/process/ChildProcess"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Net from "node:net"
import { exitOf, type ExitStatus } from "./childExit.ts"
import * as Inbox from "./inbox.ts"
import { forEachLine } from "./lines.ts"
import * as NetLink from "./netLink.ts"
import * as NodeOptions from "./nodeOptions.ts"
import { preload } from "./ownFile.ts"
import * as PipeLink from "./pipeLink.ts"
import { reasonOf } from "./reason.ts"
import * as Watchdog from "./watchdog.ts"

/** Options of `start`. */
export interface StartOptions {
  /** Prefixes each line of its output. */
  readonly name: string
  /** Node's own options, then the file to run. */
  readonly args: ReadonlyArray<string>
  readonly environment: Record<string, string>
  /** Where it starts. Default: this process's folder. */
  readonly folder?: string | undefined
  /** Written to its standard input. */
  readonly instructions: string
  /** The time between SIGTERM and SIGKILL. */
  readonly grace: Duration.Input
  /** Whether the child gets a link to its owner (`ownerLink`). */
  readonly linked?: boolean | undefined
  /** How the watchdog ends the child's process group when the owner has ended. */
  readonly guard: Watchdog.Guard
}

/** A running child. */
export interface Child {
  readonly pid: number
  /** Waits until the child has ended and its output has been read. */
  readonly exit: Effect.Effect<ExitStatus>
  readonly isRunning: Effect.Effect<boolean>
  readonly lastLines: Effect.Effect<ReadonlyArray<string>>
  /** The owner's end of the link. Without `linked` it is connected to nothing. */
  readonly link: Link.Link
  /** Signals the child only, not its process group. */
  readonly kill: (signal?: NodeJS.Signals) => Effect.Effect<void>
}

/** Lines of standard error that are kept for the report of a crash, and characters of each. */
const keptLines = 20
const keptLineLength = 500

/** A line of V8's native stack, as after "heap out of memory". Twenty of them would displace the message itself. */
const isAddress = (line: string): boolean => /^ *\d+: 0x[0-9a-f]+ /.test(line)

/** The file descriptor of the child's link. */
const linkFd = 3

/** In a child that was started with `linked`: the link to its owner. */
export const ownerLink: Effect.Effect<Link.Link, never, Scope.Scope> = Effect.suspend(() => {
  // Bun takes a descriptor only to connect. Its types are not Node's.
  const isBun = "Bun" in globalThis
  const socket = isBun ? Net.connect({ fd: linkFd } as unknown as Net.NetConnectOpts) : new Net.Socket({ fd: linkFd })
  return NetLink.fromSocket(socket)
})

/** In a child that was started with `linked`: tells its owner that its work begins, by a byte on the link. */
export const begin: Effect.Effect<void> = Effect.scoped(
  Effect.flatMap(ownerLink, (link) => Effect.sync(() => link.send(Uint8Array.of(1))))
)

/** Listens to the link of a child. Returns the effect that waits for the byte of `begin`. */
export const begun = (link: Link.Link): Effect.Effect<Effect.Effect<void>> =>
  Effect.gen(function*() {
    const heard = yield* Deferred.make<void>()
    const onBytes = () => Deferred.doneUnsafe(heard, Exit.void)
    yield* Effect.forkDetach(Effect.ignore(link.read({ onBytes, onDrain: () => {} })))
    return Deferred.await(heard)
  })

/**
 * The options of `start` for a child that runs a program of the user as this process does: with its options, arguments and
 * loaders, and with the preload that receives the instructions.
 */
export const sameProgram = (
  file: string,
  execArgv: ReadonlyArray<string> = []
): Pick<StartOptions, "args" | "environment" | "folder"> => {
  const { args, environment } = NodeOptions.ofWorker()
  // A worker's own worker inherits the preload.
  const preloading = preload === undefined || args.includes(preload.href) ? [] : ["--import", preload.href]
  return {
    args: [...args, ...execArgv, ...preloading, file, ...process.argv.slice(2)],
    folder: Inbox.startFolder,
    environment: { ...environment, ...Inbox.workerEnvironment }
  }
}

/** How long to read on after a child's end. Its own children may hold the pipe open for longer. */
const drainMs = 1_000

/**
 * Starts a child for the life of the scope. At its end the lifeline ends and the child gets SIGTERM; after the grace its
 * group is killed. Fails with the reason, as text for people.
 */
export const start = (
  options: StartOptions
): Effect.Effect<Child, string, ChildProcessSpawner | Scope.Scope> =>
  Effect.gen(function*() {
    const spawner = yield* ChildProcessSpawner
    let output: Fiber.Fiber<unknown> | undefined
    // Added first, so run last: when the scope has ended, the child's output has been read.
    yield* Effect.addFinalizer(() =>
      output === undefined ? Effect.void : Effect.timeoutOption(Fiber.await(output), drainMs)
    )
    let group: number | undefined
    // Added before the finalizer that ends the group, so run after it.
    yield* Effect.addFinalizer(() => Effect.sync(() => group === undefined || Watchdog.release(group)))
    yield* Watchdog.start
    const announced = Watchdog.announce()
    const command = ChildProcess.make(process.execPath, options.args, {
      env: { ...options.environment, ...announced.environment },
      extendEnv: true,
      cwd: options.folder,
      // An own process group, for two reasons: Ctrl-C in a terminal reaches only the program that was started there,
      // which then ends its children in order; and a child can be killed together with its own children.
      detached: true,
      killSignal: "SIGTERM",
      forceKillAfter: options.grace,
      additionalFds: options.linked === true ? { [`fd${linkFd}`]: { type: "duplex" } } : {}
    })
    // Node throws some of the system's errors, which are defects here.
    const handle = yield* spawner.spawn(command).pipe(
      Effect.catchDefect(Effect.fail),
      Effect.mapError(reasonOf),
      // Before the instructions are written.
      Effect.tap(({ pid }) => Effect.sync(() => Watchdog.guard(group = pid, options.guard))),
      Effect.ensuring(Effect.sync(announced.isOver))
    )
    const ended = yield* Deferred.make<void>()
    const lifeline = Stream.concat(
      Stream.make(new TextEncoder().encode(options.instructions)),
      Stream.drain(Stream.fromEffect(Deferred.await(ended)))
    )
    const writing = yield* Effect.forkDetach(Effect.ignore(Stream.run(lifeline, handle.stdin)))
    yield* Effect.addFinalizer(() => Effect.andThen(Deferred.succeed(ended, undefined), Fiber.await(writing)))
    const lines: Array<string> = []
    // Detached: the scope that ends the child must not stop reading its output first.
    const listening = output = yield* Effect.forkDetach(Effect.all([
      forEachLine(handle.stdout, (line) => Console.log(`[${options.name}] ${line}`)),
      forEachLine(handle.stderr, (line) => {
        if (!isAddress(line)) lines.push(line.slice(0, keptLineLength))
        if (lines.length > keptLines) lines.shift()
        return Console.error(`[${options.name}] ${line}`)
      })
    ], { concurrency: "unbounded" }))
    const exit = yield* Effect.forkDetach(
      Effect.tap(exitOf(handle), () => Effect.timeoutOption(Fiber.await(listening), drainMs))
    )
    return {
      pid: handle.pid,
      exit: Fiber.join(exit),
      isRunning: Effect.orDie(handle.isRunning),
      lastLines: Effect.sync(() => [...lines]),
      link: yield* PipeLink.fromHandle(handle, linkFd),
      kill: (signal = "SIGKILL") => Effect.ignore(Effect.try(() => process.kill(handle.pid, signal)))
    }
  })
