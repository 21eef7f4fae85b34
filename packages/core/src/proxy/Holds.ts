/** The locks that fibers of this process hold, and what happens to each when it is lost (S-21, S-22). */
import type { GrantId } from "../engine/Kind.ts"
import type { ObjectId } from "../engine/Value.ts"

/** The holds of one connection. */
export class Holds {
  readonly #holds = new Map<GrantId, { readonly object: ObjectId; readonly lost: () => void }>()

  /** Registers a hold and its loss signal; answers how to unregister. */
  add(hold: GrantId, object: ObjectId, lost: () => void): () => void {
    this.#holds.set(hold, { object, lost })
    return () => this.#holds.delete(hold)
  }

  /** Whether a hold is one of an object (S-20). */
  isOf(hold: GrantId, object: ObjectId): boolean {
    return this.#holds.get(hold)?.object === object
  }

  /** Trips the loss signal of a hold; false if nobody waits for it any more. */
  trip(hold: GrantId): boolean {
    const held = this.#holds.get(hold)
    held?.lost()
    return held !== undefined
  }

  /** Trips every loss signal: the connection has ended. */
  tripAll(): void {
    for (const { lost } of this.#holds.values()) lost()
  }
}
