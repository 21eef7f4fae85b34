/** Items by the index of a journal. The indexes are read once, in order. */

const none: ReadonlyArray<never> = []

/** Items by index, from 0 to `end`. */
export class Buckets<A> {
  readonly #buckets: Array<Array<A> | undefined>
  readonly #end: number

  constructor(end: number) {
    this.#end = end
    this.#buckets = Array.from({ length: end + 1 })
  }

  /** False if there is no such index. */
  add(index: number, item: A): boolean {
    if (!(index >= 0 && index <= this.#end)) return false
    const bucket = this.#buckets[index]
    if (bucket === undefined) this.#buckets[index] = [item]
    else bucket.push(item)
    return true
  }

  at(index: number): ReadonlyArray<A> {
    return this.#buckets[index] ?? none
  }
}
