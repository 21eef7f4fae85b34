/**
 * A shared lock: Effect's one-permit `Semaphore`, fenced (S-20 to S-22).
 *
 * Inside `withLock` every call to this manager carries the hold. A holder that has lost its lock cannot write through
 * it: the manager owns both the lock and the data, and refuses the call in the step in which it would take effect.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Guard } from "./client/Guard.ts"
import type { lock } from "./engine/kinds/lock.ts"
import { type HoldFor, holdForOption } from "./proxy/holdFor.ts"
import { type Locking, locking } from "./proxy/locking.ts"
import type { Manager } from "./proxy/Manager.ts"
import * as Shared from "./proxy/Shared.ts"

export { AlreadyHeld, HeldTooLong, type Hold, LockLost } from "./proxy/locking.ts"

/** A shared lock: the methods of `Locking`. */
export interface SharedLock extends Locking, Shared.Shared {}

const kind = "Lock"

const facade: Shared.Facade<SharedLock, typeof lock> = {
  kind,
  proxy: (remote) => ({ ...locking(remote), [Shared.TypeId]: remote })
}

/** Options of a lock. All programs that open a name must agree on them. */
export interface Options extends HoldFor {}

/** Declares a named lock as a service: `class Gate extends SharedLock.Service<Gate>()("app/Gate") {}`. */
export const Service = <Self>() => <const Id extends string>(id: Id, options: Options = {}) =>
  Shared.service<Self>()(id, facade, { options: holdForOption(options) })

/** Opens a named lock, or makes an unnamed one, for the life of the scope. */
export const make = (
  { name, ...options }: Options & { readonly name?: string | undefined } = {}
): Effect.Effect<SharedLock, Shared.OpenError, Manager | Scope.Scope> =>
  Shared.open(facade, { options: holdForOption(options) }, name)

/** The schema of a lock's handle, for locks inside payloads, items and values. */
export const schema = Shared.handleSchema(facade)

/** Whether a value is a `SharedLock`. */
export const isSharedLock = (u: unknown): u is SharedLock => Shared.isShared(kind)(u)

/** Runs an effect without the holds around it. Use it for a fiber that may outlive the `withLock` around it (S-21). */
export const unguarded = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(self, Guard, [])
