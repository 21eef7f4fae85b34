/** The holds of the fibers of this process, each with its loss signal (S-21, S-22). */
import type { GrantId } from "../engine/Operation.ts"

/** The holds of one connection. */
export class Holds {
  readonly #lost = new Map<GrantId, () => void>()

  /** Registers a hold and its loss signal; returns a function that unregisters it. */
  add(hold: GrantId, lost: () => void): () => void {
    this.#lost.set(hold, lost)
    return () => this.#lost.delete(hold)
  }

  /** Trips the loss signal of a hold; false if none is registered. */
  trip(hold: GrantId): boolean {
    const lost = this.#lost.get(hold)
    lost?.()
    return lost !== undefined
  }

  /** The registered holds. */
  get tokens(): ReadonlyArray<GrantId> {
    return [...this.#lost.keys()]
  }

  /** Trips every loss signal: the session has ended, or may end before the manager can be reached. */
  tripAll(): void {
    for (const lost of this.#lost.values()) lost()
  }
}
