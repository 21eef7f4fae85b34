/** Durations that a program gives. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/** The milliseconds of a duration; NaN if it is none. */
export const millisecondsOf = (time: Duration.Input): number =>
  Option.match(Duration.fromInput(time), { onNone: () => NaN, onSome: Duration.toMillis })
