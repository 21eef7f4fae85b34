/**
 * Each side of a comparison runs in a process of its own, so that none inherits the warm code or the garbage of
 * another. Over its channel a process is asked for rounds, and it ends when the other end lets go.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { BenchError, type Contestant, type Round, type Task } from "./rounds.ts"

/** Before a round, after the other contestant has had the machine: not counted. */
const settleMs = 30

/** How long a process may take to end by itself. */
const graceMs = 2_000

/**
 * Processes that do rounds of any task (`answer`), for the life of the scope. They begin a round together, and their
 * rates are added up.
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

/** A process that others connect to (`serve`), ready to be connected to. */
export const server = (script: URL, ...args: ReadonlyArray<string>): Effect.Effect<void, BenchError, Scope.Scope> =>
  Effect.flatMap(start(script, args), heard)

/** In a child: does a round whenever it is asked to, until its parent lets go. */
export const answer = <E, R>(rounds: (task: Task) => Round<E, R>): Effect.Effect<void, E, R> =>
  Effect.raceFirst(
    Effect.forever(Effect.flatMap(asked, ({ milliseconds, task }) => {
      const round = rounds(task)
      return Effect.map(Effect.andThen(round(settleMs), round(milliseconds)), (rate) => process.send!(rate))
    })),
    letGo
  )

/** In a child: tells the parent that it can be connected to, and stays until the parent lets go. */
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

/** The next thing that a process says. */
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
