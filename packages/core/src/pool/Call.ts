/** A call of a pool: the job that it is to the scheduler, and the fiber that waits for it. */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type Cell, cell } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import type { Outcome, Parcel } from "./Message.ts"
import type { JobId } from "./SchedulerState.ts"
import type { WorkerProcess } from "./WorkerProcess.ts"

const nothing = Exit.succeed(cell(""))

/** A call that has not ended. */
export class Call {
  /** Also the id of its job. */
  readonly id: JobId
  /** The position of its task in the group. */
  readonly position: number
  readonly task: string
  /** Number of payloads. */
  readonly payloads: number
  /** Which run of the task it is, from 1. */
  readonly attempt: number
  readonly parcel: Parcel
  /** The last worker that it was sent to. */
  worker: WorkerProcess | undefined = undefined
  /** The outcome of its job, once it has arrived. */
  outcome: Outcome["_tag"] = "Interrupted"
  /** The encoded values of the outcome. A failure: they could not be fetched. */
  encoded: Exit.Exit<Cell, ManagerError> = nothing
  /** Set when the fiber is being interrupted: it waits for the end of the job. */
  onEnded: (() => void) | undefined = undefined
  readonly #resume: (effect: Effect.Effect<ReadonlyArray<unknown>, unknown>) => void

  constructor(
    id: JobId,
    position: number,
    task: string,
    payloads: number,
    attempt: number,
    parcel: Parcel,
    resume: (effect: Effect.Effect<ReadonlyArray<unknown>, unknown>) => void
  ) {
    this.id = id
    this.position = position
    this.task = task
    this.payloads = payloads
    this.attempt = attempt
    this.parcel = parcel
    this.#resume = resume
  }

  /** Its job has ended: the fiber goes on with the exit, or its interruption does. */
  end(exit: Exit.Exit<ReadonlyArray<unknown>, unknown>): void {
    if (this.onEnded === undefined) this.#resume(exit)
    else this.onEnded()
  }
}
