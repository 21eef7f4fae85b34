/**
 * A shared map: Python's `dict`, or a `HashMap` in a `SubscriptionRef` whose entries change one by one or several in
 * one step. Entries are in the order of their first insertion. The manager itself can add to number values (S-25).
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { map } from "./engine/kinds/record.ts"
import { type Argument, type Cell, cell } from "./engine/Value.ts"
import type { ManagerError } from "./ManagerError.ts"
import { all, both, encoded } from "./proxy/exits.ts"
import * as Field from "./proxy/Field.ts"
import { first } from "./proxy/first.ts"
import type { Manager } from "./proxy/Manager.ts"
import { modify } from "./proxy/modify.ts"
import { pages } from "./proxy/pages.ts"
import { optionalCodec } from "./proxy/record.ts"
import { readEntries, transactionWords, writeEntry } from "./proxy/recordTransaction.ts"
import type { Remote } from "./proxy/Remote.ts"
import * as Shared from "./proxy/Shared.ts"
import type { Transaction } from "./proxy/TransactionLog.ts"
import * as ValueCodec from "./proxy/ValueCodec.ts"

/** An element of `changes`: a snapshot, or the effect of one call. */
export type MapChange<K, V> =
  /** All entries. The first element of the stream, and again whenever the reader has fallen behind. */
  | { readonly _tag: "Snapshot"; readonly entries: ReadonlyArray<readonly [K, V]> }
  | { readonly _tag: "Set"; readonly entries: ReadonlyArray<readonly [K, V]> }
  | { readonly _tag: "Removed"; readonly keys: ReadonlyArray<K> }
  | { readonly _tag: "Cleared" }

/**
 * A shared map. Two keys are equal when their encodings are.
 *
 * Every method but `modify`, `stream`, `changes` and the `until…` methods is one call, which never waits for other
 * processes. **Cancellation** An interrupted change took effect once or not at all. **On disconnect** `ManagerError`,
 * whose reason says whether it took effect.
 */
