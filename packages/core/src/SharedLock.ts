/**
 * A lock between processes: Effect's one-permit `Semaphore`, fenced (S-20 to S-22).
 *
 * Inside `withLock` every call to this manager carries the hold. A holder that has lost its lock cannot write through
 * it: the manager, which owns both the lock and the data, refuses the call in the same step.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { lock } from "./engine/kinds/lock.ts"
import type { Manager } from "./Manager.ts"
import type { ManagerError } from "./ManagerError.ts"
import { Guard } from "./proxy/Guard.ts"
import type { Remote } from "./proxy/Remote.ts"
import * as Shared from "./proxy/Shared.ts"

/** This fiber already holds the lock: it would wait for itself for ever. Nothing was acquired. */
export class AlreadyHeld extends Schema.TaggedError<AlreadyHeld>()("AlreadyHeld", { lock: Schema.String }) {
  override get message(): string {
    return `${this.lock} is already held by this fiber. A SharedLock is not re-entrant: take it once, around all that needs it`
  }
}

/** The lock was lost while the body ran: it was deleted, or the connection ended. What the body wrote before stands. */
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

/** A lock between processes. */
export interface SharedLock extends Shared.Shared {
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
  /** Whether somebody holds the lock. True a moment ago is no promise. */
  readonly isHeld: Effect.Effect<boolean, ManagerError>
}

const kind = "Lock"

type LockRemote = Remote<typeof lock>

const facade: Shared.Facade<SharedLock, typeof lock> = {
  kind,
  proxy: (remote) => {
    const withHold: SharedLock["withHold"] = (body) => underHold(remote, body)
    return {
      [Shared.TypeId]: remote,
      withHold,
      withLock: (self) => withHold(() => self),
      isHeld: remote.call("isHeld", [], ([held]) => Exit.succeed(held === 1))
    }
  }
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

// internals

const underHold = <A, E, R>(
  remote: LockRemote,
  body: (hold: Hold) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | AlreadyHeld | LockLost | ManagerError, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const guard = yield* Guard
      const lock = remote.target.description
      const { connection, target } = remote
      if (guard.some((hold) => hold.connection === connection && connection.holds.isOf(hold.token, target.id))) {
        return yield* new AlreadyHeld({ lock })
      }
      const lost = yield* Deferred.make<never, LockLost>()
      const [token, abandoned, unregister] = yield* remote.callOwned(
        restore,
        "acquire",
        [],
        ([token, abandoned]) => {
          // In the turn in which the grant is read: that it is lost may be the next thing the manager says.
          const trip = () => Deferred.doneUnsafe(lost, Effect.fail(new LockLost({ lock, token })))
          return Exit.succeed([token, abandoned, connection.onLost(token, target.id, trip)] as const)
        }
      )
      const hold: Hold = { token, abandoned: abandoned === 1, epoch: connection.agreement.epoch }
      const guarded = Effect.provideService(Effect.suspend(() => body(hold)), Guard, [...guard, { connection, token }])
      return yield* Effect.onExit(restore(Effect.raceFirst(guarded, Deferred.await(lost))), () =>
        Effect.sync(() => {
          unregister()
          // Told, not asked: the lock passes on when this arrives, and a frozen manager holds nobody up.
          remote.tell("release", [token])
        }))
    })
  )
