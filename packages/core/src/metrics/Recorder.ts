/**
 * Where the library tells what it counts. `Metrics.layer` provides a recorder; without one nothing is recorded, and what
 * is counted costs one comparison.
 *
 * A file of its own: a program without metrics loads none of them.
 */
import * as Context from "effect/Context"

/** How a call ended: the manager carried it out, refused it, the client failed it, or its fiber was interrupted. */
export type CallOutcome = "success" | "refused" | "failed" | "cancelled"

/** Measures the calls of one operation of a kind. */
export interface OperationMeter {
  /** The monotonic time in seconds. */
  readonly now: () => number
  /**
   * A call has ended. `error`: the tag of its error. `waitsSince`: when it began to wait in the manager; absent: it did
   * not wait.
   */
  readonly ended: (outcome: CallOutcome, error: string | undefined, waitsSince: number | undefined) => void
}

/** Measures the turns of the managers in this process. */
export interface TurnMeter {
  /** The monotonic time in seconds. */
  readonly now: () => number
  /** A turn has ended. `since`: when it began. */
  readonly ended: (since: number) => void
}

/** Measures a pool. */
export interface PoolMeter {
  /** Payloads of a task were given to the pool, once more after a crash. */
  readonly accepted: (task: string, payloads: number) => void
  readonly ended: (task: string, payloads: number, how: "done" | "failed" | "cancelled") => void
  /** A worker is ready. */
  readonly workerStarted: () => void
  /** The number of workers that are ready. */
  readonly workers: (ready: number) => void
}

/** Makes the meters of what the library does. */
export interface Recorder {
  readonly operation: (kind: string, operation: string) => OperationMeter
  readonly turns: TurnMeter
  readonly pool: (name: string) => PoolMeter
  /** A session goes on over another connection. */
  readonly reconnected: () => void
}

/** The recorder of what is made in its context: connections, managers and pools. */
export const Recorder: Context.Reference<Recorder | undefined> = Context.Reference<Recorder | undefined>(
  "@effect-multiprocessing/core/Recorder",
  { defaultValue: () => undefined }
)
