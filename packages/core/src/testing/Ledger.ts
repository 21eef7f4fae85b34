/**
 * The knowledge that the programs of a simulated run have without the manager: the items that exist, the client that
 * got each item, and the clients that occupy places of an object.
 */
import { type Shared, TypeId } from "../proxy/Remote.ts"

/** A client, as far as the ledger knows it. */
export interface Holder {
  readonly name: string
  /** Whether the client was killed or cut off: another client may have what it held. */
  readonly isLost: () => boolean
}

interface Place {
  readonly object: number
  readonly holder: Holder
  readonly units: number
}

/** The ledger of one run, shared by all its clients: they run in one thread. */
export class Ledger {
  #items = 0
  readonly #taken = new Map<number, Holder>()
  readonly #places = new Set<Place>()

  /** A new item, different from all others. */
  item(): number {
    return ++this.#items
  }

  /** A client has received an item. It happens once for each item, unless the first client was lost (S-18). */
  took(item: number, holder: Holder): void {
    const first = this.#taken.get(item)
    if (first?.isLost() === false) throw new Error(`item ${item} went to ${first.name} and to ${holder.name}`)
    if (!(item >= 1 && item <= this.#items)) throw new Error(`item ${item} was never offered`)
    this.#taken.set(item, holder)
  }

  /**
   * A client occupies units of an object that has `max` units. Lost clients do not count. Returns a function that frees
   * the units.
   */
  occupy(object: Shared, holder: Holder, units: number, max: number): () => void {
    const place = { object: object[TypeId].target.id, holder, units }
    this.#places.add(place)
    const living = [...this.#places].filter((other) => other.object === place.object && !other.holder.isLost())
    const occupied = living.reduce((sum, { units }) => sum + units, 0)
    if (occupied > max) {
      throw new Error(`${living.map(({ holder }) => holder.name).join(" and ")} occupy ${occupied} of ${max} places`)
    }
    return () => this.#places.delete(place)
  }
}
