/**
 * Entries by their sequence. Sequences grow and most entries go soon, so the latest are kept in a ring; an entry that is
 * still there when the ring has come round moves to a map.
 *
 * Not a map alone: the tables that a `Map` has outgrown point to their successors, so that one old table keeps every
 * entry since from being collected young. That was a fifth of a busy client's time.
 */

/** Places of a new ring, and of one that does not grow any more: with more entries the map is used more often than not. */
const places = { first: 16, last: 1_024 }

/** A map of entries that know their own sequence. */
export class SequenceMap<A extends { readonly sequence: number }> {
  #ring = emptyRing<A>(places.first)
  readonly #older = new Map<number, A>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(sequence: number): A | undefined {
    const entry = this.#ring[this.#place(sequence)]
    return entry?.sequence === sequence ? entry : this.#older.get(sequence)
  }

  /** Adds an entry, or puts it in the place of the one with its sequence. */
  set(entry: A): void {
    this.delete(entry.sequence)
    if (this.#size * 2 >= this.#ring.length && this.#ring.length < places.last) this.#grow()
    this.#put(entry)
    this.#size++
  }

  delete(sequence: number): void {
    const place = this.#place(sequence)
    if (this.#ring[place]?.sequence === sequence) this.#ring[place] = undefined
    else if (this.#older.size === 0 || !this.#older.delete(sequence)) return
    this.#size--
  }

  /** All entries, by sequence. */
  values(): ReadonlyArray<A> {
    const entries = [...this.#older.values()]
    for (const entry of this.#ring) if (entry !== undefined) entries.push(entry)
    return entries.sort((a, b) => a.sequence - b.sequence)
  }

  clear(): void {
    this.#ring.fill(undefined)
    this.#older.clear()
    this.#size = 0
  }

  #place(sequence: number): number {
    return sequence & (this.#ring.length - 1)
  }

  #put(entry: A): void {
    const place = this.#place(entry.sequence)
    const other = this.#ring[place]
    if (other !== undefined) this.#older.set(other.sequence, other)
    this.#ring[place] = entry
  }

  #grow(): void {
    const entries = this.values()
    this.#ring = emptyRing(this.#ring.length * 2)
    this.#older.clear()
    for (const entry of entries) this.#put(entry)
  }
}

const emptyRing = <A>(length: number): Array<A | undefined> => Array.from({ length }, () => undefined)
