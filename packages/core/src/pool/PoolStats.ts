/** What a pool publishes about itself: counts, and what happens to its workers. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import type * as Take from "effect/Take"
import { type PoolMeter, Recorder } from "../metrics/Recorder.ts"

/** How far a pool has come. All but `workers` count payloads since the pool began, repeated runs included. */
export interface Progress {
  readonly accepted: number
  /** Ended with a result. */
  readonly done: number
  /** Ended with a failure, a defect or the death of their worker. */
  readonly failed: number
  readonly cancelled: number
  /** Workers that are ready. */
  readonly workers: number
}

/** An event of a pool. */
export type PoolEvent =
  /** A worker is ready: its layers are built. */
  | { readonly _tag: "WorkerStarted"; readonly worker: string; readonly pid: number }
  /** A worker ended that was not told to. It is replaced. */
  | {
    readonly _tag: "WorkerExited"
    readonly worker: string
    readonly pid: number
    readonly code: number | null
    readonly signal: string | null
    readonly lastLines: ReadonlyArray<string>
  }
  /** A worker that is to be replaced could not be started. It is tried again after the pause. */
  | { readonly _tag: "WorkerNotStarted"; readonly worker: string; readonly reason: string; readonly pauseMs: number }
  /** A worker was killed: a cancelled task did not end in its grace; without a task: its pool ended, and it did not. */
  | { readonly _tag: "WorkerKilled"; readonly worker: string; readonly pid: number; readonly task: string | undefined }
  /** A task is run again, because its worker crashed. */
  | { readonly _tag: "TaskRepeated"; readonly task: string; readonly attempt: number }

/** Events that a new subscriber receives, and that a slow one can be behind before it loses the oldest. */
const eventsKept = 256

const makePubSub = <A>(kept: number) => PubSub.sliding<Take.Take<A>>({ capacity: kept, replay: kept })

/** The counts of a pool, and its streams. */
export class PoolStats {
  readonly #events: PubSub.PubSub<Take.Take<PoolEvent>>
  readonly #progress: PubSub.PubSub<Take.Take<Progress>>
  readonly #counts = { accepted: 0, done: 0, failed: 0, cancelled: 0, workers: 0 }
  readonly #meter: PoolMeter | undefined
  /** The counts are those that were published last. */
  #isPublished = false

  static readonly make = (name: string): Effect.Effect<PoolStats> =>
    Effect.map(
      Effect.all([makePubSub<PoolEvent>(eventsKept), makePubSub<Progress>(1), Recorder]),
      ([events, progress, recorder]) => new PoolStats(events, progress, recorder?.pool(name))
    )

  private constructor(
    events: PubSub.PubSub<Take.Take<PoolEvent>>,
    progress: PubSub.PubSub<Take.Take<Progress>>,
    meter: PoolMeter | undefined
  ) {
    this.#events = events
    this.#progress = progress
    this.#meter = meter
    this.publishProgress()
  }

  get events(): Stream.Stream<PoolEvent> {
    return Stream.fromPubSubTake(this.#events)
  }

  get progress(): Stream.Stream<Progress> {
    return Stream.fromPubSubTake(this.#progress)
  }

  accepted(payloads: number, attempt: number, task: string): void {
    this.#counts.accepted += payloads
    this.#isPublished = false
    this.#meter?.accepted(task, payloads)
    if (attempt > 1) this.publish({ _tag: "TaskRepeated", task, attempt })
  }

  ended(payloads: number, how: "done" | "failed" | "cancelled", task: string): void {
    this.#counts[how] += payloads
    this.#meter?.ended(task, payloads, how)
    this.#isPublished = false
  }

  workers(change: number): void {
    this.#counts.workers += change
    this.#meter?.workers(this.#counts.workers)
    if (change > 0) this.#meter?.workerStarted()
    this.#isPublished = false
    this.publishProgress()
  }

  publish(event: PoolEvent): void {
    PubSub.publishUnsafe(this.#events, [event])
  }

  /** Publishes the counts, if they changed. */
  publishProgress(): void {
    if (this.#isPublished) return
    this.#isPublished = true
    PubSub.publishUnsafe(this.#progress, [{ ...this.#counts }])
  }

  /** Ends the streams, with the pool. */
  end(): void {
    this.publishProgress()
    PubSub.endUnsafe(this.#progress, Exit.void)
    PubSub.endUnsafe(this.#events, Exit.void)
  }
}
