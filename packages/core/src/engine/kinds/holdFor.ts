/** How long one holder may have something: its process may be frozen, and then nothing else takes it from there. */
import * as Format from "../Format.ts"
import type { At } from "../Operation.ts"
import { optional, positive } from "../Parameter.ts"

/** The part of a state whose grants may have a deadline. */
export interface Bounded {
  /** In milliseconds; absent: for ever. */
  readonly holdFor: number | undefined
}

/** Gives the grant of this step its deadline. */
export const bound = ({ holdFor }: Bounded, at: At): void => {
  if (holdFor !== undefined) at.expire(holdFor)
}

/** For `Kind.options`. */
export const options = { holdFor: optional(positive) }

/** For `Kind.format`. */
export const fields = { holdFor: Format.optional(Format.count) }
