/**
 * Named values between processes that nobody declares: whoever sets a name makes it, and all see it. Python's
 * `Namespace` as it is; with known names use `SharedNamespace`. A name is any text, one with an underscore, too.
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
import type { Remote } from "./proxy/Remote.ts"
import * as Shared from "./proxy/Shared.ts"
import * as ValueCodec from "./proxy/ValueCodec.ts"

/** Nobody has set the field, or it was removed. */
export class FieldNotSet extends Schema.TaggedError<FieldNotSet>()("FieldNotSet", {
  namespace: Schema.String,
  field: Schema.String
}) {
  override get message(): string {
    return `${this.namespace} has no ${JSON.stringify(this.field)}: nobody has set it, or it was removed`
  }
}

/** The values by name. */
export type Values<A> = Readonly<Record<string, A>>

/** One name of an open namespace, whether it is set or not. */
export interface OpenField<in out A> {
  readonly get: Effect.Effect<A, FieldNotSet | ManagerError>
  readonly set: (value: A) => Effect.Effect<void, ManagerError>
  /** Removes the value (Python's `del`); answers whether there was one. */
  readonly remove: Effect.Effect<boolean, ManagerError>
  /**
   * Replaces the value by what `f` makes of it, or removes it with `Option.none()`; answers what `f` answers. Fairness,
   * cancellation and disconnect as for `SharedRef.modify` (S-28).
   */
  readonly modify: <B>(
    f: (current: Option.Option<A>) => readonly [B, Option.Option<A>]
  ) => Effect.Effect<B, ManagerError>
  /** The value now, then after every change of it, as `SharedRef.changes`; none while it is not set. */
  readonly changes: Stream.Stream<Option.Option<A>, ManagerError>
  /** Waits until the field is set and satisfies the predicate, and answers it (see `SharedRef.until`). */
  readonly until: (is: Predicate.Predicate<A>) => Effect.Effect<A, ManagerError>
  /**
   * Waits until the field is set, and answers its value. The manager looks at every change and sends one message: a
   * value that is there for one change only is not missed (S-29).
   *
   * **Fairness** Waiting holds up nobody; all who wait for the same go at once. **Cancellation** Interruptible; the
   * manager forgets the call. **On disconnect** `ManagerError`.
   */
  readonly untilSet: Effect.Effect<A, ManagerError>
  /** Waits until the field is not set. Otherwise as `untilSet`. */
  readonly untilRemoved: Effect.Effect<void, ManagerError>
  /** Waits until the field is set and equals a value, as they are encoded. Otherwise as `untilSet`. */
  readonly untilEquals: (value: A) => Effect.Effect<void, ManagerError>
}

/** One name of an open namespace of numbers. What is added to a field that is not set is added to 0. */
export interface OpenNumberField extends OpenField<number>, Field.Arithmetic {}

/** Named values between processes that nobody declares. */
export interface SharedOpenNamespace<in out A> extends Shared.Shared {
  /** One name, as a ref: set or not. */
  readonly field: (name: string) => OpenField<A>
  /** All values, of one instant. */
  readonly get: Effect.Effect<Values<A>, ManagerError>
  /** Sets some values in one step: nobody sees a part of them. */
  readonly set: (values: Values<A>) => Effect.Effect<void, ManagerError>
  /** The names that are set, sorted. */
  readonly names: Effect.Effect<ReadonlyArray<string>, ManagerError>
  /** Removes every name, in one step. */
  readonly clear: Effect.Effect<void, ManagerError>
  /** All values now, then again after every change. A reader that falls behind skips to the current ones. */
  readonly changes: Stream.Stream<Values<A>, ManagerError>
  /** Waits until the values satisfy the predicate, and answers them (see `SharedRef.until`). */
  readonly until: (is: Predicate.Predicate<Values<A>>) => Effect.Effect<Values<A>, ManagerError>
}

/** Numbers between processes whose names nobody declares. */
export interface SharedOpenNumberNamespace extends SharedOpenNamespace<number> {
  readonly field: (name: string) => OpenNumberField
}

/** The open namespace of a schema: a `SharedOpenNumberNamespace` if its type and encoding are exactly `number`. */
export type OpenNamespaceOf<S extends Schema.Top> = Field.IfNumber<
  S,
  SharedOpenNumberNamespace,
  SharedOpenNamespace<S["Type"]>
>

/** What an open namespace is made with. */
export interface Options<S extends Schema.Top> {
  /** Of every value; for values of several types a union. */
  readonly value: S
}

const kind = "OpenNamespace"

type Services<S extends Schema.Top> = S["DecodingServices"] | S["EncodingServices"]

type Codec<S extends Schema.Top> = ValueCodec.ValueCodec<S["Type"]>

const facade = <S extends Schema.Top>(
  value: S
): Shared.Facade<OpenNamespaceOf<S>, typeof openNamespace, Codec<S>, Services<S>> => ({
  kind,
  values: { fingerprint: ValueCodec.fingerprint(value), codecs: ValueCodec.make(value) },
  // `proxy` gives every field arithmetic; OpenNamespaceOf shows it where the schema is a number.
  proxy: (remote, codec) => proxy(remote, codec) as unknown as OpenNamespaceOf<S>
})

const creation = <S extends Schema.Top>({ value }: Options<S>) => ({
  options: { values: Field.arithmeticOption(value) }
})

/** Names an open namespace as a service. */
export const Service = <Self>() => <const Id extends string, S extends Schema.Top>(id: Id, options: Options<S>) =>
  Shared.service<Self>()(id, facade(options.value), creation(options))

/** Opens an open namespace by name, or makes one without a name, for the life of the scope. */
export const make = <S extends Schema.Top>(
  options: Options<S> & { readonly name?: string | undefined }
): Effect.Effect<OpenNamespaceOf<S>, Shared.OpenError, Manager | Scope.Scope | Services<S>> =>
  Shared.open(facade(options.value), creation(options), options.name)

/** An open namespace's handle as a value. */
export const schema = <S extends Schema.Top>(value: S): Shared.HandleSchema<OpenNamespaceOf<S>, Services<S>> =>
  Shared.handleSchema(facade(value))

/** Whether something is an open namespace. */
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
          // A change without parts has removed every name.
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
    until: (is) => first(Stream.filter(changes, is))
  }
}

/** The names and values among the parts; a name that was removed is not among them. */
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
    remove: remote.call("remove", [name], ([cell]) => Exit.succeed(cell !== null)),
    modify: (f) => modify(entry, f),
    changes,
    until: (is) => Effect.map(first(Stream.filter(changes, (value) => Option.exists(value, is))), Option.getOrThrow),
    untilSet: remote.call("untilHas", [name], ([cell]) => remote.decode("untilSet", codec, cell!)),
    untilRemoved: remote.call("untilRemoved", [name], () => Exit.void),
    untilEquals: Field.untilEquals(remote, name, codec),
    ...Field.arithmetic(remote, name, codec as unknown as ValueCodec.ValueCodec<number>)
  }
}
