/**
 * A shared namespace without declared names, as Python's `Namespace`: setting a name creates it. A name is any text;
 * one that begins with an underscore is shared like any other. For names known in advance, use `SharedNamespace`.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { openNamespace } from "./engine/kinds/record.ts"
import type { Argument, Cell } from "./engine/Value.ts"
import type { ManagerError } from "./ManagerError.ts"
import { all, both } from "./proxy/exits.ts"
import * as Field from "./proxy/Field.ts"
import { first } from "./proxy/first.ts"
import type { Manager } from "./proxy/Manager.ts"
import { modify } from "./proxy/modify.ts"
import { optionalCodec } from "./proxy/record.ts"
import { type TransactionField, transactionField } from "./proxy/recordTransaction.ts"
import type { Remote } from "./proxy/Remote.ts"
import * as Shared from "./proxy/Shared.ts"
import * as ValueCodec from "./proxy/ValueCodec.ts"

/** The field was never set, or it was removed. Nothing was changed. */
export class FieldNotSet extends Schema.TaggedError<FieldNotSet>()("FieldNotSet", {
  namespace: Schema.String,
  field: Schema.String
}) {
  override get message(): string {
    return `${this.namespace} has no field ${JSON.stringify(this.field)}: it was never set, or it was removed`
  }
}

/** The values of all set names. */
export type Values<A> = Readonly<Record<string, A>>

/**
 * One name of an open namespace, set or not.
 *
 * `get`, `set` and `remove` are one call each, which never waits for other processes. **Cancellation** An interrupted
 * change took effect once or not at all. **On disconnect** `ManagerError`, whose reason says whether it took effect.
 */
export interface OpenField<in out A> {
  /** Returns the value. */
  readonly get: Effect.Effect<A, FieldNotSet | ManagerError>
  /** Sets the value, and creates the name if it is not set. */
  readonly set: (value: A) => Effect.Effect<void, ManagerError>
  /**
   * Sets the value for the life of the scope: it is removed when the scope ends, or when the process dies or is
   * disconnected. Of several holders of a field the last one owns it. **Fairness**, **Cancellation** and
   * **On disconnect** as `SharedMap.hold`.
   */
  readonly hold: (value: A) => Effect.Effect<void, ManagerError, Scope.Scope>
  /** Removes the value (Python's `del`), and returns whether there was one. */
  readonly remove: Effect.Effect<boolean, ManagerError>
  /**
   * Replaces the value by the second part of `f`'s result, or removes it if that is `None`; returns the first part. `f`
   * must be pure: it runs again after a conflict, that is when the field has changed meanwhile (S-28).
   *
   * **Fairness** After its first conflict an updater waits, in FIFO order, for a reservation of the whole namespace.
   * **Cancellation** Interruptible at any point; the value was then replaced once or not at all. **On disconnect**
   * `ManagerError`, whose reason says which.
   */
  readonly modify: <B>(
    f: (current: Option.Option<A>) => readonly [B, Option.Option<A>]
  ) => Effect.Effect<B, ManagerError>
  /**
   * Streams the current value, then the value after every change of this field; `None` while it is not set. A reader
   * that falls behind skips to the current value (S-29).
   *
   * **Fairness** A slow reader delays nobody. **Cancellation** Interruptible; the subscription ends. **On disconnect**
   * The stream fails with `ManagerError`.
   */
  readonly changes: Stream.Stream<Option.Option<A>, ManagerError>
  /**
   * Waits until the field is set and its value satisfies the predicate, and returns the value. The predicate runs in
   * this process, as that of `SharedRef.until`.
   *
   * **Fairness** A waiter delays nobody. **Cancellation** Interruptible; the subscription ends. **On disconnect**
   * `ManagerError`.
   */
  readonly until: (is: Predicate.Predicate<A>) => Effect.Effect<A, ManagerError>
  /**
   * Waits until the field is set, and returns its value. The manager checks the condition after every change and sends
   * one message when it holds, so a value that exists for one change only is not missed (S-29).
   *
   * **Fairness** A waiter delays nobody; all that wait for the same condition are released in one step.
   * **Cancellation** Interruptible; the manager forgets the call. **On disconnect** `ManagerError`.
   */
  readonly untilSet: Effect.Effect<A, ManagerError>
  /** Waits until the field is not set. **Fairness**, **Cancellation** and **On disconnect** as `untilSet`. */
  readonly untilRemoved: Effect.Effect<void, ManagerError>
  /**
   * Waits until the field has this value, compared by encoding. **Fairness**, **Cancellation** and **On disconnect** as
   * `untilSet`.
   */
  readonly untilEquals: (value: A) => Effect.Effect<void, ManagerError>
  /** The value in a transaction (`Transaction.tx`), `None` while the field is not set. To set `None` removes it. */
  readonly tx: TransactionField<Option.Option<A>>
}

