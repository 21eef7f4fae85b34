/** A fixed number of numbers of one type. */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { array as kind } from "../../engine/kinds/array.ts"
import type { Argument } from "../../engine/Value.ts"
import * as SharedArray from "../../SharedArray.ts"
import { type Answer, type Call, type MakeModel, type Model, type Reply } from "./Model.ts"
import { type Entry, holdReservation, ReservationModel } from "./reservation.ts"
import { remoteOf, specimen } from "./Specimen.ts"

/** What becomes of a number that an array of the type is given. */
const cut: Readonly<Record<string, (n: number) => number>> = {
  float64: (n) => n,
  float32: Math.fround,
  int8: (n) => n << 24 >> 24,
  uint8: (n) => n & 0xff,
  int16: (n) => n << 16 >> 16,
  uint16: (n) => n & 0xffff,
  int32: (n) => n | 0,
  uint32: (n) => n >>> 0
}

class ArrayModel implements Model {
  readonly unguarded = new Set(["endReservation"])
  readonly #type: string
  #items: ReadonlyArray<number>
  readonly #reservations: ReservationModel

  constructor(type: string, items: ReadonlyArray<number>, reservations = new ReservationModel()) {
    this.#type = type
    this.#items = items
    this.#reservations = reservations
  }

  get grants() {
    return this.#reservations.grants
  }

  look(call: Call): Answer | undefined {
    const { args, operation } = call
    const items = this.#items
    const [first = 0, ...numbers] = args.map(Number)
    const start = this.#position(first)
    const misses = (size: number) => this.#misses(start, size)
    const bounds = (results: ReadonlyArray<number>) => this.#bounds(results)
    switch (operation) {
      case "size":
        return { reply: [items.length] }
      case "get":
        return misses(1) ?? { reply: [items[start]!] }
      case "slice":
        return { reply: items.slice(first, numbers[0]) }
      case "set":
        return misses(numbers.length) ?? bounds(numbers) ?? (numbers.length === 0 ? { reply: [] } : undefined)
      case "fill":
        return bounds([first])
      case "add":
        return misses(numbers.length) ?? bounds(numbers.map((n, i) => n + items[start + i]!)) ??
          (numbers.length === 0 ? { reply: [] } : undefined)
    }
    return this.#reservations.look(call, () => this.#entry(call))
  }

  change(call: Call): Reply | undefined {
    if (this.look(call) !== undefined) return undefined
    const { args, operation } = call
    const [first = 0, ...numbers] = args.map(Number)
    const start = this.#position(first)
    switch (operation) {
      case "set":
        this.#put(start, numbers)
        return []
      case "fill": {
        const size = this.#items.slice(numbers[0], numbers[1]).length
        this.#put(this.#items.slice(0, numbers[0]).length, Array.from({ length: size }, () => first))
        return []
      }
      case "add":
        this.#put(start, numbers.map((n, i) => n + this.#items[start + i]!))
        return this.#items.slice(start, start + numbers.length)
    }
    return this.#reservations.change(call, () => this.#entry(call), () => this.#put(start, [numbers[1]!]))
  }

  revoke(grant: number): void {
    this.#reservations.end(grant)
  }

  isPristine(): boolean {
    return this.#items.every((n) => n === 0) && this.grants.size === 0
  }

  state(): unknown {
    return [this.#items, this.#reservations.holder]
  }

  copy(): ArrayModel {
    return new ArrayModel(this.#type, this.#items, this.#reservations.copy())
  }

  #entry({ args }: Call): Entry {
    const [index, expected, next] = args.map(Number)
    const start = this.#position(index!)
    return {
      absent: this.#misses(start, 1),
      unfit: this.#bounds([next!]),
      found: [this.#items[start]!],
      isExpected: this.#items[start] === expected
    }
  }

  #position(index: number): number {
    return index < 0 ? index + this.#items.length : index
  }

  #misses(start: number, size: number): Answer | undefined {
    return start < 0 || start + size > this.#items.length ? { error: "IndexOutOfRange" } : undefined
  }

  #bounds(results: ReadonlyArray<number>): Answer | undefined {
    return results.every((n) => this.#holds(n)) ? undefined : { error: "OutOfBounds" }
  }

  /** Rounding is allowed, cutting is not. */
  #holds(n: number): boolean {
    const held = cut[this.#type]!(n)
    return this.#type.startsWith("float") ? Number.isFinite(held) : held === n
  }

  #put(start: number, numbers: ReadonlyArray<number>): void {
    this.#items = this.#items.map((n, i) =>
      i >= start && i < start + numbers.length ? cut[this.#type]!(numbers[i - start]!) : n
    )
  }
}

/** As many zeros as its options say, or what its first value says in JSON. */
const makeArray: MakeModel = ({ length, type }, [value]) => {
  const text = (value as Exclude<Argument, string | number | null> | undefined)?.text
  const numbers: ReadonlyArray<number> = text === undefined
    ? Array.from({ length: Number(length) }, () => 0)
    : JSON.parse(text)
  return new ArrayModel(String(type), numbers.map((n) => cut[String(type)]!(n)))
}

/** The specimen of `Array`. */
export const array = specimen({
  kind,
  model: makeArray,
  harmless: {
    "endReservation/refused-and-done": "a client ends no reservation of another one, and its own only once"
  },
  samples: {
    gauges: (name) => SharedArray.make({ name, type: "uint8", length: 3 }),
    levels: (name) => SharedArray.make({ name, type: "float32", length: 2, initial: [0.5, 1] })
  },
  actions: {
    add: ({ gauges }, { random }) => gauges.add(random.below(3), random.below(150) - 50),
    addSlice: ({ gauges }, { random }) => gauges.addSlice(1, [random.below(20), random.below(20)]),
    set: ({ gauges }, { random }) => gauges.set(random.below(4) - 2, random.below(256)),
    setSlice: ({ gauges }, { random }) => gauges.setSlice(random.below(3), [1, random.below(300)]),
    setLevel: ({ levels }, { random }) => levels.set(random.below(3), random.next()),
    fill: ({ gauges }, { random }) => gauges.fill(random.below(9), random.below(2)),
    modifyAt: ({ gauges }, { impatiently, random }) =>
      impatiently(gauges.modifyAt(random.below(2), (n) => [n, (n + 1) % 256])),
    holdReservation: ({ gauges }, actor) => {
      const remote = remoteOf(gauges, kind)
      return holdReservation(
        actor,
        remote.call("reserve", [0], ([reservation]) => Exit.succeed(reservation)),
        (reservation) => remote.call("endReservation", [reservation], () => Exit.void)
      )
    },
    elements: ({ gauges, levels }, { random }) =>
      random.pick<Effect.Effect<unknown, unknown>>([
        gauges.toArray,
        gauges.get(random.below(4)),
        gauges.length,
        levels.toArray
      ])
  }
})
