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

/**
 * Declares a task. `payload` is a schema, or the fields of a struct. Without `success` the task returns nothing,
 * without `error` it cannot fail. The `tag` is unique in its group.
 */
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
  // As `PayloadSchema` says: a schema is the payload's, fields become a struct.
  payload: (Schema.isSchema(options.payload) ? options.payload : Schema.Struct(options.payload)) as PayloadSchema<P>,
  success: (options.success ?? Schema.Void) as S,
  error: (options.error ?? Schema.Never) as E
})
