/**
 * A shared namespace: Python's `Namespace` with declared fields. Each field is a ref of its own; several fields are
 * read or written in one step. For names that are unknown before the program runs, use `SharedOpenNamespace`.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { format } from "effect/Formatter"
import type * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { namespace } from "./engine/kinds/record.ts"
import type { Argument, Cell } from "./engine/Value.ts"
import type { ManagerError } from "./ManagerError.ts"
import { all } from "./proxy/exits.ts"
import * as Field from "./proxy/Field.ts"
import { first } from "./proxy/first.ts"
import type { Manager } from "./proxy/Manager.ts"
import type { RecordRemote } from "./proxy/record.ts"
import * as Shared from "./proxy/Shared.ts"
import * as ValueCodec from "./proxy/ValueCodec.ts"

/** The schemas of a namespace's fields. */
export type Fields = Readonly<Record<string, Schema.Top>>

/** The values of a namespace's fields. */
export type Values<F extends Fields> = { readonly [K in keyof F]: F[K]["Type"] }

/**
 * A shared namespace.
 *
 * `get` and `set` are one call each, which never waits for other processes. **Cancellation** An interrupted `set` took
 * effect once or not at all. **On disconnect** `ManagerError`, whose reason says whether it took effect.
 */
export interface SharedNamespace<F extends Fields> extends Shared.Shared {
  /** The fields by name, each with the methods of a `SharedRef`. Number fields have those of a `SharedNumber`. */
  readonly fields: { readonly [K in keyof F]: Field.FieldOf<F[K]> }
  /** Returns all values as one atomic copy. */
  readonly get: Effect.Effect<Values<F>, ManagerError>
  /** Sets the given fields in one step: no other process sees a part of them. */
  readonly set: (values: Partial<Values<F>>) => Effect.Effect<void, ManagerError>
  /**
   * Streams all current values, then all values again after every change. A reader that falls behind skips to the
   * current values (S-29).
   *
   * **Fairness** A slow reader delays nobody. **Cancellation** Interruptible; the subscription ends. **On disconnect**
   * The stream fails with `ManagerError`.
   */
  readonly changes: Stream.Stream<Values<F>, ManagerError>
  /**
   * Waits until the values satisfy the predicate, and returns them. The predicate runs in this process, as that of
   * `SharedRef.until`.
   *
   * **Fairness** A waiter delays nobody. **Cancellation** Interruptible; the subscription ends. **On disconnect**
   * `ManagerError`.
   */
  readonly until: (is: Predicate.Predicate<Values<F>>) => Effect.Effect<Values<F>, ManagerError>
}

/** The values that a new namespace must be given: all but those for which the schemas have a constructor's default. */
export type Initial<F extends Fields> = Schema.Struct<F>["~type.make.in"]

/**
 * Options of a namespace. All programs that open a name must agree on `fields`. `initial` has the values of a new
 * namespace, and is ignored when the name exists (S-27); it may be absent when every field has a default.
 */
export type Options<F extends Fields> =
  & { readonly fields: F }
  & ({} extends Initial<F> ? { readonly initial?: Initial<F> } : { readonly initial: Initial<F> })

const kind = "Namespace"

type Services<F extends Fields> = F[keyof F]["DecodingServices"] | F[keyof F]["EncodingServices"]

type Codecs = Readonly<Record<string, ValueCodec.ValueCodec<unknown>>>

const facade = <F extends Fields>(
  fields: F
): Shared.Facade<SharedNamespace<F>, typeof namespace, Codecs, Services<F>> => {
  const names = namesOf(fields)
  return {
    kind,
    values: {
      schemas: [Schema.Struct(fields)],
      // The services of a mapped type's members are those of their union; TypeScript cannot derive that.
      codecs: Effect.all(
        Object.fromEntries(names.map((name) => [name, ValueCodec.make(fields[name]!)]))
      ) as Effect.Effect<Codecs, never, Services<F>>
    },
    proxy: (remote, codecs) => proxy<F>(remote, codecs)
  }
}

