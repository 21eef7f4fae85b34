/** The codecs of an own kind: those of its clients, and those of its manager. */
import * as Effect from "effect/Effect"
import { memoize } from "effect/Function"
import * as Schema from "effect/Schema"
import type * as Kind from "../Kind.ts"
import * as ValueCodec from "../proxy/ValueCodec.ts"

/** The codec of values of which only their schema knows the type. */
export type Codec = ValueCodec.ValueCodec<unknown>

/** The codecs of one operation; absent: nothing is sent. */
export interface OperationCodecs {
  readonly payload: Codec | undefined
  readonly success: Codec | undefined
  readonly error: Codec
}

/** The codecs of a kind. */
export interface KindCodecs {
  readonly state: Codec
  /** Absent: its objects have no options. */
  readonly options: ValueCodec.TextCodec<unknown> | undefined
  readonly operations: Readonly<Record<string, OperationCodecs>>
}

/** The codecs of a kind, compiled once. */
export const codecsOf: (kind: Kind.Any) => KindCodecs = memoize(({ operations, options, state }: Kind.Any) => ({
  state: compile(state),
  options: options === Schema.Void ? undefined : Effect.runSync(ValueCodec.makeText(options)),
  operations: Object.fromEntries(
    Object.entries(operations).map(([name, { error, payload, success }]) => [name, {
      payload: optional(payload),
      success: optional(success),
      error: compile(error)
    }])
  )
}))

const compile = (schema: Kind.Plain): Codec => Effect.runSync(ValueCodec.make(schema))

const optional = (schema: Kind.Plain): Codec | undefined => schema === Schema.Void ? undefined : compile(schema)