/** One name of an open namespace of numbers. For `add` and `increment` a field that is not set counts as 0. */
export interface OpenNumberField extends OpenField<number>, Field.Arithmetic {}

/**
 * A shared namespace without declared names.
 *
 * `get`, `set`, `names` and `clear` are one call each, which never waits for other processes. **Cancellation** An
 * interrupted change took effect once or not at all. **On disconnect** `ManagerError`, whose reason says whether it
 * took effect.
 */
export interface SharedOpenNamespace<in out A> extends Shared.Shared {
  /** The field of a name, set or not. Makes no call. */
  readonly field: (name: string) => OpenField<A>
  /** Returns all values as one atomic copy. */
  readonly get: Effect.Effect<Values<A>, ManagerError>
  /** Sets the given names in one step: no other process sees a part of them. */
  readonly set: (values: Values<A>) => Effect.Effect<void, ManagerError>
  /** Returns the names that are set, sorted. */
  readonly names: Effect.Effect<ReadonlyArray<string>, ManagerError>
  /** Removes every name, in one step. */
  readonly clear: Effect.Effect<void, ManagerError>
  /**
   * Streams all current values, then all values again after every change. A reader that falls behind skips to the
   * current values (S-29).
   *
   * **Fairness** A slow reader delays nobody. **Cancellation** Interruptible; the subscription ends. **On disconnect**
   * The stream fails with `ManagerError`.
   */
  readonly changes: Stream.Stream<Values<A>, ManagerError>
  /**
   * Waits until the values satisfy the predicate, and returns them. The predicate runs in this process, as that of
   * `SharedRef.until`.
   *
   * **Fairness** A waiter delays nobody. **Cancellation** Interruptible; the subscription ends. **On disconnect**
   * `ManagerError`.
   */
  readonly until: (is: Predicate.Predicate<Values<A>>) => Effect.Effect<Values<A>, ManagerError>
}

/** An open namespace whose values are numbers, to which the manager can add. */
export interface SharedOpenNumberNamespace extends SharedOpenNamespace<number> {
  readonly field: (name: string) => OpenNumberField
}

/** The open namespace of a schema: a `SharedOpenNumberNamespace` if its type and encoding are exactly `number`. */
export type OpenNamespaceOf<S extends Schema.Top> = Field.IfNumber<
  S,
  SharedOpenNumberNamespace,
  SharedOpenNamespace<S["Type"]>
>

/** Options of an open namespace. All programs that open a name must agree on them. */
export interface Options<S extends Schema.Top> {
  /** The schema of every value. For values of several types, a union. */
  readonly value: S
}

const kind = "OpenNamespace"

type Services<S extends Schema.Top> = S["DecodingServices"] | S["EncodingServices"]

type Codec<S extends Schema.Top> = ValueCodec.ValueCodec<S["Type"]>

const facade = <S extends Schema.Top>(
  value: S
): Shared.Facade<OpenNamespaceOf<S>, typeof openNamespace, Codec<S>, Services<S>> => ({
  kind,
  values: { schemas: [value], codecs: ValueCodec.make(value) },
  // `proxy` gives every field arithmetic; the type OpenNamespaceOf shows it where the schema is a number.
  proxy: (remote, codec) => proxy(remote, codec) as unknown as OpenNamespaceOf<S>
})

const creation = <S extends Schema.Top>({ value }: Options<S>) => ({
  options: { values: Field.arithmeticOption(value) }
})

/**
 * Declares a named open namespace as a service:
 * `class Board extends SharedOpenNamespace.Service<Board>()("app/Board", options) {}`.
 */
export const Service = <Self>() => <const Id extends string, S extends Schema.Top>(id: Id, options: Options<S>) =>
  Shared.service<Self>()(id, facade(options.value), creation(options))

/** Opens a named open namespace, or makes an unnamed one, for the life of the scope. */
export const make = <S extends Schema.Top>(
  options: Options<S> & { readonly name?: string | undefined }
): Effect.Effect<OpenNamespaceOf<S>, Shared.OpenError, Manager | Scope.Scope | Services<S>> =>
  Shared.open(facade(options.value), creation(options), options.name)

