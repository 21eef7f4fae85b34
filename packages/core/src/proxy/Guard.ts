/**
 * The guard of a fiber: the holds it stands under, which every call it makes is checked against (S-21).
 */
import * as Context from "effect/Context"
import type { GrantId } from "../engine/Kind.ts"

/** A hold, and the connection it was acquired over: it says nothing to any other manager. */
export interface GuardedBy {
  readonly connection: object
  readonly token: GrantId
}

/** The holds around the running effect, outermost first. Empty outside of any `withLock`. */
export const Guard = Context.Reference<ReadonlyArray<GuardedBy>>("@effect-multiprocessing/core/Guard", {
  defaultValue: () => []
})

/** The holds among these that were acquired over a connection. */
export const holdsOf = (connection: object, guard: ReadonlyArray<GuardedBy>): ReadonlyArray<GrantId> =>
  guard.filter((hold) => hold.connection === connection).map(({ token }) => token)
