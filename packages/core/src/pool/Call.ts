/** A call of a pool: the fiber that waits, and what its worker is sent. The scheduler keeps it with its job. */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Tracer from "effect/Tracer"
import { type Cell, cell } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import * as Span from "../tracing/Span.ts"
import type { Outcome, Parcel } from "./Message.ts"
import type { WorkerProcess } from "./WorkerProcess.ts"

const nothing = Exit.succeed(cell(""))

/** A call. */
export class Call {
  /** The position of its task in the group. */
  readonly position: number
  /** Which run of the task it is, from 1. */
  readonly attempt: number
  readonly parcel: Parcel
  /** The fiber that waits. */
  readonly fiber = Fiber.getCurrent()
  readonly span: Tracer.Span | undefined
  /** The last worker that it was sent to. */
  worker: WorkerProcess | undefined = undefined
  /** The outcome of its job, once it has arrived. */
  outcome: Outcome["_tag"] = "Interrupted"
  /** The encoded values of the outcome. A failure: they could not be fetched. */
  encoded: Exit.Exit<Cell, ManagerError> = nothing
  /** The timer of its grace, once it is cancelled. */
  grace: Fiber.Fiber<void> | undefined = undefined
  /** Set when the fiber is being interrupted: it waits for the end of the job. */
  onEnded: (() => void) | undefined = undefined
  isEnded = false
  readonly #resume: (effect: Effect.Effect<ReadonlyArray<unknown>, unknown>) => void

  constructor(
    task: string,
    position: number,
    attempt: number,
    parcel: Parcel,
    resume: (effect: Effect.Effect<ReadonlyArray<unknown>, unknown>) => void
  ) {
    this.position = position
    this.attempt = attempt
    this.parcel = parcel
    this.#resume = resume
    this.span = Span.begin(this.fiber, () => ({
      name: `Pool.${task}`,
      attributes: { "multiprocessing.pool.attempt": attempt }
    }))
  }

  /** Its job has ended: the fiber goes on with the exit, or its interruption does. */
  end(exit: Exit.Exit<ReadonlyArray<unknown>, unknown>): void {
    this.isEnded = true
    if (this.span !== undefined) this.#endSpan(this.span, exit)
    if (this.onEnded === undefined) this.#resume(exit)
    else this.onEnded()
  }

  #endSpan(span: Tracer.Span, exit: Exit.Exit<unknown, unknown>): void {
    if (this.onEnded !== undefined) return Span.end(span, this.fiber!.context, "cancelled", undefined)
    const error = Exit.isSuccess(exit) ? undefined : Span.tagOf(exit.cause)
    Span.end(span, this.fiber!.context, error === undefined ? "success" : "failed", error)
  }
}
