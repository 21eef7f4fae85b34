/**
 * A map between processes: a `HashMap` in a `SubscriptionRef`, changed entry by entry or several in one step. Iterates
 * in order of first insertion. Numbers can also be added to, in the manager (S-25).
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
import type { Remote } from "./proxy/Remote.ts"
import * as Shared from "./proxy/Shared.ts"
import * as ValueCodec from "./proxy/ValueCodec.ts"

/** What happened to a map, in one step. */
export type MapChange<K, V> =
  /** All entries: first, and whenever the reader had fallen behind. */
  | { readonly _tag: "Snapshot"; readonly entries: ReadonlyArray<readonly [K, V]> }
  | { readonly _tag: "Set"; readonly entries: ReadonlyArray<readonly [K, V]> }
  | { readonly _tag: "Removed"; readonly keys: ReadonlyArray<K> }
  | { readonly _tag: "Cleared" }

/** A map between processes. Keys are equal when their encodings are. */
export interface SharedMap<in out K, in out V> extends Shared.Shared {
  readonly get: (key: K) => Effect.Effect<Option.Option<V>, ManagerError>
  readonly has: (key: K) => Effect.Effect<boolean, ManagerError>
  readonly set: (key: K, value: V) => Effect.Effect<void, ManagerError>
  /** Sets entries in one step: nobody sees a part of them. Of two with one key the later counts. */
  readonly setAll: (entries: Iterable<readonly [K, V]>) => Effect.Effect<void, ManagerError>
  /** Sets the entry if there is none; answers the value that is there after that. */
  readonly getOrSet: (key: K, value: V) => Effect.Effect<V, ManagerError>
  /** Removes the entry and answers its value. */
  readonly remove: (key: K) => Effect.Effect<Option.Option<V>, ManagerError>
  /** Removes the entries of these keys in one step, and answers how many there were. */
  readonly removeAll: (keys: Iterable<K>) => Effect.Effect<number, ManagerError>
  /** Removes the entry that was inserted last, and answers it. */
  readonly removeLast: Effect.Effect<Option.Option<readonly [K, V]>, ManagerError>
  /**
   * Replaces an entry by what `f` makes of it, or removes it with `Option.none()`; answers what `f` answers. `f` is
   * pure and may run again. Fairness, cancellation and disconnect as for `SharedRef.modify` (S-28).
   */
  readonly modify: <B>(
    key: K,
    f: (current: Option.Option<V>) => readonly [B, Option.Option<V>]
  ) => Effect.Effect<B, ManagerError>
  /** Removes every entry, in one step. */
  readonly clear: Effect.Effect<void, ManagerError>
  readonly size: Effect.Effect<number, ManagerError>
  /** All keys, of one instant. */
  readonly keys: Effect.Effect<ReadonlyArray<K>, ManagerError>
  /** All values, of one instant. */
  readonly values: Effect.Effect<ReadonlyArray<V>, ManagerError>
  /** All entries, of one instant. For a map that is too large for one reply see `stream`. */
  readonly entries: Effect.Effect<ReadonlyArray<readonly [K, V]>, ManagerError>
  /**
   * All entries that there are when the stream begins, read page by page: changes after that are not seen. However
   * slowly it is read, nobody is held up.
   *
   * **On disconnect** The stream fails with `ManagerError`.
   */
  readonly stream: Stream.Stream<readonly [K, V], ManagerError>
  /** A snapshot, then every change in order; a reader that falls behind gets a new snapshot (S-29). */
  readonly changes: Stream.Stream<MapChange<K, V>, ManagerError>
  /**
   * Waits until the entries satisfy the predicate, and answers them (see `SharedRef.until`). The predicate runs after
   * each change, on one map that goes on changing: it must not keep it.
   */
  readonly until: (is: Predicate.Predicate<ReadonlyMap<K, V>>) => Effect.Effect<ReadonlyMap<K, V>, ManagerError>
  /**
   * Waits until there is an entry of this key, and answers its value. The manager looks at every change and sends one
   * message: an entry that is there for one change only is not missed (S-29).
   *
   * **Fairness** Waiting holds up nobody; all who wait for the same go at once. **Cancellation** Interruptible; the
   * manager forgets the call. **On disconnect** `ManagerError`.
   */
  readonly untilHas: (key: K) => Effect.Effect<V, ManagerError>
  /** Waits until there is no entry of this key. Otherwise as `untilHas`. */
  readonly untilRemoved: (key: K) => Effect.Effect<void, ManagerError>
  /** Waits until the entry of this key has a value, which are compared as they are encoded. Otherwise as `untilHas`. */
  readonly untilEquals: (key: K, value: V) => Effect.Effect<void, ManagerError>
  /** Waits until there are at least so many entries, and answers how many there are. Otherwise as `untilHas`. */
  readonly untilSizeAtLeast: (minimum: number) => Effect.Effect<number, ManagerError>
  /** Waits until there are at most so many entries, and answers how many there are. Otherwise as `untilHas`. */
  readonly untilSizeAtMost: (maximum: number) => Effect.Effect<number, ManagerError>
}

