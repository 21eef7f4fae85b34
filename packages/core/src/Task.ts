/**
 * A task: a named unit of work that another process can run, with schemas for its payload, result and error.
 */
import * as Schema from "effect/Schema"

/** The payload of a task: the fields of a struct, or any schema. */
export type PayloadInput = Schema.Struct.Fields | Schema.Top

/** The schema of a payload. */
export type PayloadSchema<P extends PayloadInput> = P extends Schema.Top ? P
  : P extends Schema.Struct.Fields ? Schema.Struct<P>
  : never

/** A task's declaration. Its handler is given to `TaskGroup.toLayer`. */
export interface Task<
  out Tag extends string,
  out Payload extends Schema.Top,
  out Success extends Schema.Top,
  out Error extends Schema.Top
> {
  readonly tag: Tag
  readonly payload: Payload
  readonly success: Success
  readonly error: Error
}

/** Any task. */
export interface Any extends Task<string, Schema.Top, Schema.Top, Schema.Top> {}

/** Services that the caller's codecs need, to send a payload and to read a result. */
export type CallerServices<T extends Any> =
  | T["payload"]["EncodingServices"]
  | T["payload"]["DecodingServices"]
  | ResultServices<T>

/** Services that the codecs of a result need. */
export type ResultServices<T extends Any> =
  | T["success"]["DecodingServices" | "EncodingServices"]
  | T["error"]["DecodingServices" | "EncodingServices"]

/** What a task takes and returns: absent parts are nothing. */
export interface Contract {
  /** A schema, or the fields of a struct. Absent: the task takes nothing. */
  readonly payload?: PayloadInput
  /** Absent: the task returns nothing. */
  readonly success?: Schema.Top
  /** Absent: the task cannot fail. */
  readonly error?: Schema.Top
}

// One type parameter for the contract: an absent part is not inferred from where the task stands.
/** The schema of a contract's payload. */
export type PayloadOf<C> = C extends { readonly payload: infer P extends PayloadInput } ? PayloadSchema<P> : Schema.Void
/** The schema of a contract's result. */
export type SuccessOf<C> = C extends { readonly success: infer S extends Schema.Top } ? S : Schema.Void
/** The schema of a contract's error. */
export type ErrorOf<C> = C extends { readonly error: infer E extends Schema.Top } ? E : Schema.Never

/** No part but those that are known: a misspelt one does not compile. */
export type Only<C, Known> = { readonly [K in Exclude<keyof C, keyof Known>]: never }

/** The schemas of a contract. @internal */
export const schemasOf = <C extends Contract>(
  { error = Schema.Never, payload = Schema.Void, success = Schema.Void }: C
) => ({
  // As the conditional types say: a schema is the payload's, fields become a struct, and what is absent has its default.
  payload: (Schema.isSchema(payload) ? payload : Schema.Struct(payload)) as PayloadOf<C>,
  success: success as SuccessOf<C>,
  error: error as ErrorOf<C>
})

/** Declares a task. The `tag` is unique in its group. */
export const make = <const Tag extends string, C extends Contract = {}>(
  tag: Tag,
  contract: C & Only<C, Contract> = {} as C & Only<C, Contract>
): Task<Tag, PayloadOf<C>, SuccessOf<C>, ErrorOf<C>> => ({ tag, ...schemasOf<C>(contract) })

/** The arguments after a task: its payload, which a task that takes nothing need not be given, and options. */
export type Arguments<T extends Any, Options> = void extends T["payload"]["Type"]
  ? [payload?: T["payload"]["Type"], options?: Options]
  : [payload: T["payload"]["Type"], options?: Options]
