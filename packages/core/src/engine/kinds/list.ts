/**
 * List: values in order. Values are canonical text, so equal values are equal text (S-25): search compares text, and
 * compare-and-set compares the value itself, whatever has moved meanwhile.
 *
 * Positions count from 0, or below 0 from the end. Bounds of slices outside of the list mean its ends.
 */
import * as Format from "../Format.ts"
import { kindOf } from "../Kind.ts"
import { answer, type At, operationsOf, ready, type Refusal, refuse } from "../Operation.ts"
import { count, integer, value, word } from "../Parameter.ts"
import type { Argument, Cell } from "../Value.ts"
import * as Reservation from "./reservation.ts"
import * as Scan from "./scan.ts"

/** What the manager knows of its items that lets it sort them. */
type Order = keyof typeof keys | ""

interface State extends Reservation.Reservable, Scan.Scans {
  readonly items: Array<Cell>
  readonly order: Order
}

const { change, read } = operationsOf<State>()

const outOfRange = ({ items }: State, index: number): Refusal<"IndexOutOfRange"> | undefined =>
  items.at(index) === undefined ? refuse("IndexOutOfRange", items.length) : undefined

/** The position of an index that is within. */
const positionOf = ({ items }: State, index: number): number => index < 0 ? items.length + index : index

/** From where to where a slice goes: an end before its start is its start. */
const boundsOf = ({ items }: State, start: number, end: number): readonly [start: number, end: number] => {
  const bound = (index: number) => Math.max(0, Math.min(items.length, index < 0 ? items.length + index : index))
  return [bound(start), Math.max(bound(start), bound(end))]
}

const search = ({ items }: State, { text }: Cell, start = 0, end = items.length): number => {
  for (let i = start; i < end; i++) if (items[i]!.text === text) return i
  return -1
}

/** How many arguments a call takes without doubt; a request may bring more values. */
const block = 10_000

/** Replaces the items between two bounds. */
const splice = ({ items }: State, start: number, end: number, values: ReadonlyArray<Cell>, at: At): void => {
  for (const cell of values) at.retain(cell)
  const removed = items.splice(start, end - start, ...values.slice(0, block))
  for (let i = block; i < values.length; i += block) items.splice(start + i, 0, ...values.slice(i, i + block))
  for (const cell of removed) at.release(cell)
  at.changed(["splice", start, end - start, ...values])
}

const put = (state: State, index: number, next: Cell, at: At): void => {
  const position = positionOf(state, index)
  at.retain(next)
  at.release(state.items[position]!)
  state.items[position] = next
  at.changed(["splice", position, 1, next])
}

/** Takes one item out; who takes it counts it. */
const takeOut = (state: State, position: number, at: At): Cell => {
  const item = state.items[position]!
  splice(state, position, position + 1, [], at)
  return item
}

/** The text between the quotes of a JSON string. Whatever a client has stored, this does not fail (S-2). */
const unquoted = (text: string): string =>
  text.slice(1, -1).replaceAll(
    /\\(?:u([\dA-Fa-f]{4})|(.))/g,
    (_, code: string | undefined, letter: string) =>
      code === undefined ? escapes[letter] ?? letter : String.fromCharCode(Number.parseInt(code, 16))
  )

const escapes: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" }

/** By what items are sorted. A number that JSON has no form for, and a bigint, are text in it. */
const keys = {
  number: (text: string): number => Number(text.startsWith("\"") ? unquoted(text) : text),
  bigint: (text: string): bigint => /^"-?\d+"$/.test(text) ? BigInt(unquoted(text)) : 0n,
  string: unquoted
}

type Key = number | bigint | string

/** Numbers and bigints by size, not-a-number before all; strings by code unit. */
const compare = (a: Key, b: Key): number => a < b ? -1 : a > b ? 1 : Number(b !== b) - Number(a !== a)

const sort = ({ items, order }: State, descending: boolean): void => {
  const keyOf = keys[order as keyof typeof keys]
  const sorted = items.map((item) => ({ item, key: keyOf(item.text) }))
    .sort((a, b) => descending ? compare(b.key, a.key) : compare(a.key, b.key))
  for (const [i, { item }] of sorted.entries()) items[i] = item
}

