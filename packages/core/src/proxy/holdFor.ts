/** The option that bounds how long one holder may have an object, or an item of it. */
import * as Duration from "effect/Duration"
import { millisecondsOf } from "./duration.ts"

/** Options of what is held. */
export interface HoldFor {
  /**
   * How long one holder may have it; without a bound if absent or infinite. A holder that has it longer loses it, as when
   * its process dies. Nothing else ends the hold of a process that is frozen and keeps its connection. Choose a time that
   * the work never needs.
   */
  readonly holdFor?: Duration.Input | undefined
}

/** The option as the manager reads it. It refuses what is no duration, or not positive. */
export const holdForOption = ({ holdFor = Duration.infinity }: HoldFor): { readonly holdFor?: number } => {
  const milliseconds = millisecondsOf(holdFor)
  return milliseconds === Infinity ? {} : { holdFor: Math.ceil(milliseconds) }
}
