/** Chance that can be repeated: the same seed throws the same numbers. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A whole number from 0 to `sides - 1`. */
  roll(sides: number): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides
  }

  /** True in `percent` of a hundred throws. */
  chance(percent: number): boolean {
    return this.roll(100) < percent
  }

  /** One of these. */
  pick<A>(list: readonly [A, ...ReadonlyArray<A>]): A
  pick<A>(list: ReadonlyArray<A>): A | undefined
  pick<A>(list: ReadonlyArray<A>): A | undefined {
    return list[this.roll(Math.max(1, list.length))]
  }
}
