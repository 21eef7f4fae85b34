/**
 * Locking: what a `SharedLock` is, and a `SharedCondition` is, too (S-20 to S-22).
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { condition } from "../engine/kinds/condition.ts"
import type { lock } from "../engine/kinds/lock.ts"
import type { ManagerError } from "../ManagerError.ts"
import { Held, heldOf, under } from "./hold.ts"
import type { Remote, Restore } from "./Remote.ts"

/** A lock as a client knows it: a `Lock`, or the lock of a `Condition`. */
export type LockRemote = Remote<typeof lock | typeof condition>

/** This fiber already holds the lock: it would wait for itself for ever. Nothing was acquired. */
export class AlreadyHeld extends Schema.TaggedError<AlreadyHeld>()("AlreadyHeld", { lock: Schema.String }) {
  override get message(): string {
    return `${this.lock} is already held by this fiber. A SharedLock is not re-entrant: take it once, around all that needs it`
  }
}

/**
 * The lock was lost while the body ran: it was deleted, the connection ended, or a wait for a notification could not
 * bring it back. What the body wrote before stands.
 */
export class LockLost extends Schema.TaggedError<LockLost>()("LockLost", {
  lock: Schema.String,
  token: Schema.Number
}) {
  override get message(): string {
    return `${this.lock} was lost while it was held (token ${this.token}): the body was interrupted, and every later ` +
      "write of it to this manager is refused. What it wrote before the loss stands"
  }
}

/** A hold, while the body of `withLock` runs. */
export interface Hold {
  /** Grows with every acquisition of the lock, within an epoch of the manager: a fencing token for outside resources. */
  readonly token: number
  readonly epoch: number
  /** The previous holder's session ended while it held: what the lock guards may be half done. */
  readonly abandoned: boolean
}

/** Something that one at a time can hold. */
export interface Locking {
  /**
   * Runs an effect while holding the lock; releases it however the effect ends.
   *
   * **Fairness** First come first served; waiters that are gone are skipped at no cost.
   *
   * **Cancellation** Interruptible while it waits: it leaves its place, and a grant under way is given back. While the
   * body runs, its interruption releases the lock after its finalizers.
   *
   * **On disconnect** While waiting: `ManagerError`. While holding: the body is interrupted and `LockLost` fails the
   * effect. The next holder is told that the lock was abandoned.
   */
  readonly withLock: <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | AlreadyHeld | LockLost | ManagerError, R>
  /** As `withLock`, and the body is given the hold. */
  readonly withHold: <A, E, R>(
    body: (hold: Hold) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | AlreadyHeld | LockLost | ManagerError, R>
  /** As `withLock` if the lock is free, which it is not while somebody waits for it; else answers `None` at once. */
  readonly withLockIfAvailable: <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<Option.Option<A>, E | AlreadyHeld | LockLost | ManagerError, R>
  /** Whether somebody holds the lock. True a moment ago is no promise. */
  readonly isHeld: Effect.Effect<boolean, ManagerError>
}

/** A lock's operations as its users see them. */
export const locking = (remote: LockRemote): Locking => {
  const withHold: Locking["withHold"] = (body) =>
    Effect.uninterruptibleMask((restore) =>
      // Who waits for the lock is never answered without it.
      Effect.flatMap(acquire(remote, restore, "acquire"), (acquired) => holding(remote, restore, acquired!, body))
    )
  return {
    withHold,
    withLock: (self) => withHold(() => self),
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
            held: new Held(remote, token, (token) => new LockLost({ lock, token })),
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
