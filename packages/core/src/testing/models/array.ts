/** A fixed number of numbers of one type. */
import type { Argument } from "../../engine/Value.ts"
import { type Answer, type Call, holds, type MakeModel, type Model, notHeld, type Reply } from "./Model.ts"
import { TurnModel } from "./reservation.ts"

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
  readonly unguarded = new Set(["endTurn"])
  readonly #type: string
  #items: ReadonlyArray<number>
  readonly #turn: TurnModel

  constructor(type: string, items: ReadonlyArray<number>, turn = new TurnModel()) {
    this.#type = type
    this.#items = items
    this.#turn = turn
  }

  get grants() {
    return this.#turn.grants
  }

  look({ args, operation, session }: Call): Answer | undefined {
    const items = this.#items
    const [first = 0, ...numbers] = args.map(Number)
    const start = first < 0 ? first + items.length : first
    const misses = (size: number): Answer | undefined =>
      start < 0 || start + size > items.length ? { error: "IndexOutOfRange" } : undefined
    const bounds = (results: ReadonlyArray<number>): Answer | undefined =>
      results.every((n) => this.#holds(n)) ? undefined : { error: "OutOfBounds" }
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
      case "compareAndSet": {
        const refused = misses(1) ?? bounds([numbers[1]!])
        const yields = this.#turn.yields(session, args[3])
        return refused ?? (yields || items[start] !== numbers[0] ? { reply: [0, items[start]!] } : undefined)
      }
      case "turn":
        return misses(1)
      case "endTurn":
        return holds(this, session, args[0]) ? undefined : notHeld
    }
    return undefined
  }

  change(call: Call): Reply | undefined {
    if (this.look(call) !== undefined) return undefined
    const { args, operation } = call
    const [first = 0, ...numbers] = args.map(Number)
    const start = first < 0 ? first + this.#items.length : first
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
      case "compareAndSet":
        this.#put(start, [numbers[1]!])
        this.#turn.end(args[3])
        return [1, numbers[1]!]
      case "turn":
        return this.#turn.holder === undefined ? [this.#turn.begin(call), this.#items[start]!] : undefined
      case "endTurn":
        this.#turn.end(args[0])
        return []
    }
    return undefined
  }

  revoke(grant: number): void {
    this.#turn.end(grant)
  }

  isPristine(): boolean {
    return this.#items.every((n) => n === 0) && this.grants.size === 0
  }

  state(): unknown {
    return [this.#items, this.#turn.holder]
  }

  copy(): ArrayModel {
    return new ArrayModel(this.#type, this.#items, new TurnModel(this.#turn.holder, this.#turn.grants))
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
export const makeArray: MakeModel = ({ length, type }, [value]) => {
  const text = (value as Exclude<Argument, string | number | null> | undefined)?.text
  const numbers: ReadonlyArray<number> = text === undefined
    ? Array.from({ length: Number(length) }, () => 0)
    : JSON.parse(text)
  return new ArrayModel(String(type), numbers.map((n) => cut[String(type)]!(n)))
}