const creation = <F extends Fields>(
  { fields, initial = {} as Initial<F> }: Options<F>
): Shared.Creation<typeof namespace, Codecs> => ({
  options: Object.fromEntries(namesOf(fields).map((name) => [name, Field.arithmeticOption(fields[name]!)])),
  initial: (codecs) =>
    Effect.runSyncExit(
      Effect.flatMap(
        // The codecs check the values, each by its name: here they only get their defaults.
        Effect.mapError(
          Schema.Struct(fields).makeEffect(initial, { disableChecks: true }),
          (issue) => new Schema.SchemaError(issue)
        ),
        (values) =>
          all(namesOf(fields).map((name) => codecs[name]!.encodeCanonical(values[name as keyof typeof values])))
      )
    )
})

/**
 * The field names in the order of the values. An object lists its integer-like keys first, by size, however they were
 * written, so the names pass through an object, too.
 */
const namesOf = (fields: Fields): ReadonlyArray<string> =>
  Object.keys(Object.fromEntries(Object.keys(fields).sort().map((name) => [name, true])))

/**
 * Declares a named namespace as a service:
 * `class Board extends SharedNamespace.Service<Board>()("app/Board", options) {}`.
 */
export const Service = <Self>() => <const Id extends string, const F extends Fields>(id: Id, options: Options<F>) =>
  Shared.service<Self>()(id, facade(options.fields), creation(options))

/** Opens a named namespace, or makes an unnamed one, for the life of the scope. */
export const make = <const F extends Fields>(
  options: Options<F> & { readonly name?: string | undefined }
): Effect.Effect<SharedNamespace<F>, Shared.OpenError, Manager | Scope.Scope | Services<F>> =>
  Shared.open(facade(options.fields), creation(options), options.name)

/** The schema of a namespace's handle, for namespaces inside payloads, items and values. Takes the options of `make`. */
export const schema = <const F extends Fields>(
  options: { readonly fields: F; readonly initial?: Initial<F> | undefined; readonly name?: string | undefined }
): Shared.HandleSchema<SharedNamespace<F>, Services<F>> => Shared.handleSchema(facade(options.fields))

/** Whether a value is a `SharedNamespace`. */
export const isSharedNamespace = (u: unknown): u is SharedNamespace<Fields> => Shared.isShared(kind)(u)

/** Formats values for people, sorted by name: `Namespace(main=55, task1=0.25)`. */
export const render = (values: Readonly<Record<string, unknown>>): string =>
  `Namespace(${Object.keys(values).sort().map((name) => `${name}=${format(values[name])}`).join(", ")})`

// internals

const proxy = <F extends Fields>(remote: RecordRemote, codecs: Codecs): SharedNamespace<F> => {
  const fields = Object.fromEntries(
    Object.entries(codecs).map(([name, codec]) => [name, Field.make(remote, name, codec)])
  ) as unknown as SharedNamespace<F>["fields"]
  const decode = (operation: string) => (parts: ReadonlyArray<Argument>) =>
    decoded<F>(remote, operation, codecs, parts, {})
  const changes = remote.notifications.pipe(
    Stream.mapAccumEffect(
      () => ({}) as Partial<Values<F>>,
      (known, { parts }) =>
        Effect.map(decoded<F>(remote, "changes", codecs, parts, known), (values) => [values, [values]] as const)
    )
  )
  return {
    [Shared.TypeId]: remote,
    fields,
    get: remote.call("entries", [], decode("get")),
    set: (values) => {
      const unknown = Object.keys(values).find((name) => !Object.hasOwn(codecs, name))
      return unknown === undefined
        ? Field.setAll(remote, Object.entries(values).map(([name, value]) => [name, codecs[name]!, value]))
        : remote.invalid("set", `it has no field ${JSON.stringify(unknown)}`)
    },
    changes,
    until: (is) => first(remote, Stream.filter(changes, is))
  }
}

/** Merges alternating names and cells into the values that are known already. */
const decoded = <F extends Fields>(
  remote: RecordRemote,
  operation: string,
  codecs: Codecs,
  parts: ReadonlyArray<Argument>,
  known: Partial<Values<F>>
): Exit.Exit<Values<F>, ManagerError> => {
  const names = parts.filter((part) => typeof part === "string")
  const values = all(names.map((name, i) => remote.decode(operation, codecs[name]!, parts[i * 2 + 1] as Cell)))
  return Exit.map(values, (decoded) => ({
    ...known,
    ...Object.fromEntries(names.map((name, i) => [name, decoded[i]]))
    // A snapshot comes first and has every field (S-29).
  } as Values<F>))
}
