/** A job of a pool, with the fiber that waits for it. */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Parcel } from "./Message.ts"
import { Job } from "./Scheduler.ts"

/** A job and who waits for it. */
export class Call extends Job {
  readonly id: number
  /** The position of its task in the group. */
  readonly position: number
  readonly attempt: number
  readonly parcel: Parcel
  /** The time that a cancelled one has left to end by itself. */
  grace: Fiber.Fiber<void> | undefined = undefined
  /** Set when the fiber is being interrupted and waits for the end. */
  onSettled: (() => void) | undefined = undefined
  readonly #resume: (effect: Effect.Effect<ReadonlyArray<unknown>, unknown>) => void

  constructor(
    id: number,
    position: number,
    task: string,
    payloads: number,
    attempt: number,
    parcel: Parcel,
    resume: (effect: Effect.Effect<ReadonlyArray<unknown>, unknown>) => void
  ) {
    super(task, payloads, parcel._tag === "Text" ? parcel.text.length : 0)
    this.id = id
    this.position = position
    this.attempt = attempt
    this.parcel = parcel
    this.#resume = resume
  }

  /** It has ended: the fiber goes on, or its interruption does. */
  settle(exit: Exit.Exit<ReadonlyArray<unknown>, unknown>): void {
    this.grace?.interruptUnsafe()
    if (this.cancelled) this.onSettled?.()
    else this.#resume(exit)
  }
}
