/**
 * A shared latch: Effect's `Latch`, Python's `Event`. While it is closed every waiter waits; while it is open nobody
 * waits.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { latch } from "./engine/kinds/latch.ts"
import type { ManagerError } from "./ManagerError.ts"
import type { Manager } from "./proxy/Manager.ts"
import * as Shared from "./proxy/Shared.ts"

/** A shared latch. A new latch is closed. Every method but `await` and `whenOpen` is one call that never waits. */
export interface SharedLatch extends Shared.Shared {
  /**
   * Waits until the latch is opened or released.
   *
   * **Fairness** All waiters are released in the step in which the latch opens. **Cancellation** Interruptible; the
   * manager forgets the waiter. **On disconnect** `ManagerError`.
   */
  readonly await: Effect.Effect<void, ManagerError>
  /** Opens the latch: releases all waiters, and later ones do not wait. Returns whether it was closed. */
  readonly open: Effect.Effect<boolean, ManagerError>
  /** Closes the latch: later waiters wait. Returns whether it was open. */
  readonly close: Effect.Effect<boolean, ManagerError>
  /** Releases the current waiters without opening the latch. Returns whether it was closed. */
  readonly release: Effect.Effect<boolean, ManagerError>
  /** Whether the latch is open. It may have changed by the time this returns. */
  readonly isOpen: Effect.Effect<boolean, ManagerError>
  /** Waits as `await` does, then runs an effect. **Fairness**, **Cancellation** and **On disconnect** as `await`. */
  readonly whenOpen: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | ManagerError, R>
}

const kind = "Latch"

const facade: Shared.Facade<SharedLatch, typeof latch> = {
  kind,
  proxy: (remote) => {
    const changed = ([changed]: readonly [number]) => Exit.succeed(changed === 1)
    const wait = remote.call("await", [], () => Exit.void)
    return {
      [Shared.TypeId]: remote,
      await: wait,
      open: remote.call("open", [], changed),
      close: remote.call("close", [], changed),
      release: remote.call("release", [], changed),
      isOpen: remote.call("isOpen", [], changed),
      whenOpen: (self) => Effect.andThen(wait, self)
    }
  }
}

/** Declares a named latch as a service: `class Go extends SharedLatch.Service<Go>()("app/Go") {}`. */
export const Service = <Self>() => <const Id extends string>(id: Id) => Shared.service<Self>()(id, facade, {})

/** Opens a named latch, or makes an unnamed one, for the life of the scope. */
export const make = (
  options?: { readonly name?: string | undefined }
): Effect.Effect<SharedLatch, Shared.OpenError, Manager | Scope.Scope> => Shared.open(facade, {}, options?.name)

/** The schema of a latch's handle, for latches inside payloads, items and values. */
export const schema = Shared.handleSchema(facade)

/** Whether a value is a `SharedLatch`. */
export const isSharedLatch = (u: unknown): u is SharedLatch => Shared.isShared(kind)(u)
