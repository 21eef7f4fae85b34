/** Indexes and bounds, as lists and arrays take them. */
import * as Schema from "effect/Schema"
import type { Refusals } from "./Remote.ts"

/** The list or array has nothing at this index. Nothing was changed. */
export class IndexOutOfRange extends Schema.TaggedError<IndexOutOfRange>()("IndexOutOfRange", {
  object: Schema.String,
  index: Schema.Number,
  size: Schema.Number
}) {
  override get message(): string {
    return `${this.object} has nothing at ${this.index}: its size is ${this.size}. Nothing was changed`
  }
}

/** What a call about an index may be refused with. */
export const whenOutOfRange = (index: number): Refusals<"IndexOutOfRange", IndexOutOfRange> => ({
  IndexOutOfRange: ([size], object) => new IndexOutOfRange({ object, index, size: Number(size) })
})

/** As a bound: wherever the end is. */
export const theEnd = Infinity

/** On the wire bounds are whole numbers: a bound beyond either end is that of the numbers. */
export const whole = (bound: number): number =>
  typeof bound === "number" ? Math.max(-Number.MAX_SAFE_INTEGER, Math.min(bound, Number.MAX_SAFE_INTEGER)) : bound
