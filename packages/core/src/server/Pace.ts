/**
 * The pace of a session: how many calls and bytes a second the manager takes from it (S-8). Each is a bucket of one
 * second's worth that fills with time. A request of any size is taken while both have something, and may leave a debt.
 */
import type { Limits } from "../Limits.ts"

class Bucket {
  readonly #perSecond: number
  #level: number
  #at: number

  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond
    this.#level = perSecond
    this.#at = now
  }

  /** Milliseconds until there is something in it. */
  wait(now: number): number {
    if (this.#perSecond === Infinity) return 0
    this.#level = Math.min(this.#perSecond, this.#level + (now - this.#at) * this.#perSecond / 1_000)
    this.#at = now
    return this.#level > 0 ? 0 : Math.floor(-this.#level * 1_000 / this.#perSecond) + 1
  }

  take(amount: number): void {
    this.#level -= amount
  }
}

/** The pace of one session, over all of its links. Times are the engine's, in milliseconds. */
export class Pace {
  readonly #calls: Bucket
  readonly #bytes: Bucket

  private constructor({ bytesPerSecondMax, callsPerSecondMax }: Limits, now: number) {
    this.#calls = new Bucket(callsPerSecondMax, now)
    this.#bytes = new Bucket(bytesPerSecondMax, now)
  }

  /** Undefined: a session may send as much as it can. */
  static make(limits: Limits, now: number): Pace | undefined {
    const isBounded = Math.min(limits.bytesPerSecondMax, limits.callsPerSecondMax) < Infinity
    return isBounded ? new Pace(limits, now) : undefined
  }

  /** Milliseconds until the next request is taken. 0: it is taken now. */
  wait(now: number): number {
    return Math.max(this.#calls.wait(now), this.#bytes.wait(now))
  }

  /** A request was taken. */
  take(calls: number, bytes: number): void {
    this.#calls.take(calls)
    this.#bytes.take(bytes)
  }
}
