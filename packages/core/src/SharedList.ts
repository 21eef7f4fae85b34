/**
 * A list between processes: Python's `list`, with every step atomic, batches for what would be many calls, and a
 * stream over its items of one instant.
 *
 * Indexes count from 0, and below 0 from the end: -1 is the last item. Bounds of slices outside of the list mean its
 * ends. Items are equal when their encodings are (S-25).
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaRepresentation from "effect/SchemaRepresentation"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { list } from "./engine/kinds/list.ts"
import { type Argument, type Cell, cell } from "./engine/Value.ts"
import { InvalidRequest, ManagerError } from "./ManagerError.ts"
import { IndexOutOfRange, theEnd, whenOutOfRange, whole } from "./proxy/bounds.ts"
import { all, encoded } from "./proxy/exits.ts"
import { first } from "./proxy/first.ts"
import type { Manager } from "./proxy/Manager.ts"
import { type Current, type Entry, modify } from "./proxy/modify.ts"
import { pages } from "./proxy/pages.ts"
import type { Refusals, Remote } from "./proxy/Remote.ts"
import * as Shared from "./proxy/Shared.ts"
import * as ValueCodec from "./proxy/ValueCodec.ts"

export { IndexOutOfRange } from "./proxy/bounds.ts"

/** What happened to a list. */
export type ListChange<A> =
  /** All items: first, and whenever the reader had fallen behind. */
  | { readonly _tag: "Snapshot"; readonly items: ReadonlyArray<A> }
  /** From `start` on, `removed` items were replaced by `items`. */
  | { readonly _tag: "Spliced"; readonly start: number; readonly removed: number; readonly items: ReadonlyArray<A> }
  | { readonly _tag: "Reversed" }
  | { readonly _tag: "Sorted"; readonly descending: boolean }

/** A list between processes. Each method is one step of the manager: nobody sees a part of it. */
export interface SharedList<in out A> extends Shared.Shared {
  readonly size: Effect.Effect<number, ManagerError>
  readonly get: (index: number) => Effect.Effect<Option.Option<A>, ManagerError>
  /** All items, of one instant, in one reply; `stream` for more than a frame holds. */
  readonly toArray: Effect.Effect<Array<A>, ManagerError>
  /** The items from `start` to before `end`, of one instant. Default `end`: to the end. */
  readonly slice: (start: number, end?: number) => Effect.Effect<Array<A>, ManagerError>
  /**
   * All items, of the instant at which the stream begins, whatever changes meanwhile. Pages are asked for as they are
   * pulled; until the stream ends, the manager keeps the references to what they will hold.
   *
   * **Cancellation** Interruptible; the manager then forgets the rest. **On disconnect** `ManagerError`.
   */
  readonly stream: Stream.Stream<A, ManagerError>
  /** The first position of a value, between two bounds if they are given. */
  readonly indexOf: (value: A, start?: number, end?: number) => Effect.Effect<Option.Option<number>, ManagerError>
  readonly includes: (value: A) => Effect.Effect<boolean, ManagerError>
  /** How many items are equal to a value. */
  readonly count: (value: A) => Effect.Effect<number, ManagerError>