const operations = {
  size: read([], ({ items }) => [items.length] as const),
  /** The item at an index, or nothing, and the size. */
  get: read([integer], ({ items }, [index]) => [items.at(index) ?? null, items.length] as const),
  slice: read([integer, integer], ({ items }, [start, end]): ReadonlyArray<Cell> => items.slice(start, end)),
  /** The first position of a value in a slice, or nothing. */
  indexOf: read([value, integer, integer], (state, [item, start, end]): readonly [] | readonly [number] => {
    const position = search(state, item, ...boundsOf(state, start, end))
    return position < 0 ? [] : [position]
  }),
  count: read(
    [value],
    ({ items }, [{ text }]) => [items.reduce((sum, item) => item.text === text ? sum + 1 : sum, 0)] as const
  ),
  /** Replaces a slice by the values that follow; replies with the size. What adds, inserts and removes is one of these. */
  splice: change({
    parameters: [integer, integer],
    rest: [value],
    decide: (state, [start, end, ...values]) => {
      const [from, to] = boundsOf(state, start, end)
      return from === to && values.length === 0 ? answer(state.items.length) : ready
    },
    apply: (state, [start, end, ...values], at) => {
      // The parameters have recognised a value in each of them.
      splice(state, ...boundsOf(state, start, end), values as ReadonlyArray<Argument> as ReadonlyArray<Cell>, at)
      return [state.items.length] as const
    }
  }),
  set: change({
    parameters: [integer, value],
    decide: (state, [index]) => outOfRange(state, index) ?? ready,
    apply: (state, [index, next], at) => {
      put(state, index, next, at)
      return []
    }
  }),
  /** Replies with what was removed. */
  removeAt: change({
    parameters: [integer],
    decide: (state, [index]) => outOfRange(state, index) ?? ready,
    apply: (state, [index], at) => [takeOut(state, positionOf(state, index), at)] as const
  }),
  /** Removes the first that is equal; replies 1, or 0 if there is none. */
  remove: change({
    parameters: [value],
    decide: (state, [item]) => search(state, item) < 0 ? answer(0) : ready,
    apply: (state, [item], at) => {
      takeOut(state, search(state, item), at)
      return [1] as const
    }
  }),
  reverse: change({
    parameters: [],
    decide: ({ items }) => items.length > 1 ? ready : answer(),
    apply: (state, [], at) => {
      state.items.reverse()
      at.changed(["reverse"])
      return []
    }
  }),
  /** Ascending with 0, else descending. */
  sort: change({
    parameters: [count],
    decide: ({ items, order }) => order === "" ? refuse("NotOrdered") : items.length > 1 ? ready : answer(),
    apply: (state, [descending], at) => {
      sort(state, descending > 0)
      at.changed(["sort", descending])
      return []
    }
  }),
  ...Reservation.operations({
    key: integer,
    expected: value,
    next: value,
    absent: outOfRange,
    find: ({ items }: State, index): readonly [item: Cell] => [items.at(index)!],
    isExpected: ({ items }, index, { text }) => items.at(index)!.text === text,
    replace: put
  }),
  ...Scan.operations<State>(({ items }) => items, 1)
}

/** The kind behind `SharedList`. */
export const list = kindOf<State>()({
  name: "List",
  lanes: ["reservations"],
  /** Whether its items can be sorted: `number`, `bigint`, `string`, or nothing. */
  options: { order: word },
  operations,
  initial: ({ order }, values): State | Refusal<"InvalidOptions"> =>
    order === "" || Object.hasOwn(keys, order)
      ? { items: [...values], order: order as Order, reservation: undefined, scans: new Map() }
      : refuse("InvalidOptions", `there is no order ${order}`),
  pristine: ({ items, reservation, scans }) => items.length === 0 && reservation === undefined && scans.size === 0,
  revoke: (state, grant, _, at) => {
    Reservation.revoke(state, grant)
    Scan.revoke(state, grant, at)
  },
  snapshot: ({ items }) => [...items],
  values: (state) => [...state.items, ...Scan.values(state)],
  version: 1,
  format: Format.struct<State>({
    items: Format.list(Format.cell),
    order: Format.literal("", "number", "bigint", "string"),
    ...Reservation.fields,
    ...Scan.fields
  }),
  check: (state, grants) => [
    ...Reservation.check(state, Scan.others(state, grants)),
    ...Scan.check(state, grants)
  ]
})