export interface SharedMap<in out K, in out V> extends Shared.Shared {
  /** Returns the value of a key, or `None`. */
  readonly get: (key: K) => Effect.Effect<Option.Option<V>, ManagerError>
  /** Whether a key has an entry. */
  readonly has: (key: K) => Effect.Effect<boolean, ManagerError>
  /** Sets the value of a key. */
  readonly set: (key: K, value: V) => Effect.Effect<void, ManagerError>
  /** Sets several entries in one step: no other process sees a part of them. For a repeated key the last entry wins. */
  readonly setAll: (entries: Iterable<readonly [K, V]>) => Effect.Effect<void, ManagerError>
  /** Sets the entry if the key has none, and returns the value that the key has then. */
  readonly getOrSet: (key: K, value: V) => Effect.Effect<V, ManagerError>
  /**
   * Sets the value of a key for the life of the scope: the entry is removed when the scope ends, or when the process dies
   * or is disconnected.
   *
   * Other programs may change the value: the entry still ends with the scope. If one removes the entry, or holds the key
   * after this call, the end of the scope removes nothing: the last holder owns the entry. So a key that only one process
   * may have needs a lock besides.
   *
   * **Fairness** Never waits. **Cancellation** Interruptible; then there is no entry. **On disconnect** `ManagerError`;
   * the entry is removed if it was set.
   */
  readonly hold: (key: K, value: V) => Effect.Effect<void, ManagerError, Scope.Scope>
  /** Removes the entry of a key and returns its value, or `None` if there was none. */
  readonly remove: (key: K) => Effect.Effect<Option.Option<V>, ManagerError>
  /** Removes the entries of these keys in one step, and returns how many entries there were. */
  readonly removeAll: (keys: Iterable<K>) => Effect.Effect<number, ManagerError>
  /** Removes the entry that was inserted last and returns it, or `None` if the map is empty. */
  readonly removeLast: Effect.Effect<Option.Option<readonly [K, V]>, ManagerError>
  /**
   * Replaces the value of a key by the second part of `f`'s result, or removes the entry if that is `None`; returns the
   * first part. `f` must be pure: it runs again after a conflict, that is when the entry has changed meanwhile (S-28).
   *
   * **Fairness** After its first conflict an updater waits, in FIFO order, for a reservation of the whole map.
   * **Cancellation** Interruptible at any point; the entry was then replaced once or not at all. **On disconnect**
   * `ManagerError`, whose reason says which.
   */
  readonly modify: <B>(
    key: K,
    f: (current: Option.Option<V>) => readonly [B, Option.Option<V>]
  ) => Effect.Effect<B, ManagerError>
  /** Removes every entry, in one step. */
  readonly clear: Effect.Effect<void, ManagerError>
  /** Returns the number of entries. */
  readonly size: Effect.Effect<number, ManagerError>
  /** Returns all keys as one atomic copy, in order of insertion. */
  readonly keys: Effect.Effect<ReadonlyArray<K>, ManagerError>
  /** Returns all values as one atomic copy, in the order of their keys. */
  readonly values: Effect.Effect<ReadonlyArray<V>, ManagerError>
  /** Returns all entries as one atomic copy, in one reply. Use `stream` for more than a frame holds. */
  readonly entries: Effect.Effect<ReadonlyArray<readonly [K, V]>, ManagerError>
  /**
   * Streams all entries of the moment at which the stream begins; later changes are not seen. Each page of
   * 192 KiB is requested when it is pulled.
   *
   * **Fairness** A slow reader delays nobody. **Cancellation** Interruptible; the manager then drops the remaining
   * pages. **On disconnect** The stream fails with `ManagerError`.
   */
  readonly stream: Stream.Stream<readonly [K, V], ManagerError>
  /**
   * Streams a snapshot, then every change in order. A reader that falls more than `watchCredit` changes behind gets a
   * new snapshot instead of the changes it missed (S-29).
   *
   * **Fairness** A slow reader delays nobody. **Cancellation** Interruptible; the subscription ends. **On disconnect**
   * The stream fails with `ManagerError`.
   */
  readonly changes: Stream.Stream<MapChange<K, V>, ManagerError>
  /**
   * Waits until the entries satisfy the predicate, and returns them. The predicate runs in this process, on one map
   * that is updated in place: it must not keep the map. It may miss a state that lasts for one change only; `untilHas`
   * and the like do not.
   *
   * **Fairness** A waiter delays nobody. **Cancellation** Interruptible; the subscription ends. **On disconnect**
   * `ManagerError`.
   */
  readonly until: (is: Predicate.Predicate<ReadonlyMap<K, V>>) => Effect.Effect<ReadonlyMap<K, V>, ManagerError>
  /**
   * Waits until the key has an entry, and returns its value. The manager checks the condition after every change and
   * sends one message when it holds, so an entry that exists for one change only is not missed (S-29).
   *
   * **Fairness** A waiter delays nobody; all that wait for the same condition are released in one step.
   * **Cancellation** Interruptible; the manager forgets the call. **On disconnect** `ManagerError`.
   */
  readonly untilHas: (key: K) => Effect.Effect<V, ManagerError>
  /** Waits until the key has no entry. **Fairness**, **Cancellation** and **On disconnect** as `untilHas`. */
  readonly untilRemoved: (key: K) => Effect.Effect<void, ManagerError>
  /**
   * Waits until the key has this value, compared by encoding. **Fairness**, **Cancellation** and **On disconnect** as
   * `untilHas`.
   */
  readonly untilEquals: (key: K, value: V) => Effect.Effect<void, ManagerError>
  /**
   * Waits until there are at least `minimum` entries, and returns how many there are. **Fairness**, **Cancellation**
   * and **On disconnect** as `untilHas`.
   */
  readonly untilSizeAtLeast: (minimum: number) => Effect.Effect<number, ManagerError>
  /**
   * Waits until there are at most `maximum` entries, and returns how many there are. **Fairness**, **Cancellation** and
   * **On disconnect** as `untilHas`.
   */
  readonly untilSizeAtMost: (maximum: number) => Effect.Effect<number, ManagerError>
  /** The map in a transaction (`Transaction.tx`), the only place where this compiles. */
  readonly tx: TransactionMap<K, V>
}