  /** Adds an item at the end; answers the new size. */
  readonly append: (value: A) => Effect.Effect<number, ManagerError>
  /** Adds items at the end in one step; answers the new size. */
  readonly appendAll: (values: Iterable<A>) => Effect.Effect<number, ManagerError>
  /** Adds an item before the one at an index; outside of the list: at its end, or its start. */
  readonly insert: (index: number, value: A) => Effect.Effect<void, ManagerError>
  readonly set: (index: number, value: A) => Effect.Effect<void, IndexOutOfRange | ManagerError>
  /** Replaces the items from `start` to before `end` by any number of others, in one step. */
  readonly replaceSlice: (start: number, end: number, values: Iterable<A>) => Effect.Effect<void, ManagerError>
  /** Removes the last item and answers it. What must not be lost belongs into a `SharedQueue`. */
  readonly pop: Effect.Effect<Option.Option<A>, ManagerError>
  /** Removes an item and answers it. */
  readonly removeAt: (index: number) => Effect.Effect<A, IndexOutOfRange | ManagerError>
  /** Removes the first item that is equal to a value; whether there was one. */
  readonly remove: (value: A) => Effect.Effect<boolean, ManagerError>
  /** Removes the items from `start` to before `end`. Default `end`: to the end. */
  readonly removeSlice: (start: number, end?: number) => Effect.Effect<void, ManagerError>
  readonly clear: Effect.Effect<void, ManagerError>
  readonly reverse: Effect.Effect<void, ManagerError>
  /**
   * Replaces the item at an index by what `f` makes of it, and answers what `f` answers. `f` is pure and may run again:
   * what counts is that the item there is still equal to the one that `f` was given (S-28).
   *
   * **Fairness** From its first conflict on an updater waits for a reservation of the list, first come first served.
   * **Cancellation** Interruptible at any point; then the item was replaced once or not at all. **On disconnect**
   * `ManagerError`, whose reason says which.
   */
  readonly modifyAt: <B>(
    index: number,
    f: (current: A) => readonly [B, A]
  ) => Effect.Effect<B, IndexOutOfRange | ManagerError>

  /** A snapshot, then every change in order; a reader that falls behind gets a new snapshot (S-29). */
  readonly changes: Stream.Stream<ListChange<A>, ManagerError>
  /**
   * Waits until the items satisfy the predicate, and answers them. The predicate must not keep the array, which changes
   * with the list.
   *
   * **Cancellation** Interruptible. **On disconnect** `ManagerError`.
   */
  readonly until: (is: Predicate.Predicate<ReadonlyArray<A>>) => Effect.Effect<ReadonlyArray<A>, ManagerError>
}

/** A list whose items the manager can sort: numbers and bigints by size (`NaN` first), strings by code unit. */
export interface OrderedList<in out A> extends SharedList<A> {
  readonly sort: Effect.Effect<void, ManagerError>
  readonly sortDescending: Effect.Effect<void, ManagerError>
}

/** Whether a schema is exactly of a type, on the wire too. */
type IsExactly<S extends Schema.Constraint, T> = [S["Type"], T, S["Encoded"], T] extends [T, S["Type"], T, S["Encoded"]]
  ? true
  : false

/** The list of an item schema: ordered if it is exactly a number, a bigint or a string, in type and on the wire. */
export type ListOf<S extends Schema.Constraint> = true extends
  IsExactly<S, number> | IsExactly<S, bigint> | IsExactly<S, string> ? OrderedList<S["Type"]>
  : SharedList<S["Type"]>

/** What a list is made with. */
export interface Options<S extends Schema.Top> {
  readonly item: S
  /** The first items. Default none. Whoever opens the name first sets them; later ones are not compared (S-27). */
  readonly initial?: Iterable<S["Type"]> | undefined
}

const kind = "List"

type Services<S extends Schema.Top> = S["DecodingServices"] | S["EncodingServices"]

type Codec<S extends Schema.Top> = ValueCodec.ValueCodec<S["Type"]>

type ListRemote = Remote<typeof list>

const facade = <S extends Schema.Top>(
  item: S
): Shared.Facade<ListOf<S> & Shared.Shared, typeof list, Codec<S>, Services<S>> => ({
  kind,
  values: { fingerprint: ValueCodec.fingerprint(item), codecs: ValueCodec.make(item) },
  // Every list has `sort`; `ListOf` shows it where the items have an order.
  proxy: (remote, codec) => proxy<S["Type"]>(remote, codec) as unknown as ListOf<S> & Shared.Shared
})

const creation = <S extends Schema.Top>(
  { initial = [], item }: Options<S>
): Shared.Creation<typeof list, Codec<S>> => ({
  options: { order: orderOf(item) },
  initial: (codec) => all(Array.from(initial, codec.encodeCanonical))
})

/** Names a list as a service: `class Log extends SharedList.Service<Log>()("app/Log", { item: Schema.String }) {}`. */
export const Service = <Self>() => <const Id extends string, S extends Schema.Top>(id: Id, options: Options<S>) =>
  Shared.service<Self>()(id, facade(options.item), creation(options))

