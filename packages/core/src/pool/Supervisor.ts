/**
 * Keeps the processes of a pool alive: a worker that ends is replaced, until the pool ends.
 *
 * ```text
 *   starting ─► ready ─► ended ─► starting …
 *       └─────────────────┘  not ready in time: again after a pause
 * ```
 *
 * The restart intensity is one start of each worker in a pause, which grows from 100 ms to 10 s while starts fail. A pool
 * with a worker that is ready goes on, however long others cannot be started. A pool without one stops after a period of
 * five minutes: what its workers need did not come back.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import { ProcessSpawner, SpawnError } from "../Process.ts"
import type { Manager } from "../proxy/Manager.ts"
import * as Frames from "../transport/Frames.ts"
import type { Dispatcher } from "./Dispatcher.ts"
import { frameBytesMax } from "./Message.ts"
import type { PoolStats } from "./PoolStats.ts"
import { WorkerProcess } from "./WorkerProcess.ts"
import { entryQuestion, nameIssue, notReadyIssue } from "./WorkerStart.ts"

/** What a supervisor is started with. */
export interface SupervisorOptions {
  /** The pool's name. */
  readonly name: string
  /** Number of workers. */
  readonly size: number
  readonly assignment: string
  readonly graceMs: number
  readonly execArgv: ReadonlyArray<string>
  /** How long a worker may take until it is ready. */
  readonly startMs: number
  readonly dispatcher: Dispatcher
  readonly stats: PoolStats
}

/** A worker that was killed when the pool ended, because it did not end in its grace. */
export interface Killed {
  readonly worker: string
  readonly pid: number
}

/** Pause after the first start that failed, doubled for each further one, up to a maximum. */
const pauseMs = 100
const pauseMsMax = 10_000

/** How long a pool may be without a worker that is ready. */
const periodMs = 300_000

/** The workers of a pool that are ready, and since when there is none. */
interface Presence {
  ready: number
  absentSinceMs: number
}

/** How long the messages of a process that ended may take to arrive. */
const drainMs = 1_000

/** Starts the workers and waits until all are ready. Returns the effect that ends them, and reports those it killed. */
export const start = Effect.fnUntraced(function*(
  options: SupervisorOptions
): Effect.fn.Return<
  Effect.Effect<ReadonlyArray<Killed>>,
  SpawnError,
  Manager | ProcessSpawner | Scope.Scope
> {
  const { name, size } = options
  const issue = nameIssue(`${name}-${size}`)
  if (issue !== undefined) return yield* new SpawnError({ task: name, issue })
  const killed: Array<Killed> = []
  const presence: Presence = { ready: 0, absentSinceMs: yield* Clock.currentTimeMillis }
  const places = yield* Effect.forEach(
    Array.from({ length: size }, (_, i) => `${name}-${i + 1}`),
    (workerName) =>
      Effect.gen(function*() {
        const ready = yield* Deferred.make<void, SpawnError>()
        const fiber = yield* Effect.forkScoped(supervise(options, workerName, presence, ready, killed))
        return { ready, fiber }
      })
  )
  yield* Effect.forEach(places, ({ ready }) => Deferred.await(ready), { concurrency: "unbounded", discard: true })
  return Effect.as(Fiber.interruptAll(places.map(({ fiber }) => fiber)), killed)
})

/** Runs one worker after the other under one name, until the pool stops. */
const supervise = Effect.fnUntraced(function*(
  options: SupervisorOptions,
  workerName: string,
  presence: Presence,
  ready: Deferred.Deferred<void, SpawnError>,
  killed: Array<Killed>
) {
  const { dispatcher, stats } = options
  let failures = 0
  while (dispatcher.stopped === undefined) {
    const exit = yield* Effect.exit(runWorker(options, workerName, presence, ready, killed))
    if (Exit.isSuccess(exit)) {
      failures = 0
      continue
    }
    // `start` waits for the first worker of each name only: later failures find this done.
    yield* Deferred.failCause(ready, exit.cause)
    const reason = Result.match(Cause.findError(exit.cause), {
      onSuccess: ({ issue }) => issue,
      onFailure: Cause.pretty
    })
    const absentMs = (yield* Clock.currentTimeMillis) - presence.absentSinceMs
    if (presence.ready === 0 && absentMs >= periodMs) {
      return dispatcher.stop(`no worker could be started for ${periodMs / 60_000} minutes. The last reason: ${reason}`)
    }
    const pause = Math.min(pauseMs * 2 ** failures++, pauseMsMax)
    stats.publish({ _tag: "WorkerNotStarted", worker: workerName, reason, pauseMs: pause })
    yield* Effect.sleep(pause)
  }
})