/** A map in a transaction: what is set and removed takes effect when the transaction commits. */
export interface TransactionMap<in out K, in out V> {
  /** Returns the value of a key, or `None`: as this transaction has set it, or as it was read. */
  readonly get: (key: K) => Effect.Effect<Option.Option<V>, ManagerError, Transaction>
  /** Returns the values of several keys, in one read. */
  readonly getAll: (keys: Iterable<K>) => Effect.Effect<ReadonlyArray<Option.Option<V>>, ManagerError, Transaction>
  /** Whether a key has an entry. */
  readonly has: (key: K) => Effect.Effect<boolean, ManagerError, Transaction>
  /** Sets the value of a key. Reads nothing. */
  readonly set: (key: K, value: V) => Effect.Effect<void, ManagerError, Transaction>
  /** Removes the entry of a key, if it has one. Reads nothing. */
  readonly remove: (key: K) => Effect.Effect<void, ManagerError, Transaction>
  /** Reads the value of a key and replaces it; `None` removes the entry. Returns the new value. */
  readonly update: (
    key: K,
    f: (current: Option.Option<V>) => Option.Option<V>
  ) => Effect.Effect<Option.Option<V>, ManagerError, Transaction>
  /** Returns all keys, in order of insertion. One read, whatever their number. */
  readonly keys: Effect.Effect<ReadonlyArray<K>, ManagerError, Transaction>
  /** Returns all values, in the order of their keys. Two reads, whatever their number. */
  readonly values: Effect.Effect<ReadonlyArray<V>, ManagerError, Transaction>
  /** Returns all entries, in order of insertion. Two reads, whatever their number. */
  readonly entries: Effect.Effect<ReadonlyArray<readonly [K, V]>, ManagerError, Transaction>
  /** Returns the number of entries. */
  readonly size: Effect.Effect<number, ManagerError, Transaction>
}

/** A map whose values are numbers, to which the manager can add: Python's `Counter`. */
export interface SharedNumberMap<in out K> extends SharedMap<K, number> {
  /** Adds 1 to the value of a key, atomically, and returns the sum. A missing entry counts as 0. */
  readonly increment: (key: K) => Effect.Effect<number, Field.OutOfBounds | ManagerError>
  /** Adds to the value of a key, atomically, and returns the sum. A missing entry counts as 0. */
  readonly add: (key: K, by: number) => Effect.Effect<number, Field.OutOfBounds | ManagerError>
  /**
   * Waits until the key has a value of at least `minimum`, and returns it. **Fairness**, **Cancellation** and
   * **On disconnect** as `untilHas`.
   */
  readonly untilAtLeast: (key: K, minimum: number) => Effect.Effect<number, ManagerError>
  /**
   * Waits until the key has a value of at most `maximum`, and returns it. **Fairness**, **Cancellation** and
   * **On disconnect** as `untilHas`.
   */
  readonly untilAtMost: (key: K, maximum: number) => Effect.Effect<number, ManagerError>
}

/** The map of two schemas: a `SharedNumberMap` if the values' type and encoding are exactly `number`. */
export type MapOf<K extends Schema.Top, V extends Schema.Top> = Field.IfNumber<
  V,
  SharedNumberMap<K["Type"]>,
  SharedMap<K["Type"], V["Type"]>
>

/** Options of a map. All programs that open a name must agree on them. */
export interface Options<K extends Schema.Top, V extends Schema.Top> {
  /** The schema of the keys. */
  readonly key: K
  /** The schema of the values. */
  readonly value: V
}

const kind = "Map"

type Services<K extends Schema.Top, V extends Schema.Top> =
  | K["DecodingServices" | "EncodingServices"]
  | V["DecodingServices" | "EncodingServices"]

