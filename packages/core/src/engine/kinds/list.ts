/**
 * List: values in order. Equal values have equal canonical content (S-25), so search compares content. A compare-and-set
 * compares the value at an index, and not a version, so it succeeds on an equal value that has moved there.
 *
 * Indexes count from 0, negative ones from the end. Bounds of slices are clamped to the list.
 */
import * as Format from "../Format.ts"
import { kindOf } from "../Kind.ts"
import { answer, type At, operationsOf, ready, type Refusal, refuse, wait } from "../Operation.ts"
import { count, end, index, start, value, word } from "../Parameter.ts"
import { type Argument, type Cell, isEqual, textOf } from "../Value.ts"
import * as Reservation from "./reservation.ts"
import * as Scan from "./scan.ts"

/** How items are compared when they are sorted; empty: they cannot be sorted. */
type Order = keyof typeof keys | ""

interface State extends Reservation.Reservable, Scan.Scans {
  readonly items: Array<Cell>
  /** The index of the last change. */
  version: number
  readonly order: Order
}

const { change, read } = operationsOf<State, "conditions">()

const outOfRange = ({ items }: State, index: number): Refusal<"IndexOutOfRange"> | undefined =>
  items.at(index) === undefined ? refuse("IndexOutOfRange", items.length) : undefined

/** The position of an index that is in range. */
const positionOf = ({ items }: State, index: number): number => index < 0 ? items.length + index : index

/** The positions of a slice. An end before the start makes it empty. */
const boundsOf = ({ items }: State, start: number, end: number): readonly [start: number, end: number] => {
  const bound = (index: number) => Math.max(0, Math.min(items.length, index < 0 ? items.length + index : index))
  return [bound(start), Math.max(bound(start), bound(end))]
}

const search = ({ items }: State, item: Cell, start = 0, end = items.length): number => {
  for (let i = start; i < end; i++) if (isEqual(items[i]!, item)) return i
  return -1
}

/** Values per call of `splice`: a request may have more values than a call may have arguments. */
const block = 10_000

/** Replaces the items between two bounds. */
const splice = (state: State, start: number, end: number, values: ReadonlyArray<Cell>, at: At): void => {
  const { items } = state
  for (const cell of values) at.retain(cell)
  const removed = items.splice(start, end - start, ...values.slice(0, block))
  for (let i = block; i < values.length; i += block) items.splice(start + i, 0, ...values.slice(i, i + block))
  for (const cell of removed) at.release(cell)
  state.version = at.index
  at.changed(["splice", start, end - start, ...values])
}

const put = (state: State, index: number, next: Cell, at: At): void => {
  const position = positionOf(state, index)
  at.retain(next)
  at.release(state.items[position]!)
  state.items[position] = next
  state.version = at.index
  at.changed(["splice", position, 1, next])
}

/** Removes one item and returns it. */
const takeOut = (state: State, position: number, at: At): Cell => {
  const item = state.items[position]!
  splice(state, position, position + 1, [], at)
  return item
}

/** The text of a JSON string. It does not fail, whatever text a client has stored (S-2). */
const unquoted = (text: string): string =>
  text.slice(1, -1).replaceAll(
    /\\(?:u([\dA-Fa-f]{4})|(.))/g,
    (_, code: string | undefined, letter: string) =>
      code === undefined ? escapes[letter] ?? letter : String.fromCharCode(Number.parseInt(code, 16))
  )

const escapes: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" }

/** The sort key of an item's text. Bigints, and numbers that are not finite, are strings in JSON. */
const keys = {
  number: (text: string): number => Number(text.startsWith("\"") ? unquoted(text) : text),
  bigint: (text: string): bigint => /^"-?\d+"$/.test(text) ? BigInt(unquoted(text)) : 0n,
  string: unquoted
}

type Key = number | bigint | string

/** Numbers and bigints are compared by size, NaN before all others; strings by code unit. */
const compare = (a: Key, b: Key): number => a < b ? -1 : a > b ? 1 : Number(b !== b) - Number(a !== a)

const sort = ({ items, order }: State, descending: boolean): void => {
  const keyOf = keys[order as keyof typeof keys]
  const sorted = items.map((item) => ({ item, key: keyOf(textOf(item)) }))
    .sort((a, b) => descending ? compare(b.key, a.key) : compare(a.key, b.key))
  for (const [i, { item }] of sorted.entries()) items[i] = item
}

