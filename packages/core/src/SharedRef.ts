/**
 * A shared value: Effect's `SubscriptionRef`, Python's `Value`. The manager itself can add to a number (S-25).
 */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { ref } from "./engine/kinds/record.ts"
import * as Field from "./proxy/Field.ts"
import type { Manager } from "./proxy/Manager.ts"
import * as Shared from "./proxy/Shared.ts"
import * as ValueCodec from "./proxy/ValueCodec.ts"

export { OutOfBounds } from "./proxy/Field.ts"
export type { TransactionField } from "./proxy/recordTransaction.ts"

/** A shared value: the methods of `Field`. */
export interface SharedRef<in out A> extends Field.Field<A>, Shared.Shared {}

/** A shared number: the methods of `Field` and `Arithmetic`. */
export interface SharedNumber extends Field.NumberField, Shared.Shared {}

/** The ref of a schema: a `SharedNumber` if its type and encoding are exactly `number`. */
export type RefOf<S extends Schema.Top> = Field.FieldOf<S> & Shared.Shared

/** Options of a ref. All programs that open a name must agree on `schema`. */
export interface Options<S extends Schema.Top> {
  readonly schema: S
  /** The value of a new ref. Ignored when the name exists (S-27). */
  readonly initial: S["Type"]
}

const kind = "Ref"

/** A ref is a record of one field. */
const field = "value"

type Services<S extends Schema.Top> = S["DecodingServices"] | S["EncodingServices"]

type Codec<S extends Schema.Top> = ValueCodec.ValueCodec<S["Type"]>

const facade = <S extends Schema.Top>(schema: S): Shared.Facade<RefOf<S>, typeof ref, Codec<S>, Services<S>> => ({
  kind,
  values: { schemas: [schema], codecs: ValueCodec.make(schema) },
  // `make` gives every field arithmetic; the type RefOf shows it where the schema is a number.
  proxy: (remote, codec) => ({ ...Field.make(remote, field, codec), [Shared.TypeId]: remote }) as unknown as RefOf<S>
})

const creation = <S extends Schema.Top>({ initial, schema }: Options<S>): Shared.Creation<typeof ref, Codec<S>> => ({
  options: { [field]: Field.arithmeticOption(schema) },
  initial: (codec) => Exit.map(codec.encodeCanonical(initial), (cell) => [cell])
})

/**
 * Declares a named ref as a service:
 * `class Done extends SharedRef.Service<Done>()("app/Done", { schema: Schema.Int, initial: 0 }) {}`.
 */
export const Service = <Self>() => <const Id extends string, S extends Schema.Top>(id: Id, options: Options<S>) =>
  Shared.service<Self>()(id, facade(options.schema), creation(options))

/** Opens a named ref, or makes an unnamed one, for the life of the scope. */
export const make = <S extends Schema.Top>(
  options: Options<S> & { readonly name?: string | undefined }
): Effect.Effect<RefOf<S>, Shared.OpenError, Manager | Scope.Scope | Services<S>> =>
  Shared.open(facade(options.schema), creation(options), options.name)

/**
 * The schema of a ref's handle, for refs inside payloads, items and values. Takes the options of `make`,
 * or the schema in them.
 */
export const schema: {
  <S extends Schema.Top>(schema: S): Shared.HandleSchema<RefOf<S>, Services<S>>
  <S extends Schema.Top>(
    options: Shared.SchemaOptions<Options<S>, "schema">
  ): Shared.HandleSchema<RefOf<S>, Services<S>>
} = <S extends Schema.Top>(given: S | Shared.SchemaOptions<Options<S>, "schema">) =>
  Shared.handleSchema(facade(Schema.isSchema(given) ? given : given.schema))

/** Whether a value is a `SharedRef`. */
export const isSharedRef = (u: unknown): u is SharedRef<unknown> => Shared.isShared(kind)(u)