/** Opens a list by name, or makes one without a name, for the life of the scope. */
export const make = <S extends Schema.Top>(
  options: Options<S> & { readonly name?: string | undefined }
): Effect.Effect<ListOf<S>, Shared.OpenError, Manager | Scope.Scope | Services<S>> =>
  Shared.open(facade(options.item), creation(options), options.name)

/** A list's handle as a value. */
export const schema = <S extends Schema.Top>(item: S): Shared.HandleSchema<ListOf<S>, Services<S>> =>
  Shared.handleSchema(facade(item))

/** Whether something is a list. */
export const isSharedList = (u: unknown): u is SharedList<unknown> => Shared.isShared(kind)(u)

// internals

/** What the manager is told of an item schema: see `engine/kinds/list.ts`. */
const orderOf = (item: Schema.Top): string => {
  const [type, encoded] = [Schema.toType(item), Schema.toEncoded(item)].map(
    ({ ast }) => SchemaRepresentation.toRepresentation(ast).representation._tag
  )
  return type === encoded ? orders[type!] ?? "" : ""
}

const orders: Readonly<Record<string, string>> = { Number: "number", BigInt: "bigint", String: "string" }

const whenNotOrdered: Refusals<"NotOrdered", ManagerError> = {
  NotOrdered: (_, object) => {
    const issue = "its items are no plain numbers, bigints or strings, in type and on the wire"
    return new ManagerError({ reason: new InvalidRequest({ object, operation: "sort", issue }) })
  }
}

const proxy = <A>(remote: ListRemote, codec: ValueCodec.ValueCodec<A>): SharedList<A> & OrderedList<A> => {
  const decode = (operation: string, parts: ReadonlyArray<Argument>) => decodeAll(remote, operation, codec, parts)
  const encode = (operation: string, value: A) => remote.encodeCanonical(operation, codec, value)
  const slice = (operation: string, start: number, end = theEnd) =>
    remote.call("slice", [start, whole(end)], (cells) => decode(operation, cells))
  const splice = (operation: string, start: number, end: number, values: Iterable<A>) =>
    encoded(
      () => all(Array.from(values, (value) => encode(operation, value))),
      (cells) => remote.call("splice", [whole(start), whole(end), ...cells], ([size]) => Exit.succeed(size))
    )
  const indexOf = (operation: string, value: A, start = 0, end = theEnd) =>
    encoded(() => encode(operation, value), (cell) =>
      remote.call(
        "indexOf",
        [cell, start, whole(end)],
        ([position]) => Exit.succeed(Option.fromUndefinedOr(position))
      ))
  const removeAt = (operation: string, index: number) =>
    remote.call("removeAt", [index], ([cell]) => remote.decode(operation, codec, cell), whenOutOfRange(index))
  const sort = (descending: number) => remote.call("sort", [descending], () => Exit.void, whenNotOrdered)
  const changes = Stream.mapEffect(
    remote.notifications,
    ({ event, parts }) =>
      event === "change"
        ? changed(remote, codec, parts)
        : Exit.map(decode("changes", parts), (items): ListChange<A> => ({ _tag: "Snapshot", items }))
  )

  return {
    [Shared.TypeId]: remote,
    size: remote.call("size", [], ([size]) => Exit.succeed(size)),
    get: (index) =>
      remote.call(
        "get",
        [index],
        ([cell]) =>
          cell === null ? Exit.succeed(Option.none()) : Exit.map(remote.decode("get", codec, cell), Option.some)
      ),
    toArray: slice("toArray", 0),
    slice: (start, end) => slice("slice", start, end),
    stream: pages(remote, (cells) => decode("stream", cells)),
    indexOf: (value, start, end) => indexOf("indexOf", value, start, end),
    includes: (value) => Effect.map(indexOf("includes", value), Option.isSome),
    count: (value) =>
      encoded(() => encode("count", value), (cell) => remote.call("count", [cell], ([count]) => Exit.succeed(count))),
    append: (value) => splice("append", theEnd, theEnd, [value]),
    appendAll: (values) => splice("appendAll", theEnd, theEnd, values),
    insert: (index, value) => Effect.asVoid(splice("insert", index, index, [value])),
    set: (index, value) =>
      encoded(
        () => encode("set", value),
        (cell) => remote.call("set", [index, cell], () => Exit.void, whenOutOfRange(index))
      ),
    replaceSlice: (start, end, values) => Effect.asVoid(splice("replaceSlice", start, end, values)),
    pop: removeAt("pop", -1).pipe(
      Effect.map(Option.some),
      Effect.catchTag("IndexOutOfRange", () => Effect.succeedNone)
    ),
    removeAt: (index) => removeAt("removeAt", index),
    remove: (value) =>
      encoded(
        () => encode("remove", value),
        (cell) => remote.call("remove", [cell], ([done]) => Exit.succeed(done === 1))
      ),
    removeSlice: (start, end = theEnd) => Effect.asVoid(splice("removeSlice", start, end, [])),
    clear: Effect.asVoid(splice("clear", 0, theEnd, [])),
    reverse: remote.call("reverse", [], () => Exit.void),
    modifyAt: (index, f) => modify(entry(remote, codec, index), f),
    changes,
    until: (is) =>
      first(Stream.mapAccum(changes, (): Array<A> => [], (items, change) => {
        apply(items, change)
        return [items, is(items) ? [[...items]] : []]
      })),
    sort: sort(0),
    sortDescending: sort(1)
  }
}

