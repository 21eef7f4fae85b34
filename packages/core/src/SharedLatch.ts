/**
 * A latch between processes: Effect's `Latch`, Python's `Event`. Closed it makes everybody wait, open it lets everybody
 * through.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { latch } from "./engine/kinds/latch.ts"
import type { ManagerError } from "./ManagerError.ts"
import type { Manager } from "./proxy/Manager.ts"
import * as Shared from "./proxy/Shared.ts"

/** A latch between processes. It begins closed. */
export interface SharedLatch extends Shared.Shared {
  /**
   * Waits until the latch is open, or released.
   *
   * **Fairness** Nobody waits for anybody else: all go in the step in which it opens. **Cancellation** Interruptible.
   * **On disconnect** `ManagerError`.
   */
  readonly await: Effect.Effect<void, ManagerError>
  /** Lets through those who wait and those who come. Answers whether it was closed. */
  readonly open: Effect.Effect<boolean, ManagerError>
  /** Makes those wait who come. Answers whether it was open. */
  readonly close: Effect.Effect<boolean, ManagerError>
  /** Lets through those who wait now, and stays closed. Answers whether it was closed. */
  readonly release: Effect.Effect<boolean, ManagerError>
  /** Whether it is open. True a moment ago is no promise. */
  readonly isOpen: Effect.Effect<boolean, ManagerError>
  /** Runs an effect once the latch lets it through; waits as `await` does. */
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

/** Names a latch as a service: `class Go extends SharedLatch.Service<Go>()("app/Go") {}`. */
export const Service = <Self>() => <const Id extends string>(id: Id) => Shared.service<Self>()(id, facade, {})

/** Opens a latch by name, or makes one without a name, for the life of the scope. */
export const make = (
  options?: { readonly name?: string | undefined }
): Effect.Effect<SharedLatch, Shared.OpenError, Manager | Scope.Scope> => Shared.open(facade, {}, options?.name)

/** A latch's handle as a value. */
export const schema = Shared.handleSchema(facade)

/** Whether something is a latch. */
export const isSharedLatch = (u: unknown): u is SharedLatch => Shared.isShared(kind)(u)