const operations = {
  /** Replies with the number of items, and the index of the last change. */
  size: read([], ({ items, version }) => [items.length, version] as const),
  /** Refused if the list has changed since the change of this index. */
  check: read([count], () => [], {
    decide: ({ version }, [expected]) => version === expected ? ready : refuse("Conflict")
  }),
  /** Waits until the list changes after the change of this index. */
  untilChanged: read([count], () => [], {
    lane: "conditions",
    decide: ({ version }, [expected]) => version === expected ? wait : ready
  }),
  /** Replies with the item at an index, or nothing, and with the size. */
  get: read([index], ({ items }, [index]) => [items.at(index) ?? null, items.length] as const),
  slice: read([start, end], ({ items }, [start, end]): ReadonlyArray<Cell> => items.slice(start, end)),
  /** Replies with the first position of a value in a slice, or with nothing. */
  indexOf: read([value, start, end], (state, [item, start, end]): readonly [] | readonly [number] => {
    const position = search(state, item, ...boundsOf(state, start, end))
    return position < 0 ? [] : [position]
  }),
  count: read(
    [value],
    ({ items }, [value]) => [items.reduce((sum, item) => isEqual(item, value) ? sum + 1 : sum, 0)] as const
  ),
  /** Replaces a slice by the values that follow; replies with the size. Appends, inserts and removals are splices. */
  splice: change({
    parameters: [start, end],
    rest: [value],
    decide: (state, [start, end, ...values]) => {
      const [from, to] = boundsOf(state, start, end)
      return from === to && values.length === 0 ? answer(state.items.length) : ready
    },
    apply: (state, [start, end, ...values], at) => {
      // The parameters have recognised each of them as a value.
      splice(state, ...boundsOf(state, start, end), values as ReadonlyArray<Argument> as ReadonlyArray<Cell>, at)
      return [state.items.length] as const
    }
  }),
  set: change({
    parameters: [index, value],
    decide: (state, [index]) => outOfRange(state, index) ?? ready,
    apply: (state, [index, next], at) => {
      put(state, index, next, at)
      return []
    }
  }),
  /** Removes the item at an index and replies with it. */
  removeAt: change({
    parameters: [index],
    decide: (state, [index]) => outOfRange(state, index) ?? ready,
    apply: (state, [index], at) => [takeOut(state, positionOf(state, index), at)] as const
  }),
  /** Removes the first equal item; replies with 1, or with 0 if there is none. */
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
      state.version = at.index
      at.changed(["reverse"])
      return []
    }
  }),
  /** Sorts the items: 0 ascending, 1 descending. */
  sort: change({
    parameters: [count],
    decide: ({ items, order }) => order === "" ? refuse("NotOrdered") : items.length > 1 ? ready : answer(),
    apply: (state, [descending], at) => {
      sort(state, descending > 0)
      state.version = at.index
      at.changed(["sort", descending])
      return []
    }
  }),
  ...Reservation.operations({
    key: index,
    expected: value,
    next: value,
    absent: outOfRange,
    find: ({ items }: State, index): readonly [item: Cell] => [items.at(index)!],
    isExpected: ({ items }, index, expected) => isEqual(items.at(index)!, expected),
    replace: put
  }),
  ...Scan.operations<State>(({ items }) => items, 1)
}

/** The kind behind `SharedList`. */
export const list = kindOf<State>()({
  name: "List",
  lanes: ["conditions", "reservations"],
  /** An `Order`. */
  options: { order: word },
  operations,
  initial: ({ order }, values): State | Refusal<"InvalidOptions"> =>
    order === "" || Object.hasOwn(keys, order)
      ? { items: [...values], version: 0, order: order as Order, reservation: undefined, scans: new Map() }
      : refuse("InvalidOptions", `there is no order ${order}`),
  pristine: ({ items, reservation, scans }) => items.length === 0 && reservation === undefined && scans.size === 0,
  revoke: (state, grant, _, at) => {
    Reservation.revoke(state, grant)
    Scan.revoke(state, grant, at)
  },
  snapshot: ({ items }) => [...items],
  values: (state) => [...state.items, ...Scan.values(state)],
  version: 2,
  format: Format.struct<State>({
    items: Format.list(Format.cell),
    version: Format.count,
    order: Format.literal("", "number", "bigint", "string"),
    ...Reservation.fields,
    ...Scan.fields
  }),
  check: (state, grants) => [
    ...Reservation.check(state, Scan.others(state, grants)),
    ...Scan.check(state, grants)
  ]
})
