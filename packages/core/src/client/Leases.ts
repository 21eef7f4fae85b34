/**
 * The leases that a fiber works under: an offer to a queue says which items of that queue it was made for, so that the
 * manager sees when a queue waits for itself.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { GrantId } from "../engine/Operation.ts"
import type { Target } from "./Target.ts"

/** A lease, and the one around it. */
interface Leased {
  readonly connection: object
  readonly queue: Target["id"]
  readonly id: GrantId
  readonly outer: Leased | undefined
}

/** The innermost lease of the running effect. */
const Leases = Context.Reference<Leased | undefined>("@effect-multiprocessing/core/Leases", {
  defaultValue: () => undefined
})

/** Runs an effect under a lease of a queue. */
export const under = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  connection: object,
  { id: queue }: Target,
  id: GrantId
): Effect.Effect<A, E, R> => Effect.updateService(effect, Leases, (outer) => ({ connection, queue, id, outer }))

/** The leases of a queue that the running fiber works under. Called while a fiber registers its call. */
export const leasesOf = (connection: object, { id: queue }: Target): ReadonlyArray<GrantId> => {
  let lease = Fiber.getCurrent()!.getRef(Leases)
  if (lease === undefined) return none
  const found: Array<GrantId> = []
  for (; lease !== undefined; lease = lease.outer) {
    if (lease.connection === connection && lease.queue === queue) found.push(lease.id)
  }
  return found
}

const none: ReadonlyArray<GrantId> = []