interface Codecs<K, V> {
  readonly key: ValueCodec.TextCodec<K>
  readonly value: ValueCodec.ValueCodec<V>
}

const facade = <K extends Schema.Top, V extends Schema.Top>(
  { key, value }: Options<K, V>
): Shared.Facade<MapOf<K, V>, typeof map, Codecs<K["Type"], V["Type"]>, Services<K, V>> => ({
  kind,
  values: {
    schemas: [key, value],
    codecs: Effect.all({ key: ValueCodec.makeText(key), value: ValueCodec.make(value) })
  },
  // `proxy` gives every map arithmetic; the type MapOf shows it where the values' schema is a number.
  proxy: (remote, codecs) => proxy(remote, codecs) as unknown as MapOf<K, V>
})

const creation = <K extends Schema.Top, V extends Schema.Top>({ value }: Options<K, V>) => ({
  options: { values: Field.arithmeticOption(value) }
})

/**
 * Declares a named map as a service:
 * `class Ages extends SharedMap.Service<Ages>()("app/Ages", { key: Name, value: Age }) {}`.
 */
export const Service =
  <Self>() => <const Id extends string, K extends Schema.Top, V extends Schema.Top>(id: Id, options: Options<K, V>) =>
    Shared.service<Self>()(id, facade(options), creation(options))

/** Opens a named map, or makes an unnamed one, for the life of the scope. */
export const make = <K extends Schema.Top, V extends Schema.Top>(
  options: Options<K, V> & { readonly name?: string | undefined }
): Effect.Effect<MapOf<K, V>, Shared.OpenError, Manager | Scope.Scope | Services<K, V>> =>
  Shared.open(facade(options), creation(options), options.name)

/** The schema of a map's handle, for maps inside payloads, items and values. Takes the options of `make`. */
export const schema = <K extends Schema.Top, V extends Schema.Top>(
  options: Shared.SchemaOptions<Options<K, V>, "key" | "value">
): Shared.HandleSchema<MapOf<K, V>, Services<K, V>> => Shared.handleSchema(facade(options))

/** Whether a value is a `SharedMap`. */
export const isSharedMap = (u: unknown): u is SharedMap<unknown, unknown> => Shared.isShared(kind)(u)

// internals

type MapRemote = Remote<typeof map>

