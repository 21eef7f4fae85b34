/** The holds of the fibers of this process, each with its loss signal (S-21, S-22). */
import type { GrantId } from "../engine/Operation.ts"

/** The holds of one connection. */
export class Holds {
  readonly #lost = new Map<GrantId, (why: string) => void>()

  /** Registers a hold and its loss signal, which is told the reason; returns a function that unregisters it. */
  add(hold: GrantId, lost: (why: string) => void): () => void {
    this.#lost.set(hold, lost)
    return () => this.#lost.delete(hold)
  }

  /** Trips the loss signal of a hold; false if none is registered. */
  trip(hold: GrantId, why: string): boolean {
    const lost = this.#lost.get(hold)
    lost?.(why)
    return lost !== undefined
  }

  /** The manager has taken a hold back. */
  revoke(hold: GrantId): void {
    this.trip(hold, "the manager has taken it back: it was held longer than holdFor, or its object was removed")
  }

  /** The registered holds. */
  get tokens(): ReadonlyArray<GrantId> {
    return [...this.#lost.keys()]
  }

  /** Trips every loss signal: the session has ended, or may end before the manager can be reached. */
  tripAll(why: string): void {
    for (const lost of this.#lost.values()) lost(why)
  }
}