/** Runs one worker from its start to its end. Fails if it was never ready. */
const runWorker = Effect.fnUntraced(function*(
  { assignment, dispatcher, execArgv, graceMs, name, startMs, stats }: SupervisorOptions,
  workerName: string,
  presence: Presence,
  ready: Deferred.Deferred<void, SpawnError>,
  killed: Array<Killed>
) {
  const spawner = yield* ProcessSpawner
  const clock = yield* Clock.Clock
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
      let isReady = false
      let isLate = false
      const worker = new WorkerProcess(workerName, pid, link, spawned.kill("SIGKILL"), () => {
        isReady = true
        presence.ready++
        stats.workers(1)
        stats.publish({ _tag: "WorkerStarted", worker: workerName, pid })
        Deferred.doneUnsafe(ready, Exit.void)
      })
      // Detached: messages are read until the process has ended, also while the pool ends it.
      const reading = yield* Effect.forkDetach(read(dispatcher, worker))
      const killUseless = yield* Effect.forkDetach(Effect.andThen(
        Effect.raceFirst(
          // Not ready in time.
          Effect.andThen(
            Effect.sleep(startMs),
            Effect.suspend(() => {
              isLate = !isReady
              return isLate ? Effect.void : Effect.never
            })
          ),
          // Its link has ended, and it has not.
          Effect.flatMap(Fiber.join(reading), (reason) =>
            Effect.andThen(
              Effect.sleep(graceMs),
              Effect.logWarning(`${workerName} is killed: its link has ended (${reason}), and it has not`)
            ))
        ),
        worker.kill
      ))
      const isPoolEnding = Exit.isFailure(yield* Effect.exit(restore(spawned.exit)))
      if (isPoolEnding) yield* Scope.close(scope, Exit.void)
      const exit = yield* spawned.exit
      yield* Effect.timeoutOption(Fiber.await(reading), drainMs)
      yield* Fiber.interruptAll([reading, killUseless])
      const lastLines = yield* spawned.lastLines
      if (isReady) {
        presence.ready--
        presence.absentSinceMs = clock.currentTimeMillisUnsafe()
        stats.workers(-1)
      }
      if (!isPoolEnding) stats.publish({ _tag: "WorkerExited", worker: workerName, pid, ...exit, lastLines })
      else if (exit.signal === "SIGKILL") {
        killed.push({ worker: workerName, pid })
        stats.publish({ _tag: "WorkerKilled", worker: workerName, pid, task: undefined })
      }
      dispatcher.ended(worker, { ...exit, lastLines })
      if (isPoolEnding) return yield* Effect.interrupt
      // The processes that it started go with it.
      yield* Scope.close(scope, Exit.void)
      if (isReady) return
      const how = exit.signal ?? `code ${exit.code}`
      const why = isLate
        ? notReadyIssue(workerName, startMs)
        : `${workerName} ended with ${how} before it was ready${exit.code === 0 ? `. ${entryQuestion}` : ""}`
      const issue = [why, ...lastLines].join("\n  ")
      return yield* new SpawnError({ task: name, issue })
    })
  )
})

/** Reads the messages of a worker until its link ends. Returns why. A defect of the reading ends the pool. */
const read = (dispatcher: Dispatcher, worker: WorkerProcess): Effect.Effect<string> =>
  Frames.make(worker.link, frameBytesMax).pipe(
    Effect.flatMap((frames) =>
      frames.handOver(frameBytesMax, {
        onFrame: (frame) => dispatcher.receive(worker, frame),
        onTurnEnd: () => dispatcher.turnEnded()
      })
    ),
    Effect.scoped,
    Effect.catch(({ reason }) => Effect.succeed(reason)),
    Effect.catchDefect((defect) => {
      dispatcher.fail(defect)
      return Effect.succeed(String(defect))
    })
  )