/**
 * The schema of an open namespace's handle, for open namespaces inside payloads, items and values. Takes the options of
 * `make`, or the schema in them.
 */
export const schema: {
  <S extends Schema.Top>(value: S): Shared.HandleSchema<OpenNamespaceOf<S>, Services<S>>
  <S extends Schema.Top>(
    options: Shared.SchemaOptions<Options<S>, "value">
  ): Shared.HandleSchema<OpenNamespaceOf<S>, Services<S>>
} = <S extends Schema.Top>(given: S | Shared.SchemaOptions<Options<S>, "value">) =>
  Shared.handleSchema(facade(Schema.isSchema(given) ? given : given.value))

/** Whether a value is a `SharedOpenNamespace`. */
export const isSharedOpenNamespace = (u: unknown): u is SharedOpenNamespace<unknown> => Shared.isShared(kind)(u)

// internals

type OpenRemote = Remote<typeof openNamespace>

const proxy = <A>(remote: OpenRemote, codec: ValueCodec.ValueCodec<A>): SharedOpenNamespace<A> => {
  const decodeAll = (operation: string) => (parts: ReadonlyArray<Argument>) =>
    Exit.map(decoded(remote, operation, codec, parts), (entries): Values<A> => Object.fromEntries(entries))
  const changes = remote.notifications.pipe(
    Stream.mapAccumEffect(
      () => new Map<string, A>(),
      (known, { event, parts }) =>
        Exit.map(decoded(remote, "changes", codec, parts), (entries) => {
          // A change without parts removed every name.
          if (event !== "change" || parts.length === 0) known.clear()
          for (const part of parts) if (typeof part === "string") known.delete(part)
          for (const [name, value] of entries) known.set(name, value)
          const values: Values<A> = Object.fromEntries(known)
          return [known, [values]] as const
        })
    )
  )
  return {
    [Shared.TypeId]: remote,
    field: (name) => field(remote, name, codec),
    get: remote.call("entries", [], decodeAll("get")),
    set: (values) => Field.setAll(remote, Object.entries(values).map(([name, value]) => [name, codec, value])),
    names: remote.call("words", [], (names) => Exit.succeed([...names].sort())),
    clear: remote.call("clear", [], () => Exit.void),
    changes,
    until: (is) => first(remote, Stream.filter(changes, is))
  }
}

/** The names and decoded values among the parts, without names that were removed. */
const decoded = <A>(
  remote: OpenRemote,
  operation: string,
  codec: ValueCodec.ValueCodec<A>,
  parts: ReadonlyArray<Argument>
): Exit.Exit<ReadonlyArray<readonly [string, A]>, ManagerError> =>
  all(parts.flatMap((name, i) => {
    const value = parts[i + 1]
    return typeof name !== "string" || value === null
      ? []
      : [both(Exit.succeed(name), () => remote.decode(operation, codec, value as Cell))]
  }))

const field = <A>(
  remote: OpenRemote,
  name: string,
  codec: ValueCodec.ValueCodec<A>
): OpenField<A> & Field.Arithmetic => {
  const optional = (operation: string) => (cell: Cell | null) =>
    cell === null ? Exit.succeed(Option.none<A>()) : Exit.map(remote.decode(operation, codec, cell), Option.some)
  const entry = Field.optionalEntry(remote, name, codec)
  const changes = Stream.mapEffect(Field.cells(remote, name), optional("changes"))
  return {
    get: remote.call("get", [name], ([cell]): Exit.Exit<A, FieldNotSet | ManagerError> =>
      cell === null
        ? Exit.fail(new FieldNotSet({ namespace: remote.target.description, field: name }))
        : remote.decode("get", codec, cell)),
    set: Field.set(remote, name, codec),
    hold: (value) => Field.hold(remote, name, codec, value),
    remove: remote.call("remove", [name], ([cell]) => Exit.succeed(cell !== null)),
    modify: (f) => modify(entry, f),
    changes,
    until: (is) =>
      Effect.map(first(remote, Stream.filter(changes, (value) => Option.exists(value, is))), Option.getOrThrow),
    untilSet: remote.call("untilHas", [name], ([cell]) => remote.decode("untilSet", codec, cell!)),
    untilRemoved: remote.call("untilRemoved", [name], () => Exit.void),
    untilEquals: Field.untilEquals(remote, name, codec),
    tx: transactionField(remote, name, optionalCodec(remote, "tx", codec)),
    ...Field.arithmetic(remote, name, codec as unknown as ValueCodec.ValueCodec<number>)
  }
}
