/**
 * The workers of a pool: so many processes, each replaced when it ends, until the pool does.
 *
 * ```text
 *   starting ─► ready ─► ended ─► starting …
 *       └─────────────────┘  not ready in time, or at all: again after a pause; five times in a row: the pool stops
 * ```
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { ProcessSpawner, SpawnError } from "../Process.ts"
import type { Manager } from "../proxy/Manager.ts"
import * as Frames from "../transport/Frames.ts"
import { type Dispatcher, WorkerProcess } from "./Dispatcher.ts"
import { frameBytesMax } from "./Message.ts"
import type { PoolStats } from "./PoolStats.ts"

/** What a crew is made of. */
export interface SupervisorOptions {
  readonly name: string
  readonly size: number
  readonly assignment: string
  readonly graceMs: number
  readonly execArgv: ReadonlyArray<string>
  readonly startMs: number
  readonly dispatcher: Dispatcher
  readonly stats: PoolStats
}

/** A worker that was killed when the pool ended, since its grace was over. */
export interface Killed {
  readonly worker: string
  readonly pid: number
}

/** Starts in a row that may fail before the pool stops. */
const startsMax = 5

/** Before a second start in a row, doubled for each further one. */
const pauseMs = 100

/** What a worker has said before its end is read at the latest by then. */
const drainMs = 1_000

/** Starts the workers and waits until all are ready. Answers how to end them, and who had to be killed. */
export const start = Effect.fnUntraced(function*(
  options: SupervisorOptions
): Effect.fn.Return<
  Effect.Effect<ReadonlyArray<Killed>>,
  SpawnError,
  Manager | ProcessSpawner | Scope.Scope
> {
  const { name, size } = options
  const killed: Array<Killed> = []
  const places = yield* Effect.forEach(
    Array.from({ length: size }, (_, i) => `${name}-${i + 1}`),
    (workerName) =>
      Effect.gen(function*() {
        const ready = yield* Deferred.make<void, SpawnError>()
        const fiber = yield* Effect.forkScoped(keepFilled(options, workerName, ready, killed))
        return { ready, fiber }
      })
  )
  yield* Effect.forEach(places, ({ ready }) => Deferred.await(ready), { concurrency: "unbounded", discard: true })
  return Effect.as(Fiber.interruptAll(places.map(({ fiber }) => fiber)), killed)
})

/** Keeps one place filled. */
const keepFilled = Effect.fnUntraced(function*(
  options: SupervisorOptions,
  workerName: string,
  ready: Deferred.Deferred<void, SpawnError>,
  killed: Array<Killed>
) {
  let failed = 0
  while (options.dispatcher.stopped === undefined) {
    const exit = yield* Effect.exit(live(options, workerName, ready, killed))
    if (Exit.isSuccess(exit)) {
      failed = 0
      continue
    }
    // Only the first worker of a place is waited for.
    yield* Deferred.failCause(ready, exit.cause)
    if (++failed === startsMax) {
      return options.dispatcher.stop(`${workerName} could not be started ${startsMax} times in a row`)
    }
    yield* Effect.sleep(pauseMs * 2 ** (failed - 1))
  }
})

/** One worker, from its start to its end, and how it ended; fails if it never was ready. */
const live = Effect.fnUntraced(function*(
  { assignment, execArgv, graceMs, name, dispatcher, startMs, stats }: SupervisorOptions,
  workerName: string,
  ready: Deferred.Deferred<void, SpawnError>,
  killed: Array<Killed>
) {
  const spawner = yield* ProcessSpawner
  yield* Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const spawned = yield* restore(
        Scope.provide(
          spawner.spawnLinked(assignment, { task: name, name: workerName, grace: graceMs, execArgv }),
          scope
        )
      ).pipe(Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))))
      const { link, pid } = spawned
      const worker = new WorkerProcess(workerName, pid, link, spawned.kill("SIGKILL"))
      let isReady = false
      worker.onReady = () => {
        isReady = true
        stats.workers(1)
        stats.publish({ _tag: "WorkerStarted", worker: workerName, pid })
        Deferred.doneUnsafe(ready, Exit.void)
      }
      // Detached: what a worker says is heard until its end, also while it is being ended.
      const reading = yield* Effect.forkDetach(Effect.ignore(read(dispatcher, worker)))
      const useless = yield* Effect.forkDetach(Effect.andThen(
        Effect.raceFirst(
          Effect.andThen(Effect.sleep(startMs), Effect.suspend(() => isReady ? Effect.never : Effect.void)),
          Effect.andThen(Fiber.await(reading), Effect.sleep(graceMs))
        ),
        worker.kill
      ))
      const asked = Exit.isFailure(yield* Effect.exit(restore(spawned.exit)))
      if (asked) yield* Scope.close(scope, Exit.void)
      const exit = yield* spawned.exit
      yield* Effect.timeoutOption(Fiber.await(reading), drainMs)
      yield* Fiber.interruptAll([reading, useless])
      const lastLines = yield* spawned.lastLines
      if (isReady) stats.workers(-1)
      if (!asked) stats.publish({ _tag: "WorkerExited", worker: workerName, pid, ...exit, lastLines })
      else if (exit.signal === "SIGKILL") {
        killed.push({ worker: workerName, pid })
        stats.publish({ _tag: "WorkerKilled", worker: workerName, pid, task: undefined })
      }
      dispatcher.gone(worker, { ...exit, lastLines })
      if (asked) return yield* Effect.interrupt
      // What it had started goes with it.
      yield* Scope.close(scope, Exit.void)
      if (isReady) return
      const how = exit.signal ?? `code ${exit.code}`
      const issue = [`${workerName} ended with ${how} before it was ready`, ...lastLines].join("\n  ")
      return yield* new SpawnError({ task: name, issue })
    })
  )
})

/** Hears what a worker says, until its link ends. */
const read = (dispatcher: Dispatcher, worker: WorkerProcess) =>
  Frames.make(worker.link, frameBytesMax).pipe(
    Effect.flatMap((frames) =>
      frames.handOver(frameBytesMax, {
        onFrame: (frame) => dispatcher.heard(worker, frame),
        onTurnEnd: () => dispatcher.turnEnded()
      })
    ),
    Effect.scoped
  )
