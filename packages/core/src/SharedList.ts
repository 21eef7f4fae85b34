/**
 * A shared list: Python's `list`, with atomic methods, batch methods, and a stream over a consistent copy of its items.
 *
 * Indexes count from 0; a negative index counts from the end, so -1 is the last item. Slice bounds outside of the list
 * are clamped to its ends. Two items are equal when their canonical encodings are (S-25).
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
import { type Argument, type Cell, cell, isEqual } from "./engine/Value.ts"
import { InvalidRequest, ManagerError } from "./ManagerError.ts"
import { IndexOutOfRange, theEnd, whenOutOfRange, whole } from "./proxy/bounds.ts"
import { all, encoded } from "./proxy/exits.ts"
import type { IsExactly } from "./proxy/Field.ts"
import { first } from "./proxy/first.ts"
import { appendItem, replaceItems, transactionItems } from "./proxy/listTransaction.ts"
import type { Manager } from "./proxy/Manager.ts"
import { type Current, type Entry, modify } from "./proxy/modify.ts"
import { pages } from "./proxy/pages.ts"
import type { Refusals, Remote } from "./proxy/Remote.ts"
import * as Shared from "./proxy/Shared.ts"
import type { Transaction } from "./proxy/TransactionLog.ts"
import * as ValueCodec from "./proxy/ValueCodec.ts"

export { IndexOutOfRange } from "./proxy/bounds.ts"

/** An element of `changes`: a snapshot, or the effect of one call. */
export type ListChange<A> =
  /** All items. The first element of the stream, and again whenever the reader has fallen behind. */
  | { readonly _tag: "Snapshot"; readonly items: ReadonlyArray<A> }
  /** `removed` items from index `start` on were replaced by `items`. */
  | { readonly _tag: "Spliced"; readonly start: number; readonly removed: number; readonly items: ReadonlyArray<A> }
  | { readonly _tag: "Reversed" }
  | { readonly _tag: "Sorted"; readonly descending: boolean }

/**
 * A shared list. Every method is one atomic step of the manager: no other process sees a part of it.
 *
 * Every method but `modifyAt`, `stream`, `changes` and `until` is one call, which never waits for other processes.
 * **Cancellation** An interrupted change took effect once or not at all. **On disconnect** `ManagerError`, whose reason
 * says whether it took effect.
 */
export interface SharedList<in out A> extends Shared.Shared {
  /** Returns the number of items. */
  readonly size: Effect.Effect<number, ManagerError>
  /** Returns the item at an index, or `None` if the index is out of range. */
  readonly get: (index: number) => Effect.Effect<Option.Option<A>, ManagerError>
  /** Returns all items as one atomic copy, in one reply. Use `stream` for more than a frame holds. */
  readonly toArray: Effect.Effect<Array<A>, ManagerError>
  /** Returns the items from `start` up to, but not including, `end`, as one atomic copy. Default `end`: the size. */
  readonly slice: (start: number, end?: number) => Effect.Effect<Array<A>, ManagerError>
  /**
   * Streams all items of the moment at which the stream begins; later changes are not seen. Each page of
   * 192 KiB is requested when it is pulled. Until the stream ends, the manager keeps the items of the remaining
   * pages.
   *
   * **Fairness** A slow reader delays nobody. **Cancellation** Interruptible; the manager then drops the remaining
   * pages. **On disconnect** The stream fails with `ManagerError`.
   */
  readonly stream: Stream.Stream<A, ManagerError>
  /** Returns the index of the first item equal to a value, between `start` and `end` if they are given, or `None`. */
  readonly indexOf: (value: A, start?: number, end?: number) => Effect.Effect<Option.Option<number>, ManagerError>
  /** Whether an item equals a value. */
  readonly includes: (value: A) => Effect.Effect<boolean, ManagerError>
  /** Returns how many items equal a value. */
  readonly count: (value: A) => Effect.Effect<number, ManagerError>

