/**
 * How values are read, written and watched of which the schemas are unknown (`Untyped.ts`), by the type of the object. The
 * values are the JSON that is stored. A write is checked with the fingerprint of the schemas.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type { Json, JsonObject } from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Connection } from "../client/Connection.ts"
import { describe } from "../client/Target.ts"
import type { NamedObject } from "../engine/Inspection.ts"
import type { Kind } from "../engine/Kind.ts"
import type { list } from "../engine/kinds/list.ts"
import type { map, ref } from "../engine/kinds/record.ts"
import type { Operation } from "../engine/Operation.ts"
import { type Argument, type Cell, isCell } from "../engine/Value.ts"
import { stateOperation } from "../kind/names.ts"
import { InvalidRequest, ManagerError } from "../ManagerError.ts"
import { checksOf } from "./conforms.ts"
import { all, encoded } from "./exits.ts"
import { pages } from "./pages.ts"
import { Remote } from "./Remote.ts"
import { canonicalText, type TextCodec } from "./ValueCodec.ts"

/** An object of unknown schemas. */
export interface Opened {
  readonly connection: Connection
  readonly info: NamedObject
  /** Of any JSON. */
  readonly codec: TextCodec<Json>
}

/** How the values of an object are reached (`Untyped`). */
export interface Access {
  readonly get: Effect.Effect<Json, ManagerError>
  readonly entry: (key: string) => Effect.Effect<Option.Option<Json>, ManagerError>
  readonly set: (value: Json, key?: string) => Effect.Effect<void, ManagerError>
  readonly changes: Stream.Stream<Json, ManagerError>
}

/** The remote of an object. Only operations of its kind may be called. */
export const remoteOf = <K>({ connection, info: { id, kind, name, schema } }: Opened): Remote<K> =>
  new Remote<K>(connection, kind, { id, name, description: describe(kind, name) }, schema)

/** The access to the values of an object. */
export const accessOf = (opened: Opened): Access => {
  switch (opened.info.kind) {
    case "Ref":
      return value(opened)
    case "Namespace":
    case "OpenNamespace":
    case "Map":
      return entries(opened)
    case "List":
      return items(opened)
    default:
      return opened.connection.operationsOf(opened.info.kind).has(stateOperation) ? state(opened) : nothing(opened)
  }
}

// internals

/** The only entry of a ref. */
const field = "value"

const value = (opened: Opened): Access => {
  const { codec } = opened
  const remote = remoteOf<typeof ref>(opened)
  return {
    get: remote.call("get", [field], ([cell]) => remote.decode("get", codec, cell!)),
    entry: () => remote.invalid("get", "it has no keys"),
    set: (value, key) =>
      key !== undefined
        ? remote.invalid("set", "it has no keys")
        : write(opened, value, [value], (cell) => remote.call("set", [field, cell], () => Exit.void)),
    changes: Stream.mapEffect(remote.notifications, ({ parts }) => remote.decode("changes", codec, parts[1] as Cell))
  }
}

const entries = (opened: Opened): Access => {
  const { codec, info: { kind } } = opened
  const remote = remoteOf<typeof map>(opened)
  const pairs = (operation: string, parts: ReadonlyArray<Argument>) =>
    all(
      entriesIn(parts).filter(hasCell).map(([word, cell]) =>
        Exit.map(remote.decode(operation, codec, cell), (value) => [keyOf(kind, word), value] as const)
      )
    )
  const get = kind === "Namespace"
    ? remote.call("entries", [], (parts) => Exit.map(pairs("get", parts), together))
    : Effect.map(Stream.runCollect(pages(remote, (parts) => pairs("get", parts))), together)
  /** The values that the schemas describe, if the entry has this value. */
  const described = (key: Json, value: Json): Effect.Effect<ReadonlyArray<Json>, ManagerError> =>
    kind === "Namespace"
      ? Effect.map(get, (fields) => [{ ...fields as JsonObject, [String(key)]: value }])
      : Effect.succeed(kind === "Map" ? [key, value] : [value])
  return {
    get,
    entry: (key) => remote.call("get", [wordOf(opened.info, key)], ([cell]) => found(opened, cell)),
    set: (value, key) => {
      if (key === undefined) return remote.invalid("set", "it has entries: name one of its keys")
      const word = wordOf(opened.info, key)
      return Effect.flatMap(
        described(keyOf(kind, word), value),
        (values) =>
          write(
            opened,
            value,
            values,
            (cell) =>
              remote.call("set", [word, cell], () => Exit.void, { UnknownField: refusal("set", "it has no field") })
          )
      )
    },
    changes: Stream.mapEffect(remote.notifications, ({ event, parts }) => {
      const removed = entriesIn(parts).filter((entry) => !hasCell(entry)).map(([word]) => keyOf(kind, word))
      return Exit.map(pairs("changes", parts), (set): Json =>
        event !== "change" || parts.length === 0
          ? { all: together(set) }
          : { ...set.length > 0 && { set: together(set) }, ...removed.length > 0 && { removed } })
    })
  }
}

