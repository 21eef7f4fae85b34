/**
 * Each side of a comparison runs in its own process, so that no side inherits the compiled code or the garbage of
 * another. The benchmark requests rounds over the process's channel, and the process ends when the channel closes.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { BenchError, type Contestant, type Round, type Task } from "./rounds.ts"

/** Milliseconds of an uncounted run before each round, because the other contestant has had the processor. */
const settleMs = 30

/** Milliseconds for a process to end by itself. */
const graceMs = 2_000

/**
 * Starts processes that run rounds of any task (`answer`), for the life of the scope. They begin a round together, and
 * their rates are added up.
 */
export const contestant = (
  clients: number,
  script: URL,
  ...args: ReadonlyArray<string>
): Effect.Effect<Contestant, never, Scope.Scope> => {
  const all = Effect.all(Array.from({ length: clients }, () => start(script, args)), { concurrency: "unbounded" })
  return Effect.map(all, (children): Contestant => (task) => (milliseconds) =>
    Effect.suspend(() => {
      const request: Request = { task, milliseconds }
      for (const child of children) child.send(request)
      const rates = Effect.forEach(children, heard, { concurrency: "unbounded" })
      return Effect.map(rates, (rates) => rates.reduce((sum, rate) => sum + rate))
    }))
}

/** Starts a server process (`serve`), and waits until clients can connect to it. */
export const server = (script: URL, ...args: ReadonlyArray<string>): Effect.Effect<void, BenchError, Scope.Scope> =>
  Effect.flatMap(start(script, args), heard)

/** In a child: runs a round for each request, until the channel closes. */
export const answer = <E, R>(rounds: (task: Task) => Round<E, R>): Effect.Effect<void, E, R> =>
  Effect.raceFirst(
    Effect.forever(Effect.flatMap(asked, ({ milliseconds, task }) => {
      const round = rounds(task)
      return Effect.map(Effect.andThen(round(settleMs), round(milliseconds)), (rate) => process.send!(rate))
    })),
    letGo
  )

/** In a child: reports that clients can connect, and waits until the channel closes. */
export const serve: Effect.Effect<void> = Effect.suspend(() => {
  process.send!("ready")
  return letGo
})

// internals

interface Request {
  readonly task: Task
  readonly milliseconds: number
}

const asked = Effect.callback<Request>((resume) => {
  process.once("message", (request: Request) => resume(Effect.succeed(request)))
})

const letGo = Effect.callback<void>((resume) => {
  process.once("disconnect", () => resume(Effect.void))
})

const start = (script: URL, args: ReadonlyArray<string>): Effect.Effect<ChildProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => fork(fileURLToPath(script), args)),
    (child) =>
      Effect.callback<void>((resume) => {
        if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
        const timer = setTimeout(() => child.kill("SIGKILL"), graceMs)
        child.once("exit", () => {
          clearTimeout(timer)
          resume(Effect.void)
        })
        if (child.connected) child.disconnect()
      })
  )

/** Waits for the next message of a process; fails if the process ends. */
const heard = (child: ChildProcess): Effect.Effect<number, BenchError> =>
  Effect.callback((resume) => {
    const onMessage = (message: number) => {
      child.off("exit", onExit)
      resume(Effect.succeed(message))
    }
    const onExit = () => {
      child.off("message", onMessage)
      resume(Effect.fail(new BenchError({ issue: `${child.spawnargs.slice(1).join(" ")} has ended` })))
    }
    child.once("message", onMessage).once("exit", onExit)
  })