  /** Adds an item at the end, and returns the new size. */
  readonly append: (value: A) => Effect.Effect<number, ManagerError>
  /** Adds items at the end in one step, and returns the new size. */
  readonly appendAll: (values: Iterable<A>) => Effect.Effect<number, ManagerError>
  /** Inserts an item before the one at an index. An index outside of the list is clamped to its ends. */
  readonly insert: (index: number, value: A) => Effect.Effect<void, ManagerError>
  /** Replaces the item at an index. */
  readonly set: (index: number, value: A) => Effect.Effect<void, IndexOutOfRange | ManagerError>
  /** Replaces the items from `start` up to, but not including, `end` by any number of others, in one step. */
  readonly replaceSlice: (start: number, end: number, values: Iterable<A>) => Effect.Effect<void, ManagerError>
  /**
   * Removes the last item and returns it, or `None` if the list is empty. The item is lost if the caller is interrupted
   * before the reply; use a `SharedQueue` for items that must not be lost.
   */
  readonly pop: Effect.Effect<Option.Option<A>, ManagerError>
  /** Removes the item at an index and returns it. The item is lost if the caller is interrupted before the reply. */
  readonly removeAt: (index: number) => Effect.Effect<A, IndexOutOfRange | ManagerError>
  /** Removes the first item that equals a value, and returns whether there was one. */
  readonly remove: (value: A) => Effect.Effect<boolean, ManagerError>
  /** Removes the items from `start` up to, but not including, `end`. Default `end`: the size. */
  readonly removeSlice: (start: number, end?: number) => Effect.Effect<void, ManagerError>
  /** Removes all items. */
  readonly clear: Effect.Effect<void, ManagerError>
  /** Reverses the order of the items. */
  readonly reverse: Effect.Effect<void, ManagerError>
  /**
   * Replaces the item at an index by the second part of `f`'s result, and returns the first part. `f` must be pure: it
   * runs again after a conflict, that is when the item at the index no longer equals the one `f` was given (S-28).
   *
   * **Fairness** After its first conflict an updater waits, in FIFO order, for a reservation of the whole list.
   * **Cancellation** Interruptible at any point; the item was then replaced once or not at all. **On disconnect**
   * `ManagerError`, whose reason says which.
   */
  readonly modifyAt: <B>(
    index: number,
    f: (current: A) => readonly [B, A]
  ) => Effect.Effect<B, IndexOutOfRange | ManagerError>

  /**
   * Streams a snapshot, then every change in order. A reader that falls more than `watchCredit` changes behind gets a
   * new snapshot instead of the changes it missed (S-29).
   *
   * **Fairness** A slow reader delays nobody. **Cancellation** Interruptible; the subscription ends. **On disconnect**
   * The stream fails with `ManagerError`.
   */
  readonly changes: Stream.Stream<ListChange<A>, ManagerError>
  /**
   * Waits until the items satisfy the predicate, and returns them. The predicate runs in this process, on one array
   * that is updated in place: it must not keep the array.
   *
   * **Fairness** A waiter delays nobody. **Cancellation** Interruptible; the subscription ends. **On disconnect**
   * `ManagerError`.
   */
  readonly until: (is: Predicate.Predicate<ReadonlyArray<A>>) => Effect.Effect<ReadonlyArray<A>, ManagerError>
  /** The list in a transaction (`Transaction.tx`), the only place where this compiles. */
  readonly tx: TransactionList<A>
}

/** A list that the manager can sort: numbers and bigints by size (`NaN` first), strings by code unit. */
export interface OrderedList<in out A> extends SharedList<A> {
  /** Sorts the items in ascending order, in one step. */
  readonly sort: Effect.Effect<void, ManagerError>
  /** Sorts the items in descending order, in one step. */
  readonly sortDescending: Effect.Effect<void, ManagerError>
}

/** The list of an item schema: an `OrderedList` if its type and encoding are exactly `number`, `bigint` or `string`. */
export type ListOf<S extends Schema.Constraint> = true extends
  IsExactly<S, number> | IsExactly<S, bigint> | IsExactly<S, string> ? OrderedList<S["Type"]>
  : SharedList<S["Type"]>

/** A list in a transaction: what is changed takes effect when the transaction commits. The first read reads all items. */
export interface TransactionList<in out A> {
  /** Returns all items, as this transaction has left them. */
  readonly toArray: Effect.Effect<Array<A>, ManagerError, Transaction>
  /** Returns the number of items. */
  readonly size: Effect.Effect<number, ManagerError, Transaction>
  /** Returns the item at an index, or `None` if the index is out of range. */
  readonly get: (index: number) => Effect.Effect<Option.Option<A>, ManagerError, Transaction>
  /** Adds an item at the end. Reads nothing. */
  readonly append: (value: A) => Effect.Effect<void, ManagerError, Transaction>
  /** Replaces the item at an index. */
  readonly set: (index: number, value: A) => Effect.Effect<void, IndexOutOfRange | ManagerError, Transaction>
  /** Removes the item at an index, and returns it. */
  readonly removeAt: (index: number) => Effect.Effect<A, IndexOutOfRange | ManagerError, Transaction>
}

