/** Codecs for a task's payloads, results and failures, compiled once for each task and process. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type { TextCell } from "../engine/Value.ts"
import { beginningOf, causeOf } from "../proxy/infrastructure.ts"
import * as ValueCodec from "../proxy/ValueCodec.ts"
import type * as Task from "../Task.ts"

/** The codecs of one task. A job has one or more payloads, and one result for each, in order. */
export interface Codecs {
  readonly payloads: ValueCodec.TextCodec<ReadonlyArray<unknown>>
  readonly values: ValueCodec.TextCodec<ReadonlyArray<unknown>>
  readonly failure: ValueCodec.TextCodec<Cause.Cause<unknown>>
}

/** The encoded results of a job, or its encoded failure. */
export interface Encoded {
  readonly _tag: "Values" | "Failure"
  readonly cell: TextCell
}

/** The defect of a task whose result or error does not match its schema. */
export class Mismatch extends Error {
  readonly _tag = "Mismatch"
}

/**
 * Encodes how the run of a task ended. What does not match its schema is a mistake of the program: this fails with a
 * defect that has the issue, and the failure that cannot be told otherwise.
 */
export const encode = (
  { failure, values }: Codecs,
  task: string,
  exit: Exit.Exit<ReadonlyArray<unknown>, unknown>
): Exit.Exit<Encoded, Mismatch> => {
  const isSuccess = Exit.isSuccess(exit)
  const encoded = isSuccess ? values.encode(exit.value) : failure.encode(exit.cause)
  if (Exit.isSuccess(encoded)) return Exit.succeed({ _tag: isSuccess ? "Values" : "Failure", cell: encoded.value })
  const issue = `the ${isSuccess ? "result" : "error"} of ${task} does not match its schema: ${
    messageOf(encoded.cause)
  }`
  return Exit.fail(new Mismatch(isSuccess ? issue : `${issue}\nThe task failed with: ${beginningOf(exit.cause)}`))
}

/** The defect of a task whose error is too large to be told as a whole. */
export const tooLarge = (task: string, limit: string, cause: Cause.Cause<unknown>): Error =>
  new Error(`the error of ${task} would exceed ${limit}\nThe task failed with: ${beginningOf(cause)}`)

const messageOf = (cause: Cause.Cause<Schema.SchemaError>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}

/** Compiles the codecs of a task. */
export const make = <T extends Task.Any>(task: T): Effect.Effect<Codecs, never, Task.CallerServices<T>> =>
  Effect.all({
    payloads: ValueCodec.makeText(Schema.Array(task.payload)),
    values: ValueCodec.makeText(Schema.Array(task.success)),
    failure: ValueCodec.makeText(causeOf(task.error as T["error"]))
  })
