/**
 * A shared read-write lock: any number of readers at a time, or one writer, fenced (S-20 to S-22).
 *
 * Inside of a body every call to this manager carries the hold, so a holder that has lost the lock cannot write as if it
 * still had it.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { readWriteLock } from "./engine/kinds/readWriteLock.ts"
import type { ManagerError } from "./ManagerError.ts"
import { Held, heldOf, under } from "./proxy/hold.ts"
import { type HoldFor, holdForOption } from "./proxy/holdFor.ts"
import { AlreadyHeld, LockLost } from "./proxy/locking.ts"
import type { Manager } from "./proxy/Manager.ts"
import type { Remote, Restore } from "./proxy/Remote.ts"
import * as Shared from "./proxy/Shared.ts"

export { AlreadyHeld, LockLost } from "./proxy/locking.ts"

/** A shared read-write lock. */
export interface SharedReadWriteLock extends Shared.Shared {
  /**
   * Waits until nobody writes, and runs an effect as a reader. Not re-entrant: a fiber that holds the lock, as a reader or
   * as the writer, fails with `AlreadyHeld`. Fails with `ManagerError` of reason `DeadlockDetected` where it would close a
   * cycle of bodies that wait for one another.
   *
   * **Fairness** FIFO: a reader does not overtake a writer that waits, so neither starves. Readers that wait one behind the
   * other read together. **Cancellation** Interruptible while it waits: the request leaves the line. Interrupting the body
   * releases the lock after the body's finalizers. **On disconnect** While waiting: `ManagerError`. While holding: the body
   * is interrupted and the effect fails with `LockLost`; the manager takes the lock back.
   */
  readonly withReadLock: <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | AlreadyHeld | LockLost | ManagerError, R>
  /**
   * Waits until nobody reads or writes, and runs an effect as the only holder. **Fairness**, **Cancellation** and
   * **On disconnect** as `withReadLock`.
   */
  readonly withWriteLock: <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | AlreadyHeld | LockLost | ManagerError, R>
  /** As `withReadLock` if nobody writes or waits; otherwise returns `None` without waiting. */
  readonly withReadLockIfAvailable: <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<Option.Option<A>, E | AlreadyHeld | LockLost | ManagerError, R>
  /** As `withWriteLock` if nobody reads, writes or waits; otherwise returns `None` without waiting. */
  readonly withWriteLockIfAvailable: <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<Option.Option<A>, E | AlreadyHeld | LockLost | ManagerError, R>
  /** Returns how many read now. It may have changed by the time this returns. */
  readonly readers: Effect.Effect<number, ManagerError>
  /** Whether somebody writes now. It may have changed by the time this returns. */
  readonly isWriting: Effect.Effect<boolean, ManagerError>
}

/** Options of a read-write lock. All programs that open a name must agree on them. */
export interface Options extends HoldFor {}

const kind = "ReadWriteLock"

type LockRemote = Remote<typeof readWriteLock>

type Mode = "read" | "write"

const facade: Shared.Facade<SharedReadWriteLock, typeof readWriteLock> = {
  kind,
  proxy: (remote) => ({
    [Shared.TypeId]: remote,
    withReadLock: (self) => waiting(remote, "read", self),
    withWriteLock: (self) => waiting(remote, "write", self),
    withReadLockIfAvailable: (self) => ifAvailable(remote, "read", self),
    withWriteLockIfAvailable: (self) => ifAvailable(remote, "write", self),
    readers: remote.call("status", [], ([readers]) => Exit.succeed(readers)),
    isWriting: remote.call("status", [], ([, writers]) => Exit.succeed(writers === 1))
  })
}

/** Declares a named lock as a service: `class Index extends SharedReadWriteLock.Service<Index>()("app/Index") {}`. */
export const Service = <Self>() => <const Id extends string>(id: Id, options: Options = {}) =>
  Shared.service<Self>()(id, facade, { options: holdForOption(options) })

/** Opens a named lock, or makes an unnamed one, for the life of the scope. */
export const make = (
  { name, ...options }: Options & { readonly name?: string | undefined } = {}
): Effect.Effect<SharedReadWriteLock, Shared.OpenError, Manager | Scope.Scope> =>
  Shared.open(facade, { options: holdForOption(options) }, name)

/** The schema of a lock's handle, for locks inside payloads, items and values. */
export const schema = Shared.handleSchema(facade)

/** Whether a value is a `SharedReadWriteLock`. */
export const isSharedReadWriteLock = (u: unknown): u is SharedReadWriteLock => Shared.isShared(kind)(u)

// internals

const acquire = (
  remote: LockRemote,
  restore: Restore,
  operation: "acquire" | "tryAcquire",
  mode: Mode
): Effect.Effect<Held<LockLost> | undefined, AlreadyHeld | ManagerError> =>
  Effect.flatMap(heldOf(remote), (already) => {
    const lock = remote.target.description
    if (already !== undefined) return Effect.fail(new AlreadyHeld({ lock }))
    return remote.callOwned(restore, operation, [mode], ([token]) =>
      // `tryAcquire` replies with nothing when it got nothing.
      Exit.succeed(
        token === undefined ? undefined : new Held(remote, token, (token, why) => new LockLost({ lock, token, why }))
      ))
  })

const holding = <A, E, R>(remote: LockRemote, restore: Restore, held: Held<LockLost>, self: Effect.Effect<A, E, R>) =>
  under(restore, held, self, (token) => remote.tell("release", [token]))

const waiting = <A, E, R>(remote: LockRemote, mode: Mode, self: Effect.Effect<A, E, R>) =>
  Effect.uninterruptibleMask((restore) =>
    // A reply to `acquire` always grants the lock.
    Effect.flatMap(acquire(remote, restore, "acquire", mode), (held) => holding(remote, restore, held!, self))
  )

const ifAvailable = <A, E, R>(remote: LockRemote, mode: Mode, self: Effect.Effect<A, E, R>) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      acquire(remote, restore, "tryAcquire", mode),
      (held) => held === undefined ? Effect.succeedNone : Effect.asSome(holding(remote, restore, held, self))
    )
  )