/** Options of a list. All programs that open a name must agree on `item`. */
export interface Options<S extends Schema.Top> {
  /** The schema of the items. */
  readonly item: S
  /** The items of a new list. Default none. Ignored when the name exists (S-27). */
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
  values: { schemas: [item], codecs: ValueCodec.make(item) },
  // Every list has `sort`; the type `ListOf` shows it where the items have an order.
  proxy: (remote, codec) => proxy<S["Type"]>(remote, codec) as unknown as ListOf<S> & Shared.Shared
})

const creation = <S extends Schema.Top>(
  { initial = [], item }: Options<S>
): Shared.Creation<typeof list, Codec<S>> => ({
  options: { order: orderOf(item) },
  initial: (codec) => all(Array.from(initial, codec.encodeCanonical))
})

/**
 * Declares a named list as a service:
 * `class Log extends SharedList.Service<Log>()("app/Log", { item: Schema.String }) {}`.
 */
export const Service = <Self>() => <const Id extends string, S extends Schema.Top>(id: Id, options: Options<S>) =>
  Shared.service<Self>()(id, facade(options.item), creation(options))

/** Opens a named list, or makes an unnamed one, for the life of the scope. */
export const make = <S extends Schema.Top>(
  options: Options<S> & { readonly name?: string | undefined }
): Effect.Effect<ListOf<S>, Shared.OpenError, Manager | Scope.Scope | Services<S>> =>
  Shared.open(facade(options.item), creation(options), options.name)

/**
 * The schema of a list's handle, for lists inside payloads, items and values. Takes the options of `make`,
 * or the schema in them.
 */
export const schema: {
  <S extends Schema.Top>(item: S): Shared.HandleSchema<ListOf<S>, Services<S>>
  <S extends Schema.Top>(
    options: Shared.SchemaOptions<Options<S>, "item">
  ): Shared.HandleSchema<ListOf<S>, Services<S>>
} = <S extends Schema.Top>(given: S | Shared.SchemaOptions<Options<S>, "item">) =>
  Shared.handleSchema(facade(Schema.isSchema(given) ? given : given.item))

/** Whether a value is a `SharedList`. */
export const isSharedList = (u: unknown): u is SharedList<unknown> => Shared.isShared(kind)(u)

// internals

/** The item order that the manager is given as an option: see `engine/kinds/list.ts`. */
const orderOf = (item: Schema.Top): string => {
  const [type, encoded] = [Schema.toType(item), Schema.toEncoded(item)].map(
    ({ ast }) => SchemaRepresentation.toRepresentation(ast).representation._tag
  )
  return type === encoded ? orders[type!] ?? "" : ""
}

const orders: Readonly<Record<string, string>> = { Number: "number", BigInt: "bigint", String: "string" }

const whenNotOrdered: Refusals<"NotOrdered", ManagerError> = {
  NotOrdered: (_, object) => {
    const issue = "its item schema is not exactly a number, bigint or string, in type and encoding"
    return new ManagerError({ reason: new InvalidRequest({ object, operation: "sort", issue }) })
  }
}

