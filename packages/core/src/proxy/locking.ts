/**
 * Locking: what a `SharedLock` is, and a `SharedCondition` is, too (S-20 to S-22).
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { condition } from "../engine/kinds/condition.ts"
import type { lock } from "../engine/kinds/lock.ts"
import type { ManagerError } from "../ManagerError.ts"
import { millisecondsOf } from "./duration.ts"
import { Held, heldOf, under } from "./hold.ts"
import type { Remote, Restore } from "./Remote.ts"

/** A lock as a client knows it: a `Lock`, or the lock of a `Condition`. */
export type LockRemote = Remote<typeof lock | typeof condition>

/** This fiber already holds the lock, so it would wait for itself forever. Nothing was acquired. */
export class AlreadyHeld extends Schema.TaggedError<AlreadyHeld>()("AlreadyHeld", { lock: Schema.String }) {
  override get message(): string {
    return `${this.lock} is already held by this fiber. It is not re-entrant: acquire it once, around all ` +
      "code that needs it"
  }
}

/**
 * The lock was lost while the body ran: it was removed, held longer than `holdFor`, the connection ended, or a condition's
 * `wait` could not acquire it again. The body's writes before the loss stand; later ones are refused.
 */
export class LockLost extends Schema.TaggedError<LockLost>()("LockLost", {
  lock: Schema.String,
  token: Schema.Number,
  /** For people. */
  why: Schema.String
}) {
  override get message(): string {
    return `${this.lock} was lost while it was held (token ${this.token}): ${this.why}. The body was interrupted. ` +
      "Its writes to this manager before the loss stand, and later ones are refused"
  }
}

/**
 * The body of `withLockFor` ran longer than it may: it was interrupted, and the lock was released after its finalizers. Its
 * writes stand.
 */
export class HeldTooLong extends Schema.TaggedError<HeldTooLong>()("HeldTooLong", {
  lock: Schema.String,
  milliseconds: Schema.Number
}) {
  override get message(): string {
    return `${this.lock} was held for ${this.milliseconds} ms, which is all that this body may: it was interrupted, and ` +
      "the lock is released. Its writes stand"
  }
}

/** One acquisition of a lock, while the body of `withHold` runs. */
export interface Hold {
  /** A fencing token for other resources: grows with every acquisition of the lock within one epoch. */
  readonly token: number
  /** The start time of the manager, in milliseconds. Compare tokens of two managers by epoch first. */
  readonly epoch: number
  /**
   * Whether a holder lost the lock, by its death or by `holdFor`: the objects that it protects may be half changed.
   */
  readonly abandoned: boolean
}

/** The methods of a lock. */
export interface Locking {
  /**
   * Acquires the lock, runs an effect, and releases the lock however the effect ends. Fails with `ManagerError` of reason
   * `DeadlockDetected` where it would close a cycle of bodies that wait for one another.
   *
   * **Fairness** FIFO. Waiters that are gone cost the others nothing.
   *
   * **Cancellation** Interruptible while it waits: the request leaves the queue, and a lock that was already granted
   * passes on. Interrupting the body releases the lock after the body's finalizers.
   *
   * **On disconnect** While waiting: `ManagerError`. While holding: the body is interrupted and the effect fails with
   * `LockLost`; the next holder finds `abandoned` set.
   */
  readonly withLock: <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | AlreadyHeld | LockLost | ManagerError, R>
  /** As `withLock`; the body gets the hold. **Fairness**, **Cancellation** and **On disconnect** as `withLock`. */
  readonly withHold: <A, E, R>(
    body: (hold: Hold) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | AlreadyHeld | LockLost | ManagerError, R>
  /**
   * As `withLock`, for a body that may hold the lock for a time at most: from then on it is interrupted, and the effect
   * fails with `HeldTooLong`. The time to wait for the lock does not count. The next holder does not find the lock
   * abandoned, because the body's finalizers have run under it.
   *
   * This process measures the time. So a body that cannot be interrupted, or whose event loop stands still, keeps the lock
   * for longer: `holdFor` of the lock is measured by the manager, which then also refuses the body's calls.
   *
   * **Fairness**, **Cancellation** and **On disconnect** as `withLock`.
   */
  readonly withLockFor: (
    duration: Duration.Input
  ) => <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | AlreadyHeld | HeldTooLong | LockLost | ManagerError, R>
  /** As `withLock` if the lock is free and nobody waits for it; otherwise returns `None` without waiting. */
  readonly withLockIfAvailable: <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<Option.Option<A>, E | AlreadyHeld | LockLost | ManagerError, R>
  /** Whether the lock is held. It may have changed by the time this returns. */
  readonly isHeld: Effect.Effect<boolean, ManagerError>
}

/** The methods of a lock, made of its remote operations. */
export const locking = (remote: LockRemote): Locking => {
  const withHold: Locking["withHold"] = (body) =>
    Effect.uninterruptibleMask((restore) =>
      // A reply to `acquire` always grants the lock.
      Effect.flatMap(acquire(remote, restore, "acquire"), (acquired) => holding(remote, restore, acquired!, body))
    )
  return {
    withHold,
    withLock: (self) => withHold(() => self),
    withLockFor: (duration) => (self) => {
      const milliseconds = millisecondsOf(duration)
      if (!(milliseconds >= 0)) {
        return remote.invalid("withLockFor", "the time of a body must be a duration of at least 0")
      }
      const late = Effect.failSync(() => new HeldTooLong({ lock: remote.target.description, milliseconds }))
      return withHold(() => Effect.timeoutOrElse(self, { duration: milliseconds, orElse: () => late }))
    },
    withLockIfAvailable: (self) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(
          acquire(remote, restore, "tryAcquire"),
          (acquired) =>
            acquired === undefined
              ? Effect.succeedNone
              : Effect.asSome(holding(remote, restore, acquired, () => self))
        )
      ),
    isHeld: remote.call("isHeld", [], ([held]) => Exit.succeed(held === 1))
  }
}

/** A hold as its body is told of it. */
export const holdOf = ({ connection }: LockRemote, token: number, abandoned: number): Hold => ({
  token,
  abandoned: abandoned === 1,
  epoch: connection.agreement.epoch
})

// internals

interface Acquired {
  readonly held: Held<LockLost>
  readonly hold: Hold
}

const acquire = (
  remote: LockRemote,
  restore: Restore,
  operation: "acquire" | "tryAcquire"
): Effect.Effect<Acquired | undefined, AlreadyHeld | ManagerError> =>
  Effect.flatMap(heldOf(remote), (already) => {
    const lock = remote.target.description
    if (already !== undefined) return Effect.fail(new AlreadyHeld({ lock }))
    return remote.callOwned(restore, operation, [], ([token, abandoned]) =>
      // `tryAcquire` replies with nothing when it got nothing.
      Exit.succeed(
        token === undefined
          ? undefined
          : {
            held: new Held(remote, token, (token, why) => new LockLost({ lock, token, why })),
            hold: holdOf(remote, token, abandoned)
          }
      ))
  })

const holding = <A, E, R>(
  remote: LockRemote,
  restore: Restore,
  { held, hold }: Acquired,
  body: (hold: Hold) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | LockLost, R> =>
  under(restore, held, Effect.suspend(() => body(hold)), (token) => remote.tell("release", [token]))
