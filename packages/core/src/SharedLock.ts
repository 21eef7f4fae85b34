/**
 * A lock between processes: Effect's one-permit `Semaphore`, fenced (S-20 to S-22).
 *
 * Inside `withLock` every call to this manager carries the hold. A holder that has lost its lock cannot write through
 * it: the manager, which owns both the lock and the data, refuses the call in the same step.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Guard } from "./client/Guard.ts"
import type { lock } from "./engine/kinds/lock.ts"
import { type Locking, locking } from "./proxy/locking.ts"
import type { Manager } from "./proxy/Manager.ts"
import * as Shared from "./proxy/Shared.ts"

export { AlreadyHeld, type Hold, LockLost } from "./proxy/locking.ts"

/** A lock between processes. */
export interface SharedLock extends Locking, Shared.Shared {}

const kind = "Lock"

const facade: Shared.Facade<SharedLock, typeof lock> = {
  kind,
  proxy: (remote) => ({ ...locking(remote), [Shared.TypeId]: remote })
}

/** Names a lock as a service: `class Gate extends SharedLock.Service<Gate>()("app/Gate") {}`. */
export const Service = <Self>() => <const Id extends string>(id: Id) => Shared.service<Self>()(id, facade, {})

/** Opens a lock by name, or makes one without a name, for the life of the scope. */
export const make = (
  options?: { readonly name?: string | undefined }
): Effect.Effect<SharedLock, Shared.OpenError, Manager | Scope.Scope> => Shared.open(facade, {}, options?.name)

/** A lock's handle as a value. */
export const schema = Shared.handleSchema(facade)

/** Whether something is a lock. */
export const isSharedLock = (u: unknown): u is SharedLock => Shared.isShared(kind)(u)

/** Runs an effect without the holds around it: for work that may outlive the lock it was started under (S-21). */
export const unguarded = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(self, Guard, [])
