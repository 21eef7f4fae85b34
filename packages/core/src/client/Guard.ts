/**
 * The guard of a fiber: the holds it stands under, which every call it makes is checked against (S-21), and those of them
 * that a call of the fiber stalls (S-34).
 */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import type { GrantId } from "../engine/Operation.ts"

/** A hold, and the connection it was acquired over: it says nothing to any other manager. */
export interface GuardedBy {
  readonly connection: object
  /** A hold that is renewed gets another one (`Held`). */
  readonly token: GrantId
  /** The fiber that runs the body: the hold ends when this fiber does. Absent: the body has not begun, or something else ends it. */
  readonly body: AnyFiber | undefined
  /** The fiber that waits for the body. */
  readonly holder: AnyFiber | undefined
}

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** The holds around the running effect, outermost first. Empty outside of any `withLock`. */
export const Guard = Context.Reference<ReadonlyArray<GuardedBy>>("@effect-multiprocessing/core/Guard", {
  defaultValue: () => []
})

/** The holds that a fiber stands under and that were acquired over a connection. */
export const guardFor = (fiber: AnyFiber, connection: object): ReadonlyArray<GrantId> => {
  const guard = fiber.getRef(Guard)
  return guard.length === 0 ? none : guard.filter((hold) => hold.connection === connection).map(({ token }) => token)
}

const none: ReadonlyArray<GrantId> = []

/**
 * How many of the innermost holds around a fiber end no earlier than the call for which the fiber waits. A fiber that was
 * forked inside of a body is not the one that runs it: the body may go on without the fiber, which may be under a timeout
 * or in a race. A hold of another manager may end by itself, which would interrupt the fiber.
 */
export const stalledBy = (caller: AnyFiber, connection: object): number => {
  const guard = caller.getRef(Guard)
  if (guard.some((hold) => hold.connection !== connection)) return 0
  let count = 0
  let waiting: AnyFiber | undefined = caller
  for (const hold of guard.toReversed()) {
    if (hold.body !== waiting) break
    count++
    waiting = hold.holder
  }
  return count
}
