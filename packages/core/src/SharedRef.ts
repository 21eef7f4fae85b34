/**
 * A value between processes: Effect's `SubscriptionRef`. A number can also be added to, in the manager (S-25).
 */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { namespace, ref } from "./engine/kinds/record.ts"
import type { Manager } from "./Manager.ts"
import * as Field from "./proxy/Field.ts"
import * as Shared from "./proxy/Shared.ts"
import * as ValueCodec from "./proxy/ValueCodec.ts"

export { OutOfBounds } from "./proxy/Field.ts"

/** A value between processes. */
export interface SharedRef<in out A> extends Field.Field<A>, Shared.Shared {}

/** A number between processes. */
export interface SharedNumber extends Field.NumberField, Shared.Shared {}

/** The ref of a schema: a `SharedNumber` if its type and encoding are exactly `number`. */
export type RefOf<S extends Schema.Top> = Field.FieldOf<S> & Shared.Shared

/** What a ref is made with. */
export interface Options<S extends Schema.Top> {
  readonly schema: S
  /** The first value. Whoever opens the name first sets it; later ones are not compared (S-27). */
  readonly initial: S["Type"]
}

const kind = "Ref"

/** A ref is a record of one field. */
const field = "value"

type Services<S extends Schema.Top> = S["DecodingServices"] | S["EncodingServices"]

type Blueprint<S extends Schema.Top> = Shared.Blueprint<
  RefOf<S>,
  ValueCodec.ValueCodec<S["Type"]>,
  Services<S>,
  typeof ref | typeof namespace
>

const blueprint = <S extends Schema.Top>(schema: S, initial?: { readonly value: S["Type"] }): Blueprint<S> => ({
  kind,
  fingerprint: ValueCodec.fingerprint(schema),
  options: { [field]: Field.arithmeticOption(schema) },
  codecs: ValueCodec.make(schema),
  initial: (codec) =>
    initial === undefined ? Exit.succeed([]) : Exit.map(codec.encode(initial.value), (cell) => [cell]),
  // `make` gives every field arithmetic; RefOf shows it where the schema is a number.
  proxy: (remote, codec) => ({ ...Field.make(remote, field, codec), [Shared.TypeId]: remote }) as unknown as RefOf<S>
})

/** Names a ref as a service: `class Done extends SharedRef.Service<Done>()("app/Done", { schema: Schema.Int, initial: 0 }) {}`. */
export const Service = <Self>() => <const Id extends string, S extends Schema.Top>(id: Id, options: Options<S>) =>
  Shared.service<Self>()(id, blueprint(options.schema, { value: options.initial }))

/** Opens a ref by name, or makes one without a name, for the life of the scope. */
export const make = <S extends Schema.Top>(
  options: Options<S> & { readonly name?: string | undefined }
): Effect.Effect<RefOf<S>, Shared.OpenError, Manager | Scope.Scope | Services<S>> =>
  Shared.open(blueprint(options.schema, { value: options.initial }), options.name)

/** A ref's handle as a value. */
export const schema = <S extends Schema.Top>(value: S): Shared.HandleSchema<RefOf<S>, Services<S>> =>
  Shared.handleSchema(blueprint(value))

/** Whether something is a ref. */
export const isSharedRef = (u: unknown): u is SharedRef<unknown> => Shared.isShared(kind)(u)
