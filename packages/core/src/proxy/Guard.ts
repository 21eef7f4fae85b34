/**
 * The guard of a fiber: the holds it stands under, which every call it makes is checked against (S-21).
 */
import * as Context from "effect/Context"
import type { GrantId } from "../engine/Kind.ts"

/** The holds around the running effect, outermost first. Empty outside of any `withLock`. */
export const Guard = Context.Reference<ReadonlyArray<GrantId>>("@effect-multiprocessing/core/Guard", {
  defaultValue: () => []
})
