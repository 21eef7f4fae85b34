/**
 * The leases that a fiber works under: an offer to a queue says which items of that queue it was made for, so that the
 * manager sees when a queue waits for itself.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { GrantId } from "../engine/Operation.ts"
import type { Target } from "./Target.ts"

/** A lease. */
export interface Leased {
  readonly connection: object
  readonly queue: Target["id"]
  readonly id: GrantId
  isSettled: boolean
}

/** The leases of the running effect. */
const Leases = Context.Reference<ReadonlyArray<Leased>>("@effect-multiprocessing/core/Leases", {
  defaultValue: () => []
})

const leased = (connection: object, { id: queue }: Target, id: GrantId): Leased => ({
  connection,
  queue,
  id,
  isSettled: false
})

const isOpen = ({ isSettled }: Leased): boolean => !isSettled

/** Runs an effect under a lease of a queue. */
export const under = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  connection: object,
  target: Target,
  id: GrantId
): Effect.Effect<A, E, R> =>
  Effect.updateService(effect, Leases, (outer) => [...outer.filter(isOpen), leased(connection, target, id)])

/**
 * From now on the running fiber works under a lease of a queue, until that is settled or the fiber leaves the scope in
 * which it is. Fibers that it forks do, too.
 */
export const begin = (connection: object, target: Target, id: GrantId): Effect.Effect<Leased> =>
  Effect.withFiber((fiber) => {
    const lease = leased(connection, target, id)
    const outer = fiber.getRef(Leases).filter(isOpen)
    // A region that provides something, such as `Effect.scoped`, restores the context at its end.
    fiber.setContext(Context.add(fiber.context, Leases, [...outer, lease]))
    return Effect.succeed(lease)
  })

/** The leases of a queue that the running fiber works under. Called while a fiber registers its call. */
export const leasesOf = (connection: object, { id: queue }: Target): ReadonlyArray<GrantId> => {
  const leases = Fiber.getCurrent()!.getRef(Leases)
  if (leases.length === 0) return none
  return leases.flatMap((lease) =>
    lease.connection === connection && lease.queue === queue && isOpen(lease) ? [lease.id] : []
  )
}

const none: ReadonlyArray<GrantId> = []
