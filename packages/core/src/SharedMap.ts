/**
 * A map between processes: a `HashMap` in a `SubscriptionRef`, changed entry by entry. Iterates in order of first
 * insertion.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { map } from "./engine/kinds/map.ts"
import { type Argument, type Cell, cell } from "./engine/Value.ts"
import type { Manager } from "./Manager.ts"
import type { ManagerError } from "./ManagerError.ts"
import { all } from "./proxy/exits.ts"
import { first } from "./proxy/Field.ts"
import { type Modifiable, modify } from "./proxy/modify.ts"
import type { Remote } from "./proxy/Remote.ts"
import * as Shared from "./proxy/Shared.ts"
import * as ValueCodec from "./proxy/ValueCodec.ts"

/** What happened to a map. */
export type MapChange<K, V> =
  /** All entries: first, and whenever the reader had fallen behind. */
  | { readonly _tag: "Snapshot"; readonly entries: ReadonlyArray<readonly [K, V]> }
  | { readonly _tag: "Set"; readonly key: K; readonly value: V }
  | { readonly _tag: "Removed"; readonly key: K }

/** A map between processes. Keys are equal when their encodings are. */
export interface SharedMap<in out K, in out V> extends Shared.Shared {
  readonly get: (key: K) => Effect.Effect<Option.Option<V>, ManagerError>
  readonly has: (key: K) => Effect.Effect<boolean, ManagerError>
  readonly set: (key: K, value: V) => Effect.Effect<void, ManagerError>
  /** Sets the entry if there is none; answers the value that is there after that (Python's `setdefault`). */
  readonly getOrSet: (key: K, value: V) => Effect.Effect<V, ManagerError>
  /** Removes the entry and answers its value. */
  readonly remove: (key: K) => Effect.Effect<Option.Option<V>, ManagerError>
  /**
   * Replaces an entry by what `f` makes of it, or removes it with `Option.none()`; answers what `f` answers. `f` is
   * pure and may run again. Fairness, cancellation and disconnect as for `SharedRef.modify` (S-28).
   */
  readonly modify: <B>(
    key: K,
    f: (current: Option.Option<V>) => readonly [B, Option.Option<V>]
  ) => Effect.Effect<B, ManagerError>
  readonly clear: Effect.Effect<void, ManagerError>
  readonly size: Effect.Effect<number, ManagerError>
  /** All entries, of one instant. */
  readonly entries: Effect.Effect<ReadonlyArray<readonly [K, V]>, ManagerError>
  /** A snapshot, then every change in order; a reader that falls behind gets a new snapshot (S-29). */
  readonly changes: Stream.Stream<MapChange<K, V>, ManagerError>
  /** Waits until the entries satisfy the predicate, and answers them (see `SharedRef.until`). */
  readonly until: (is: Predicate.Predicate<ReadonlyMap<K, V>>) => Effect.Effect<ReadonlyMap<K, V>, ManagerError>
}

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
): Shared.Facade<SharedMap<K["Type"], V["Type"]>, typeof map, Codecs<K["Type"], V["Type"]>, Services<K, V>> => ({
  kind,
  values: {
    fingerprint: `${ValueCodec.fingerprint(key)} → ${ValueCodec.fingerprint(value)}`,
    codecs: Effect.all({ key: ValueCodec.make(key), value: ValueCodec.make(value) })
  },
  proxy
})

/** Names a map as a service. */
export const Service =
  <Self>() => <const Id extends string, K extends Schema.Top, V extends Schema.Top>(id: Id, options: Options<K, V>) =>
    Shared.service<Self>()(id, facade(options), {})

/** Opens a map by name, or makes one without a name, for the life of the scope. */
export const make = <K extends Schema.Top, V extends Schema.Top>(
  options: Options<K, V> & { readonly name?: string | undefined }
): Effect.Effect<SharedMap<K["Type"], V["Type"]>, Shared.OpenError, Manager | Scope.Scope | Services<K, V>> =>
  Shared.open(facade(options), {}, options.name)

/** A map's handle as a value. */
export const schema = <K extends Schema.Top, V extends Schema.Top>(
  options: Options<K, V>
): Shared.HandleSchema<SharedMap<K["Type"], V["Type"]>, Services<K, V>> => Shared.handleSchema(facade(options))

/** Whether something is a map. */
export const isSharedMap = (u: unknown): u is SharedMap<unknown, unknown> => Shared.isShared(kind)(u)

// internals

type MapRemote = Remote<typeof map>