const items = (opened: Opened): Access => {
  const { codec } = opened
  const remote = remoteOf<typeof list>(opened)
  const decode = (operation: string, parts: ReadonlyArray<Argument>) =>
    all(parts.filter(isCell).map((cell) => remote.decode(operation, codec, cell)))
  const at = <A>(
    operation: string,
    key: string | undefined,
    use: (index: number) => Effect.Effect<A, ManagerError>
  ): Effect.Effect<A, ManagerError> =>
    key !== undefined && /^-?\d{1,15}$/.test(key)
      ? use(Number(key))
      : remote.invalid(operation, "it has items: name the index of one, from 0, or from -1 at the end")
  return {
    get: Stream.runCollect(pages(remote, (parts) => decode("get", parts))),
    entry: (key) => at("get", key, (index) => remote.call("get", [index], ([cell]) => found(opened, cell))),
    set: (value, key) =>
      at(
        "set",
        key,
        (index) =>
          write(opened, value, [value], (cell) =>
            remote.call("set", [index, cell], () => Exit.void, {
              IndexOutOfRange: refusal("set", "the index is out of range. The number of items is")
            }))
      ),
    changes: Stream.mapEffect(
      remote.notifications,
      ({ event, parts }) =>
        Exit.map(decode("changes", parts), (values): Json => {
          if (event !== "change") return { all: values }
          const [change, first = true, deleted] = parts as ReadonlyArray<string | number>
          return { [change!]: change === "splice" ? [first, deleted!, ...values] : change === "sort" ? first : true }
        })
    )
  }
}

/** An own kind, as far as its state is read. */
type StateKind = Kind<unknown, Record<string, Operation<unknown>>>

const state = (opened: Opened): Access => {
  const remote = remoteOf<StateKind>(opened)
  const decode = (operation: string, cell: Argument | undefined) =>
    // A state is replied as one value.
    remote.decode(operation, opened.codec, cell as Cell)
  return {
    get: remote.call(stateOperation, [], ([cell]) => decode("get", cell)),
    entry: () => remote.invalid("get", "the state of an own kind has no keys"),
    set: () => remote.invalid("set", "an object of an own kind changes by its operations only"),
    changes: Stream.mapEffect(remote.notifications, ({ parts: [cell] }) => decode("changes", cell))
  }
}

const nothing = (opened: Opened): Access => {
  const remote = remoteOf(opened)
  const refuse = (operation: string) =>
    remote.invalid(operation, "a tool cannot reach the values of this type. Its program can, and it can be inspected")
  return {
    get: refuse("get"),
    entry: () => refuse("get"),
    set: () => refuse("set"),
    changes: Stream.fromEffect(refuse("changes"))
  }
}

/** An entry or an item of a reply. */
const found = (opened: Opened, cell: Cell | null): Exit.Exit<Option.Option<Json>, ManagerError> =>
  cell === null
    ? Exit.succeed(Option.none())
    : Exit.map(remoteOf(opened).decode("get", opened.codec, cell), Option.some)

/** Writes a value, if the values that the schemas of the object describe then conform to them. */
const write = (
  opened: Opened,
  value: Json,
  described: ReadonlyArray<Json>,
  call: (cell: Cell) => Effect.Effect<void, ManagerError>
): Effect.Effect<void, ManagerError> => {
  const { codec, info: { schema } } = opened
  const remote = remoteOf(opened)
  const checks = checksOf(schema)
  if (checks?.length !== described.length) {
    return remote.invalid("set", `only a program that has the schema of its values can write them: ${schema}`)
  }
  return checks.every((conforms, i) => conforms(described[i]!))
    ? encoded(() => remote.encodeCanonical("set", codec, value), call)
    : remote.invalid("set", `the value does not conform to its schema: ${schema}`)
}

/** The entries as one value: as pairs, if a key is no text. */
const together = (pairs: ReadonlyArray<readonly [key: Json, value: Json]>): Json =>
  pairs.every((pair): pair is readonly [string, Json] => Predicate.isString(pair[0]))
    ? Object.fromEntries(pairs)
    : pairs

/** The words of a map are its keys as JSON; those of others are names. */
const keyOf = (kind: string, word: string): Json => kind === "Map" ? JSON.parse(word) as Json : word

/** The word of a key. A map whose keys are not strings is given them as JSON, or as a string that is none. */
const wordOf = ({ kind, schema }: NamedObject, key: string): string => {
  if (kind !== "Map") return key
  const json = schema.startsWith("String") ? undefined : Result.getOrUndefined(Result.try((): Json => JSON.parse(key)))
  return canonicalText(json === undefined ? key : json)
}

/** The parts of a record in a reply or in a change, as entries; null: it was removed. */
const entriesIn = (parts: ReadonlyArray<Argument>): ReadonlyArray<readonly [word: string, cell: Cell | null]> =>
  Array.from({ length: parts.length / 2 }, (_, i) => [parts[i * 2] as string, parts[i * 2 + 1] as Cell | null] as const)

const hasCell = (entry: readonly [word: string, cell: Cell | null]): entry is readonly [word: string, cell: Cell] =>
  entry[1] !== null

/** A refusal of the kind as the error of the call. */
const refusal = (operation: string, issue: string) => ([detail]: ReadonlyArray<Argument>, object: string) =>
  new ManagerError({ reason: new InvalidRequest({ object, operation, issue: `${issue} ${String(detail)}` }) })
