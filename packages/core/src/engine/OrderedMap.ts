/**
 * A map whose keys are numbers that grow as entries are added. It can be read from any key on, whether or not that key is
 * still in the map. The entries before cost nothing.
 */
import * as Sorted from "./sorted.ts"

export class OrderedMap<A> extends Map<number, A> {
  /** All keys in order. Some of them are deleted: at most 16, and a quarter of the size of the map. */
  #keys: Array<number> = []

  override set(key: number, value: A): this {
    const { size } = this
    super.set(key, value)
    if (this.size > size) this.#keys.push(key)
    return this
  }

  override delete(key: number): boolean {
    const wasThere = super.delete(key)
    if (this.#keys.length > 1.25 * this.size + 16) this.#keys = [...this.keys()]
    return wasThere
  }

  /** The values of larger keys than this one, in order. */
  *after(key: number): Generator<A> {
    for (let i = this.#positionAfter(key); i < this.#keys.length; i++) {
      const value = this.get(this.#keys[i]!)
      if (value !== undefined) yield value
    }
  }

  #positionAfter(key: number): number {
    return Sorted.positionOf(this.#keys, (other) => other <= key)
  }
}
