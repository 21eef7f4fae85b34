/**
 * A task: work that can run in another process, by name, with a schema for what goes in and what comes back.
 */
import * as Schema from "effect/Schema"

/** The payload of a task: the fields of a struct, or any schema. */
export type PayloadInput = Schema.Struct.Fields | Schema.Top

/** The schema of a payload. */
export type PayloadSchema<P extends PayloadInput> = P extends Schema.Top ? P
  : P extends Schema.Struct.Fields ? Schema.Struct<P>
  : never

/** A task, without what it does: that is said by `TaskGroup.toLayer`. */
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

/** Services needed to send a payload and to read a result. */
export type CallerServices<T extends Any> =
  | T["payload"]["EncodingServices"]
  | T["payload"]["DecodingServices"]
  | ResultServices<T>

/** Services needed to carry a result. */
export type ResultServices<T extends Any> =
  | T["success"]["DecodingServices" | "EncodingServices"]
  | T["error"]["DecodingServices" | "EncodingServices"]

/** Defines a task. Without `success` it answers nothing, without `error` it cannot fail. */
export const make = <
  const Tag extends string,
  P extends PayloadInput,
  S extends Schema.Top = typeof Schema.Void,
  E extends Schema.Top = typeof Schema.Never
>(
  tag: Tag,
  options: { readonly payload: P; readonly success?: S; readonly error?: E }
): Task<Tag, PayloadSchema<P>, S, E> => ({
  tag,
  // A schema stands for itself, fields for their struct, as the type says.
  payload: (Schema.isSchema(options.payload) ? options.payload : Schema.Struct(options.payload)) as PayloadSchema<P>,
  success: (options.success ?? Schema.Void) as S,
  error: (options.error ?? Schema.Never) as E
})
