/**
 * What a step has changed, each thing once, in order: the lanes of these objects are to be served.
 *
 * Not a `Set`: its tables chain like those of a `Map` (see `SequenceMap.ts`), and each step would leave one behind.
 */

/** A queue that holds each item once. */
export class Touched<A extends { isTouched: boolean }> {
  /** Kept when the queue is empty, so that a step allocates nothing. */
  readonly #items: Array<A | undefined> = []
  #first = 0
  #end = 0

  get size(): number {
    return this.#end - this.#first
  }

  add(item: A): void {
    if (item.isTouched) return
    item.isTouched = true
    this.#items[this.#end++] = item
  }

  /** Takes the first one out. */
  take(): A | undefined {
    if (this.#first === this.#end) return undefined
    const item = this.#items[this.#first]!
    this.#items[this.#first++] = undefined
    item.isTouched = false
    if (this.#first === this.#end) this.#first = this.#end = 0
    return item
  }
}
