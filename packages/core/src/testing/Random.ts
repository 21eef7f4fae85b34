/**
 * Choices drawn from a seed: the same seed gives the same choices, on every platform.
 */

/** A source of choices. Not for secrets. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 0
  }

  /** A number from 0 up to, not including, 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  /** A whole number from 0 up to, not including, `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end)
  }

  /** True with a probability. */
  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** One of several; there must be one. */
  pick<A>(choices: ReadonlyArray<A>): A {
    return choices[this.below(choices.length)]!
  }

  /** Another source, whose choices do not depend on how many are drawn from this one later. */
  fork(): Random {
    return new Random(this.below(0x7fffffff))
  }
}