const proxy = <K, V>(
  remote: MapRemote,
  codecs: Codecs<K, V>
): SharedMap<K, V> & Omit<SharedNumberMap<K>, keyof SharedMap<K, number>> => {
  const decodeKey = (operation: string, text: string) => remote.decode(operation, codecs.key, cell(text))
  const found = (operation: string) => ([cell]: readonly [Cell | null, ...ReadonlyArray<unknown>]) =>
    cell === null
      ? Exit.succeed(Option.none<V>())
      : Exit.map(remote.decode(operation, codecs.value, cell), Option.some)
  const keyed = <A, E, R>(operation: string, key: K, use: (key: string) => Effect.Effect<A, E, R>) =>
    encoded(() => remote.encodeKey(operation, codecs.key, key), use)
  const encode = (operation: string, value: V) => remote.encodeCanonical(operation, codecs.value, value)
  const written = <A, E>(operation: string, key: K, value: V, use: (key: string, cell: Cell) => Effect.Effect<A, E>) =>
    keyed(operation, key, (text) => Effect.flatMapEager(encode(operation, value), (cell) => use(text, cell)))
  const entries = (operation: string) => (parts: ReadonlyArray<Argument>) =>
    decodeEntries(remote, operation, codecs, parts)
  /** The calls of a number entry. Only `SharedNumberMap`, whose values are numbers, shows them. */
  const number = <E>(key: K, use: (entry: Field.Arithmetic) => Effect.Effect<number, E>) =>
    keyed(
      "add",
      key,
      (text) => use(Field.arithmetic(remote, text, codecs.value as unknown as ValueCodec.ValueCodec<number>))
    )
  const changes = Stream.mapEffect(
    remote.notifications,
    ({ event, parts }) =>
      event === "change" ? changed(remote, codecs, parts) : Exit.map(
        entries("changes")(parts),
        (entries): MapChange<K, V> => ({ _tag: "Snapshot", entries })
      )
  )

  return {
    [Shared.TypeId]: remote,
    tx: transactionMap(remote, codecs),
    get: (key) => keyed("get", key, (text) => remote.call("get", [text], found("get"))),
    has: (key) => keyed("has", key, (text) => remote.call("has", [text], ([has]) => Exit.succeed(has === 1))),
    set: (key, value) => written("set", key, value, (text, cell) => remote.call("set", [text, cell], () => Exit.void)),
    setAll: (entries) =>
      encoded(
        () =>
          all(Array.from(entries, ([key, value]) =>
            both(remote.encodeKey("setAll", codecs.key, key), () =>
              encode("setAll", value)))),
        (pairs) =>
          remote.call("setAll", pairs.flat(), () => Exit.void)
      ),
    getOrSet: (key, value) =>
      written(
        "getOrSet",
        key,
        value,
        (text, cell) =>
          Effect.map(
            remote.call("setIfAbsent", [text, cell], found("getOrSet")),
            (there) => Option.getOrElse(there, () => value)
          )
      ),
    hold: (key, value) => keyed("hold", key, (text) => Field.hold(remote, text, codecs.value, value)),
    remove: (key) => keyed("remove", key, (text) => remote.call("remove", [text], found("remove"))),
    removeAll: (keys) =>
      encoded(
        () => all(Array.from(keys, (key) => remote.encodeKey("removeAll", codecs.key, key))),
        (texts) => remote.call("removeAll", texts, ([size]) => Exit.succeed(size))
      ),
    removeLast: remote.call(
      "removeLast",
      [],
      (parts) => Exit.map(entries("removeLast")(parts), ([entry]) => Option.fromUndefinedOr(entry))
    ),
    modify: (key, f) => keyed("modify", key, (text) => modify(Field.optionalEntry(remote, text, codecs.value), f)),
    clear: remote.call("clear", [], () => Exit.void),
    size: remote.call("size", [], ([size]) => Exit.succeed(size)),
    keys: remote.call("words", [], (texts) => all(texts.map((text) => decodeKey("keys", text)))),
    values: remote.call("values", [], (cells) => all(cells.map((cell) => remote.decode("values", codecs.value, cell)))),
    entries: remote.call("entries", [], entries("entries")),
    stream: pages(remote, entries("stream")),
    changes,
    until: (is) => first(remote, matching(changes, is)),
    untilHas: (key) =>
      keyed(
        "untilHas",
        key,
        (text) => remote.call("untilHas", [text], ([cell]) => remote.decode("untilHas", codecs.value, cell!))
      ),
    untilRemoved: (key) => keyed("untilRemoved", key, (text) => remote.call("untilRemoved", [text], () => Exit.void)),
    untilEquals: (key, value) =>
      keyed("untilEquals", key, (text) => Field.untilEquals(remote, text, codecs.value)(value)),
    untilSizeAtLeast: (minimum) =>
      remote.call("untilSize", [minimum, Number.MAX_SAFE_INTEGER], ([size]) => Exit.succeed(size)),
    untilSizeAtMost: (maximum) => remote.call("untilSize", [0, maximum], ([size]) => Exit.succeed(size)),
    increment: (key) => number(key, ({ increment }) => increment),
    add: (key, by) => number(key, ({ add }) => add(by)),
    untilAtLeast: (key, minimum) => number(key, ({ untilAtLeast }) => untilAtLeast(minimum)),
    untilAtMost: (key, maximum) => number(key, ({ untilAtMost }) => untilAtMost(maximum))
  }
}

