/**
 * Calls by their sequence. Sequences grow and most calls are short, so the latest are kept in a ring; a call that is
 * still there when the ring has come round moves to a map.
 *
 * Not a map alone: the tables that a `Map` has outgrown point to their successors, so that one old table keeps every
 * call since from being collected young. That was a fifth of a busy client's time.
 */
import type { Call } from "./Call.ts"

/** Calls in flight beyond which the map is used more often than not. */
const ringSize = 1_024

/** The calls that were sent and have not ended. */
export class Calls {
  readonly #ring: Array<Call | undefined> = Array.from({ length: ringSize }, () => undefined)
  readonly #older = new Map<number, Call>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(sequence: number): Call | undefined {
    const call = this.#ring[sequence % ringSize]
    return call?.sequence === sequence ? call : this.#older.get(sequence)
  }

  /** Adds a call, whose sequence is greater than all before. */
  add(call: Call): void {
    const place = call.sequence % ringSize
    const older = this.#ring[place]
    if (older !== undefined) this.#older.set(older.sequence, older)
    this.#ring[place] = call
    this.#size++
  }

  delete(sequence: number): void {
    const place = sequence % ringSize
    if (this.#ring[place]?.sequence === sequence) this.#ring[place] = undefined
    else if (!this.#older.delete(sequence)) return
    this.#size--
  }

  /** Takes all calls out, in order. */
  takeAll(): ReadonlyArray<Call> {
    const calls = [...this.#older.values(), ...this.#ring.filter((call) => call !== undefined)]
    this.#older.clear()
    this.#ring.fill(undefined)
    this.#size = 0
    return calls.toSorted((a, b) => a.sequence - b.sequence)
  }
}
