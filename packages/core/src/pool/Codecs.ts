/** Codecs for a task's payloads, results and failures, compiled once for each task and process. */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as ValueCodec from "../proxy/ValueCodec.ts"
import type * as Task from "../Task.ts"

/** The codecs of one task. A job has one or more payloads, and one result for each, in order. */
export interface Codecs {
  readonly payloads: ValueCodec.TextCodec<ReadonlyArray<unknown>>
  readonly values: ValueCodec.TextCodec<ReadonlyArray<unknown>>
  readonly failure: ValueCodec.TextCodec<Cause.Cause<unknown>>
}

/** Compiles the codecs of a task. */
export const make = <T extends Task.Any>(task: T): Effect.Effect<Codecs, never, Task.CallerServices<T>> =>
  Effect.all({
    payloads: ValueCodec.makeText(Schema.Array(task.payload)),
    values: ValueCodec.makeText(Schema.Array(task.success)),
    failure: ValueCodec.makeText(Schema.Cause(task.error, Schema.Defect({ includeStack: true })))
  })
