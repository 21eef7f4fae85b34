/**
 * Array: a fixed number of numbers of one type, initially 0.
 *
 * Indexes count from 0, negative ones from the end. A number that the type cannot hold is refused, not cut, and so is a
 * number that is not finite. A floating point number is rounded to the precision of its type.
 */
import * as Format from "../Format.ts"
import { kindOf } from "../Kind.ts"
import { answer, operationsOf, ready, type Refusal, refuse } from "../Operation.ts"
import { count, end, index, named, number, start, word } from "../Parameter.ts"
import { type Cell, textOf } from "../Value.ts"
import * as Reservation from "./reservation.ts"

interface State extends Reservation.Reservable {
  readonly items: Items
  readonly type: ElementType
}

type Items = InstanceType<typeof types[ElementType]>

/** The types of elements. */
export type ElementType = keyof typeof types

const types = {
  float64: Float64Array,
  float32: Float32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array
}

/** The maximal length: 128 MiB of the largest type. */
const lengthMax = 16 * 1024 * 1024

const { change, read } = operationsOf<State>()

/** Whether a type can hold a number. */
const fits = (type: ElementType, n: number): boolean => {
  if (type === "float64") return Number.isFinite(n)
  if (type === "float32") return Number.isFinite(Math.fround(n))
  const bits = types[type].BYTES_PER_ELEMENT * 8
  const [minimum, values] = [type.startsWith("u") ? 0 : -(2 ** (bits - 1)), 2 ** bits]
  return Number.isInteger(n) && n >= minimum && n < minimum + values
}

/** Refusal when one of the numbers cannot be an element. */
const unfit = ({ type }: State, numbers: ReadonlyArray<number>): Refusal<"OutOfBounds"> | undefined => {
  const wrong = numbers.find((n) => !fits(type, n))
  return wrong === undefined ? undefined : refuse("OutOfBounds", wrong)
}

const positionOf = ({ items }: State, index: number): number => index < 0 ? items.length + index : index

/** Refusal when the range is out of bounds. */
const outside = (state: State, index: number, size = 1): Refusal<"IndexOutOfRange"> | undefined => {
  const position = positionOf(state, index)
  const { length } = state.items
  return position >= 0 && position + size <= length ? undefined : refuse("IndexOutOfRange", length)
}

/** The sums of the numbers and the elements from an index on. */
const sums = (state: State, index: number, numbers: ReadonlyArray<number>): ReadonlyArray<number> => {
  const start = positionOf(state, index)
  return numbers.map((n, i) => state.items[start + i]! + n)
}

const put = (state: State, index: number, numbers: ReadonlyArray<number>): void =>
  state.items.set(numbers, positionOf(state, index))

const operations = {
  size: read([], ({ items }) => [items.length] as const),
  get: read([index], ({ items }, [index]) => [items.at(index)!] as const, {
    decide: (state, [index]) => outside(state, index) ?? ready
  }),
  slice: read(
    [start, end],
    ({ items }, [start, end]): ReadonlyArray<number> => Array.from(items.subarray(start, end))
  ),
  /** Sets the elements from an index on to the numbers that follow. */
  set: change({
    parameters: [index],
    rest: [named("value", number)],
    decide: (state, [index, ...numbers]) =>
      outside(state, index, numbers.length) ?? unfit(state, numbers) ?? (numbers.length > 0 ? ready : answer()),
    apply: (state, [index, ...numbers]) => {
      put(state, index, numbers)
      return []
    }
  }),
  /** Sets the elements between two bounds to a number. Bounds are clamped to the array. */
  fill: change({
    parameters: [named("value", number), start, end],
    decide: (state, [n]) => unfit(state, [n]) ?? ready,
    apply: ({ items }, [n, start, end]) => {
      items.fill(n, start, end)
      return []
    }
  }),
  /** Adds the numbers that follow to the elements from an index on; replies with the sums. */
  add: change({
    parameters: [index],
    rest: [named("by", number)],
    decide: (state, [index, ...numbers]) =>
      outside(state, index, numbers.length) ?? unfit(state, sums(state, index, numbers)) ??
        (numbers.length > 0 ? ready : answer()),
    apply: (state, [index, ...numbers]): ReadonlyArray<number> => {
      put(state, index, sums(state, index, numbers))
      const start = positionOf(state, index)
      return [...state.items.subarray(start, start + numbers.length)]
    }
  }),
  ...Reservation.operations({
    key: index,
    expected: number,
    next: named("value", number),
    absent: outside,
    unfit: (state: State, _, next) => unfit(state, [next]),
    find: ({ items }, index): readonly [element: number] => [items.at(index)!],
    isExpected: ({ items }, index, expected) => items.at(index) === expected,
    replace: (state, index, next) => put(state, index, [next])
  })
}

/** The numbers of an initial value, an array in JSON. It does not fail, whatever value a client has sent (S-2). */
const numbersOf = (value: Cell): ReadonlyArray<number> => {
  const text = textOf(value)
  return text === "[]" ? [] : text.slice(1, -1).split(",").map(Number)
}

const isType = (type: string): type is ElementType => Object.hasOwn(types, type)

const initial = (type: string, length: number, value: Cell | undefined): State | Refusal<"InvalidOptions"> => {
  if (!isType(type)) return refuse("InvalidOptions", `there is no type ${type}`)
  if (length > lengthMax) return refuse("InvalidOptions", `length must be at most ${lengthMax}, not ${length}`)
  const numbers = value === undefined ? [] : numbersOf(value)
  if (value !== undefined && numbers.length !== length) {
    return refuse("InvalidOptions", `${numbers.length} initial numbers for a length of ${length}`)
  }
  const wrong = numbers.find((n) => !fits(type, n))
  if (wrong !== undefined) return refuse("InvalidOptions", `${wrong} is no ${type}`)
  const items = new types[type](length)
  items.set(numbers)
  return { items, type, reservation: undefined }
}

/** The kind behind `SharedArray`. */
export const array = kindOf<State>()({
  name: "Array",
  lanes: ["reservations"],
  options: { type: word, length: count },
  operations,
  initial: ({ length, type }, [value]) => initial(type, length, value),
  pristine: ({ items, reservation }) => reservation === undefined && items.every((n) => n === 0),
  revoke: Reservation.revoke,
  values: () => [],
  bytes: ({ items }) => items.byteLength,
  version: 1,
  format: Format.convert(
    Format.struct({
      type: Format.literal(...Object.keys(types) as ReadonlyArray<ElementType>),
      items: Format.list(Format.number),
      ...Reservation.fields
    }),
    (state) => ({ ...state, items: [...state.items] }),
    ({ items, type, ...state }) => {
      const wrong = items.find((n) => !fits(type, n))
      return wrong === undefined
        ? { ...state, type, items: types[type].from(items) }
        : new Format.Malformed(`has no place for ${wrong}`).at("items")
    }
  ),
  check: (state, grants) => [
    ...Reservation.check(state, grants),
    ...[...state.items].filter((n) => !fits(state.type, n)).map((n) => `I2: an array of ${state.type} holds ${n}`)
  ]
})
