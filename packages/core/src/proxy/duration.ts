/** Durations that a program gives. Effect reads NaN, and an object without a number, as zero. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/** The milliseconds of a duration; NaN if it is none. */
export const millisecondsOf = (input: Duration.Input): number =>
  isNumeric(input) ? Option.match(Duration.fromInput(input), { onNone: () => NaN, onSome: Duration.toMillis }) : NaN

const isNumeric = (input: Duration.Input): boolean => {
  if (typeof input !== "object" || input === null || Duration.isDuration(input)) return !Number.isNaN(input)
  const parts = Object.values(input)
  return parts.some((part) => typeof part === "number") && !parts.some(Number.isNaN)
}