const transactionMap = <K, V>(remote: MapRemote, { key: keys, value }: Codecs<K, V>): TransactionMap<K, V> => {
  const codec = optionalCodec(remote, "tx", value)
  const encodeKey = (key: K) => remote.encodeKey("tx", keys, key)
  const valuesOf = (texts: ReadonlyArray<string>) =>
    Effect.flatMap(readEntries(remote, texts), (cells) => all(cells.map(codec.decode)))
  const getAll = (keys: Iterable<K>) => encoded(() => all(Array.from(keys, encodeKey)), valuesOf)
  const get = (key: K) => Effect.map(getAll([key]), ([found]) => found!)
  const set = (key: K, value: Option.Option<V>) =>
    encoded(
      () => both(encodeKey(key), () => codec.encode(value)),
      ([text, cell]) => writeEntry(remote, text, cell)
    )
  const keysOf = (texts: ReadonlyArray<string>) => all(texts.map((text) => remote.decode("tx", keys, cell(text))))
  const texts = transactionWords(remote)
  const values = (texts: ReadonlyArray<string>) => Effect.map(valuesOf(texts), (found) => found.flatMap(Option.toArray))
  return {
    get,
    getAll,
    has: (key) => Effect.map(get(key), Option.isSome),
    set: (key, value) => set(key, Option.some(value)),
    remove: (key) => set(key, Option.none()),
    update: (key, f) =>
      Effect.flatMap(get(key), (current) => {
        const next = f(current)
        return Effect.as(set(key, next), next)
      }),
    keys: Effect.flatMap(texts, keysOf),
    values: Effect.flatMap(texts, values),
    entries: Effect.flatMap(
      texts,
      (texts) =>
        Effect.zipWith(
          keysOf(texts),
          values(texts),
          (keys, values) => keys.map((key, i): readonly [K, V] => [key, values[i]!])
        )
    ),
    size: Effect.map(texts, ({ length }) => length)
  }
}

const decodeEntries = <K, V>(
  remote: MapRemote,
  operation: string,
  codecs: Codecs<K, V>,
  parts: ReadonlyArray<Argument>
): Exit.Exit<ReadonlyArray<readonly [K, V]>, ManagerError> =>
  all(Array.from({ length: parts.length / 2 }, (_, i) =>
    both(
      remote.decode(operation, codecs.key, cell(parts[i * 2] as string)),
      () => remote.decode(operation, codecs.value, parts[i * 2 + 1] as Cell)
    )))

/** A step sets entries, or removes some, or removes all: then it has no parts. */
const changed = <K, V>(
  remote: MapRemote,
  codecs: Codecs<K, V>,
  parts: ReadonlyArray<Argument>
): Exit.Exit<MapChange<K, V>, ManagerError> => {
  if (parts.length === 0) return Exit.succeed({ _tag: "Cleared" })
  if (parts[1] !== null) {
    return Exit.map(decodeEntries(remote, "changes", codecs, parts), (entries) => ({ _tag: "Set", entries }))
  }
  const keys = parts.filter((part) => typeof part === "string")
  return Exit.map(
    all(keys.map((key) => remote.decode("changes", codecs.key, cell(key)))),
    (keys) => ({ _tag: "Removed", keys })
  )
}

/**
 * The entries after each change, if they satisfy the predicate. The predicate gets one map, which is updated in place.
 */
const matching = <K, V, E>(
  changes: Stream.Stream<MapChange<K, V>, E>,
  is: Predicate.Predicate<ReadonlyMap<K, V>>
): Stream.Stream<ReadonlyMap<K, V>, E> =>
  Stream.mapAccum(changes, () => new Map<K, V>(), (entries, change) => {
    apply(entries, change)
    return [entries, is(entries) ? [new Map(entries)] : []] as const
  })

const apply = <K, V>(entries: Map<K, V>, change: MapChange<K, V>): void => {
  switch (change._tag) {
    case "Removed":
      return change.keys.forEach((key) => entries.delete(key))
    case "Set":
      return change.entries.forEach(([key, value]) => entries.set(key, value))
    default:
      entries.clear()
      if (change._tag === "Snapshot") change.entries.forEach(([key, value]) => entries.set(key, value))
  }
}
