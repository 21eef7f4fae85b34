/** A number as an own kind. */
import { Kind } from "@effect-multiprocessing/core"
import * as Schema from "effect/Schema"

/** Adds, and returns the sum, as `SharedNumber` does. */
export const Counter = Kind.make("bench/Counter", {
  state: Schema.Struct({ count: Schema.Int }),
  initial: { count: 0 },
  operations: { add: Kind.change({ payload: Schema.Int, success: Schema.Int }) },
  transitions: { add: ({ count }, n) => Kind.reply({ count: count + n }, count + n) }
})