/** A map of numbers: Python's `Counter`. */
export interface SharedNumberMap<in out K> extends SharedMap<K, number> {
  /** Adds 1 to the entry, from 0 if there is none, and answers the sum: atomic, nothing is lost. */
  readonly increment: (key: K) => Effect.Effect<number, Field.OutOfBounds | ManagerError>
  /** Adds to the entry, from 0 if there is none, and answers the sum. */
  readonly add: (key: K, by: number) => Effect.Effect<number, Field.OutOfBounds | ManagerError>
  /** Waits until the entry is there and at least this number, and answers it. Otherwise as `untilHas`. */
  readonly untilAtLeast: (key: K, minimum: number) => Effect.Effect<number, ManagerError>
  /** Waits until the entry is there and at most this number, and answers it. Otherwise as `untilHas`. */
  readonly untilAtMost: (key: K, maximum: number) => Effect.Effect<number, ManagerError>
}

/** The map of two schemas: a `SharedNumberMap` if the values' type and encoding are exactly `number`. */
export type MapOf<K extends Schema.Top, V extends Schema.Top> = Field.IfNumber<
  V,
  SharedNumberMap<K["Type"]>,
  SharedMap<K["Type"], V["Type"]>
>

/** What a map is made with. */
export interface Options<K extends Schema.Top, V extends Schema.Top> {
  readonly key: K
  readonly value: V
}

const kind = "Map"

type Services<K extends Schema.Top, V extends Schema.Top> =
  | K["DecodingServices" | "EncodingServices"]
  | V["DecodingServices" | "EncodingServices"]

interface Codecs<K, V> {
  readonly key: ValueCodec.ValueCodec<K>
  readonly value: ValueCodec.ValueCodec<V>
}

const facade = <K extends Schema.Top, V extends Schema.Top>(
  { key, value }: Options<K, V>
): Shared.Facade<MapOf<K, V>, typeof map, Codecs<K["Type"], V["Type"]>, Services<K, V>> => ({
  kind,
  values: {
    fingerprint: `${ValueCodec.fingerprint(key)} → ${ValueCodec.fingerprint(value)}`,
    codecs: Effect.all({ key: ValueCodec.make(key), value: ValueCodec.make(value) })
  },
  // `proxy` gives every map arithmetic; MapOf shows it where the values' schema is a number.
  proxy: (remote, codecs) => proxy(remote, codecs) as unknown as MapOf<K, V>
})

const creation = <K extends Schema.Top, V extends Schema.Top>({ value }: Options<K, V>) => ({
  options: { values: Field.arithmeticOption(value) }
})

/** Names a map as a service. */
export const Service =
  <Self>() => <const Id extends string, K extends Schema.Top, V extends Schema.Top>(id: Id, options: Options<K, V>) =>
    Shared.service<Self>()(id, facade(options), creation(options))

/** Opens a map by name, or makes one without a name, for the life of the scope. */
export const make = <K extends Schema.Top, V extends Schema.Top>(
  options: Options<K, V> & { readonly name?: string | undefined }
): Effect.Effect<MapOf<K, V>, Shared.OpenError, Manager | Scope.Scope | Services<K, V>> =>
  Shared.open(facade(options), creation(options), options.name)

/** A map's handle as a value. */
export const schema = <K extends Schema.Top, V extends Schema.Top>(
  options: Options<K, V>
): Shared.HandleSchema<MapOf<K, V>, Services<K, V>> => Shared.handleSchema(facade(options))

/** Whether something is a map. */
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
  const keyed = <A, E>(operation: string, key: K, use: (key: string) => Effect.Effect<A, E>) =>
    encoded(() => remote.encodeKey(operation, codecs.key, key), use)
  const encode = (operation: string, value: V) => remote.encodeCanonical(operation, codecs.value, value)
  const written = <A, E>(operation: string, key: K, value: V, use: (key: string, cell: Cell) => Effect.Effect<A, E>) =>
    encoded(
      () => both(remote.encodeKey(operation, codecs.key, key), () => encode(operation, value)),
      ([text, cell]) => use(text, cell)
    )
  const entries = (operation: string) => (parts: ReadonlyArray<Argument>) =>
    decodeEntries(remote, operation, codecs, parts)
  /** Of a map whose values are numbers, which is all that shows this. */
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
    until: (is) => first(matching(changes, is)),
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

/** A step sets entries, or removes some, or all: then it has no parts. */
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

/** The entries after each change that satisfies the predicate. The map that it is asked about is changed in place. */
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