const proxy = <A>(remote: ListRemote, codec: ValueCodec.ValueCodec<A>): SharedList<A> & OrderedList<A> => {
  const decode = (operation: string, parts: ReadonlyArray<Argument>) => decodeAll(remote, operation, codec, parts)
  const encode = (operation: string, value: A) => remote.encodeCanonical(operation, codec, value)
  const slice = (operation: string, start: number, end = theEnd) =>
    remote.call("slice", [whole(start), whole(end)], (cells) => decode(operation, cells))
  const splice = (operation: string, start: number, end: number, values: Iterable<A>) =>
    encoded(
      () => all(Array.from(values, (value) => encode(operation, value))),
      (cells) => remote.call("splice", [whole(start), whole(end), ...cells], ([size]) => Exit.succeed(size))
    )
  const indexOf = (operation: string, value: A, start = 0, end = theEnd) =>
    encoded(() => encode(operation, value), (cell) =>
      remote.call(
        "indexOf",
        [cell, whole(start), whole(end)],
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
    // Made when it is read: most handles are not used in a transaction.
    get tx() {
      return transactional(remote, codec)
    },
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
      first(
        remote,
        Stream.mapAccum(changes, (): Array<A> => [], (items, change) => {
          apply(items, change)
          return [items, is(items) ? [[...items]] : []]
        })
      ),
    sort: sort(0),
    sortDescending: sort(1)
  }
}

/** An item as a compare-and-set expects it: its content, which bears no handles. */
const contentOf = (item: Cell): Cell => item.text === undefined ? item : cell(item.text)

/** The item at an index, for `modify`. Its version is its content: equal items have equal content. */
const entry = <A>(
  remote: ListRemote,
  codec: ValueCodec.ValueCodec<A>,
  index: number
): Entry<A, IndexOutOfRange | ManagerError, number, Cell, Cell, readonly [item: Cell]> => {
  const current = (item: Cell): Exit.Exit<Current<A, Cell>, IndexOutOfRange | ManagerError> =>
    Exit.map(remote.decode("modifyAt", codec, item), (value) => ({ value, expected: contentOf(item) }))
  return {
    remote,
    key: index,
    get: remote.call("get", [index], ([item, size]) =>
      item === null
        ? Exit.fail(new IndexOutOfRange({ object: remote.target.description, index, size }))
        : current(item)),
    encode: (value) => remote.encodeCanonical("modifyAt", codec, value),
    decode: ([item]) => current(item),
    isSame: isEqual,
    refusals: whenOutOfRange(index)
  }
}

const decodeAll = <A>(
  remote: ListRemote,
  operation: string,
  codec: ValueCodec.ValueCodec<A>,
  parts: ReadonlyArray<Argument>
): Exit.Exit<Array<A>, ManagerError> =>
  // A list that replies with several values replies with items only.
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

/** Applies a change of the list to a copy of its items. */
const apply = <A>(items: Array<A>, change: ListChange<A>): void => {
  if (change._tag === "Reversed") items.reverse()
  else if (change._tag === "Sorted") items.sort((a, b) => change.descending ? compare(b, a) : compare(a, b))
  else {
    const { removed, start } = change._tag === "Snapshot" ? { start: 0, removed: items.length } : change
    const tail = items.splice(start).slice(removed)
    // One by one: `push(...items)` fails for more items than a call may have arguments.
    for (const item of change.items) items.push(item)
    for (const item of tail) items.push(item)
  }
}

/** The manager's order of items (`engine/kinds/list.ts`): `NaN` comes first. */
const compare = (a: unknown, b: unknown): number => {
  const [left, right] = [a as number, b as number]
  return left < right ? -1 : left > right ? 1 : Number(right !== right) - Number(left !== left)
}

const transactional = <A>(remote: ListRemote, codec: ValueCodec.ValueCodec<A>): TransactionList<A> => {
  const items = transactionItems(remote)
  const at = (index: number) =>
    Effect.flatMap(items, (items): Effect.Effect<readonly [ReadonlyArray<Cell>, number], IndexOutOfRange> => {
      const position = index < 0 ? items.length + index : index
      return items[position] === undefined
        ? Effect.fail(new IndexOutOfRange({ object: remote.target.description, index, size: items.length }))
        : Effect.succeed([items, position])
    })
  const encode = (value: A) => remote.encodeCanonical("tx", codec, value)
  return {
    toArray: Effect.flatMap(items, (items) => decodeAll(remote, "tx", codec, items)),
    size: Effect.map(items, ({ length }) => length),
    get: (index) =>
      Effect.flatMap(items, (items) => {
        const item = items.at(index)
        return item === undefined
          ? Exit.succeed(Option.none())
          : Exit.map(remote.decode("tx", codec, item), Option.some)
      }),
    append: (value) => encoded(() => encode(value), (item) => appendItem(remote, item)),
    set: (index, value) =>
      encoded(
        () => encode(value),
        (item) => Effect.flatMap(at(index), ([items, position]) => replaceItems(remote, items.with(position, item)))
      ),
    removeAt: (index) =>
      Effect.flatMap(at(index), ([items, position]) =>
        Effect.andThen(
          replaceItems(remote, items.toSpliced(position, 1)),
          remote.decode("tx", codec, items[position]!)
        ))
  }
}