const proxy = <K, V>(remote: MapRemote, codecs: Codecs<K, V>): SharedMap<K, V> => {
  const found = (operation: string) => ([cell]: readonly [Cell | null, ...ReadonlyArray<unknown>]) =>
    cell === null
      ? Exit.succeed(Option.none<V>())
      : Exit.map(remote.decode(operation, codecs.value, cell), Option.some)
  const keyed = <A, E>(operation: string, key: K, use: (key: string) => Effect.Effect<A, E>) =>
    Effect.suspend(() => Effect.flatMapEager(remote.encodeKey(operation, codecs.key, key), use))
  const written = <A, E>(operation: string, key: K, value: V, use: (key: string, cell: Cell) => Effect.Effect<A, E>) =>
    keyed(
      operation,
      key,
      (text) => Effect.flatMapEager(remote.encode(operation, codecs.value, value), (cell) => use(text, cell))
    )
  const changes = Stream.mapEffect(
    remote.notifications,
    ({ event, parts }) =>
      event === "change" ? changed(remote, codecs, parts) : Exit.map(
        decodeEntries(remote, "changes", codecs, parts),
        (entries): MapChange<K, V> => ({ _tag: "Snapshot", entries })
      )
  )

  return {
    [Shared.TypeId]: remote,
    get: (key) => keyed("get", key, (text) => remote.call("get", [text], found("get"))),
    has: (key) => keyed("has", key, (text) => remote.call("has", [text], ([has]) => Exit.succeed(has === 1))),
    set: (key, value) => written("set", key, value, (text, cell) => remote.call("set", [text, cell], () => Exit.void)),
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
    modify: (key, f) => keyed("modify", key, (text) => modify(modifiable(remote, codecs.value, text), f)),
    clear: remote.call("clear", [], () => Exit.void),
    size: remote.call("size", [], ([size]) => Exit.succeed(size)),
    entries: remote.call("entries", [], (parts) => decodeEntries(remote, "entries", codecs, parts)),
    changes,
    until: (is) => first(Stream.filter(Stream.scan(changes, (): ReadonlyMap<K, V> => new Map(), applied), is))
  }
}

const modifiable = <V>(
  remote: MapRemote,
  codec: ValueCodec.ValueCodec<V>,
  key: string
): Modifiable<Option.Option<V>, ManagerError> => {
  const versioned = (cell: Cell | null, version: number) =>
    cell === null ? Exit.succeed({ value: Option.none<V>(), version }) : Exit.map(
      remote.decode("modify", codec, cell),
      (value) => ({ value: Option.some(value), version })
    )
  return {
    get: remote.call("get", [key], ([cell, version]) => versioned(cell, version)),
    compareAndSet: (version, next, turn) =>
      Effect.flatMap(
        Option.isNone(next) ? Exit.succeed(null) : remote.encode("modify", codec, next.value),
        (cell) =>
          remote.call("compareAndSet", [key, version, cell, turn], ([done, current, version]) =>
            done === 1 ? Exit.succeed(undefined) : versioned(current, version))
      ),
    turn: (restore) =>
      remote.callOwned(
        restore,
        "turn",
        [key],
        ([turn, cell, version]) => Exit.map(versioned(cell, version), (current) => ({ ...current, turn })),
        undefined,
        "endTurn"
      ),
    endTurn: (turn) => remote.tell("endTurn", [turn])
  }
}

const decodeEntries = <K, V>(
  remote: MapRemote,
  operation: string,
  codecs: Codecs<K, V>,
  parts: ReadonlyArray<Argument>
): Exit.Exit<ReadonlyArray<readonly [K, V]>, ManagerError> => {
  const pairs = Array.from({ length: parts.length / 2 }, (_, i) => [parts[i * 2], parts[i * 2 + 1]] as const)
  const keys = all(pairs.map(([key]) => remote.decode(operation, codecs.key, cell(key as string))))
  const values = all(pairs.map(([, value]) => remote.decode(operation, codecs.value, value as Cell)))
  if (Exit.isFailure(keys)) return Exit.failCause(keys.cause)
  return Exit.map(values, (values) => values.map((value, i) => [keys.value[i]!, value] as const))
}

const changed = <K, V>(
  remote: MapRemote,
  codecs: Codecs<K, V>,
  [keyText, value]: ReadonlyArray<Argument>
): Exit.Exit<MapChange<K, V>, ManagerError> =>
  value === null
    ? Exit.map(remote.decode("changes", codecs.key, cell(keyText as string)), (key) => ({ _tag: "Removed", key }))
    : Exit.map(
      decodeEntries(remote, "changes", codecs, [keyText!, value!]),
      ([entry]) => ({ _tag: "Set", key: entry![0], value: entry![1] })
    )

/** Folds a change into the entries known so far. */
const applied = <K, V>(entries: ReadonlyMap<K, V>, change: MapChange<K, V>): ReadonlyMap<K, V> => {
  if (change._tag === "Snapshot") return new Map(change.entries)
  const next = new Map(entries)
  if (change._tag === "Set") next.set(change.key, change.value)
  else next.delete(change.key)
  return next
}