/** The item at an index, to be modified: a compare-and-set compares the item itself, for equal items are equal text. */
const entry = <A>(
  remote: ListRemote,
  codec: ValueCodec.ValueCodec<A>,
  index: number
): Entry<A, IndexOutOfRange | ManagerError, number, Cell, Cell, readonly [item: Cell]> => {
  const current = (item: Cell): Exit.Exit<Current<A, Cell>, IndexOutOfRange | ManagerError> =>
    Exit.map(remote.decode("modifyAt", codec, item), (value) => ({ value, expected: cell(item.text) }))
  return {
    remote,
    key: index,
    get: remote.call("get", [index], ([item, size]) =>
      item === null
        ? Exit.fail(new IndexOutOfRange({ object: remote.target.description, index, size }))
        : current(item)),
    encode: (value) => remote.encodeCanonical("modifyAt", codec, value),
    decode: ([item]) => current(item),
    isSame: (left, right) => left.text === right.text,
    refusals: whenOutOfRange(index)
  }
}

const decodeAll = <A>(
  remote: ListRemote,
  operation: string,
  codec: ValueCodec.ValueCodec<A>,
  parts: ReadonlyArray<Argument>
): Exit.Exit<Array<A>, ManagerError> =>
  // A list says nothing but items where it says several.
  Exit.map(all(parts.map((part) => remote.decode(operation, codec, part as Cell))), (items) => [...items])

const changed = <A>(
  remote: ListRemote,
  codec: ValueCodec.ValueCodec<A>,
  [what, ...parts]: ReadonlyArray<Argument>
): Exit.Exit<ListChange<A>, ManagerError> => {
  if (what === "reverse") return Exit.succeed({ _tag: "Reversed" })
  if (what === "sort") return Exit.succeed({ _tag: "Sorted", descending: parts[0] !== 0 })
  const [start, removed, ...cells] = parts
  return Exit.map(
    decodeAll(remote, "changes", codec, cells),
    (items) => ({ _tag: "Spliced", start: Number(start), removed: Number(removed), items })
  )
}

/** Does to a copy of the items what was done to the list. */
const apply = <A>(items: Array<A>, change: ListChange<A>): void => {
  if (change._tag === "Reversed") items.reverse()
  else if (change._tag === "Sorted") items.sort((a, b) => change.descending ? compare(b, a) : compare(a, b))
  else {
    const { removed, start } = change._tag === "Snapshot" ? { start: 0, removed: items.length } : change
    const tail = items.splice(start).slice(removed)
    // One by one: a call takes fewer arguments than there may be items.
    for (const item of change.items) items.push(item)
    for (const item of tail) items.push(item)
  }
}

/** The order of the manager (`engine/kinds/list.ts`), of items that have one: not-a-number before all. */
const compare = (a: unknown, b: unknown): number => {
  const [left, right] = [a as number, b as number]
  return left < right ? -1 : left > right ? 1 : Number(right !== right) - Number(left !== left)
}
