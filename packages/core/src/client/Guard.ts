/**
 * The guard of a fiber: the holds it stands under, which every call it makes is checked against (S-21).
 */
import * as Context from "effect/Context"
import * as Fiber from "effect/Fiber"
import type { GrantId } from "../engine/Operation.ts"

/** A hold, and the connection it was acquired over: it says nothing to any other manager. */
export interface GuardedBy {
  readonly connection: object
  /** A hold that is renewed gets another one (`Held`). */
  readonly token: GrantId
}

/** The holds around the running effect, outermost first. Empty outside of any `withLock`. */
export const Guard = Context.Reference<ReadonlyArray<GuardedBy>>("@effect-multiprocessing/core/Guard", {
  defaultValue: () => []
})

/** The holds that the running fiber stands under and that were acquired over a connection. */
export const guardFor = (connection: object): ReadonlyArray<GrantId> => {
  // Called while a fiber registers its call, so there is one.
  const guard = Fiber.getCurrent()!.getRef(Guard)
  return guard.length === 0 ? none : guard.filter((hold) => hold.connection === connection).map(({ token }) => token)
}

const none: ReadonlyArray<GrantId> = []
