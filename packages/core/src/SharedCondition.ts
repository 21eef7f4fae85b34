/**
 * A condition between processes: a lock, and a place to wait for what others change under it (S-15). Python's
 * `Condition`; Effect has none.
 *
 * For waiting until a single value or map is as it should be, `until` needs no lock. A condition is for a state that is
 * spread over several objects, and for waking a given number of those who wait.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { settleTimeoutMs } from "./client/Connection.ts"
import type { condition } from "./engine/kinds/condition.ts"
import type { ManagerError } from "./ManagerError.ts"
import { type Held, heldOf } from "./proxy/hold.ts"
import { type Hold, holdOf, type Locking, locking } from "./proxy/locking.ts"
import type { Manager } from "./proxy/Manager.ts"
import type { Refusals, Remote } from "./proxy/Remote.ts"
import * as Shared from "./proxy/Shared.ts"

/** This fiber does not hold the condition's lock, or another one that stands under the same hold waits. No effect. */
export class NotHeld extends Schema.TaggedError<NotHeld>()("NotHeld", {
  condition: Schema.String,
  operation: Schema.String
}) {
  override get message(): string {
    return `${this.operation} on ${this.condition}: its lock is not held here. Call it inside withLock. It had no effect`
  }
}

/** A condition between processes. */
export interface SharedCondition extends Locking, Shared.Shared {
  /**
   * Gives the lock up, waits for a notification, and takes the lock again, all inside `withLock`. Answers the hold as it
   * is from then on: its token has grown. Giving up and beginning to wait are one step, in which no notification is
   * missed; nobody is woken that was not notified.
   *
   * Others may have had the lock in between, so look again at what you waited for, or use `waitFor`. A fiber that stands
   * under the same `withLock` and calls this manager meanwhile is refused.
   *
   * **Fairness** Notifications wake who has waited longest. Who is woken stands in line for the lock with all others.
   *
   * **Cancellation** Interruptible. An interrupted wait takes the lock again before it ends, so that what follows inside
   * `withLock` runs under it; a notification on its way goes to the next. If the lock cannot be had within a second, or
   * the manager does not answer, it is lost: `withLock` fails with `LockLost`.
   *
   * **On disconnect** `ManagerError`, and `withLock` fails with `LockLost`.
   */
  readonly wait: Effect.Effect<Hold, NotHeld | ManagerError>
  /** Waits until a check, made under the lock, answers `true`: now, and after each notification. */
  readonly waitFor: <E, R>(
    check: Effect.Effect<boolean, E, R>
  ) => Effect.Effect<void, E | NotHeld | ManagerError, R>
  /**
   * Wakes those who have waited longest, at most `most` of them; answers how many it were. Inside `withLock`: they go on
   * when the lock is released. With nobody waiting it has no effect; a notification is not kept.
   */
  readonly notify: (most: number) => Effect.Effect<number, NotHeld | ManagerError>
  /** Wakes all who wait; answers how many it were. */
  readonly notifyAll: Effect.Effect<number, NotHeld | ManagerError>
}

type ConditionRemote = Remote<typeof condition>

const kind = "Condition"

const facade: Shared.Facade<SharedCondition, typeof condition> = {
  kind,
  proxy: (remote) => {
    const wait = waitUnder(remote)
    const notify: SharedCondition["notify"] = (most) =>
      Effect.flatMap(
        current(remote, "notify"),
        ({ token }) => remote.call("notify", [token, most], ([woken]) => Exit.succeed(woken), whenNotHeld("notify"))
      )
    return {
      ...locking(remote),
      [Shared.TypeId]: remote,
      wait,
      waitFor: (check) =>
        Effect.gen(function*() {
          yield* current(remote, "waitFor")
          while (!(yield* check)) yield* wait
        }),
      notify,
      notifyAll: notify(Number.MAX_SAFE_INTEGER)
    }
  }
}

/** Names a condition as a service: `class Ready extends SharedCondition.Service<Ready>()("app/Ready") {}`. */
export const Service = <Self>() => <const Id extends string>(id: Id) => Shared.service<Self>()(id, facade, {})

/** Opens a condition by name, or makes one without a name, for the life of the scope. */
export const make = (
  options?: { readonly name?: string | undefined }
): Effect.Effect<SharedCondition, Shared.OpenError, Manager | Scope.Scope> => Shared.open(facade, {}, options?.name)

/** A condition's handle as a value. */
export const schema = Shared.handleSchema(facade)

/** Whether something is a condition. */
export const isSharedCondition = (u: unknown): u is SharedCondition => Shared.isShared(kind)(u)

// internals

const whenNotHeld = (operation: string): Refusals<"NotHeld", NotHeld> => ({
  NotHeld: (_, condition) => new NotHeld({ condition, operation })
})

/** The hold that the running fiber stands under, if nobody waits with it. */
const current = (remote: ConditionRemote, operation: string): Effect.Effect<Held<unknown>, NotHeld> =>
  Effect.flatMap(heldOf(remote), (held) =>
    held?.isCurrent === true
      ? Effect.succeed(held)
      : Effect.fail(new NotHeld({ condition: remote.target.description, operation })))

/**
 * The call runs in a fiber of its own, so that its cancellation and the taking back of the lock together have one
 * second, and an interruption does not wait for both (S-10).
 */
const waitUnder = (remote: ConditionRemote): SharedCondition["wait"] =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const held = yield* current(remote, "wait")
      const { token } = held
      held.suspend()
      const waiting = yield* detached(Effect.tapError(
        Effect.uninterruptibleMask((restore) =>
          remote.callOwned(restore, "wait", [token], renewed(remote, held), whenNotHeld("wait"))
        ),
        (error) => Effect.sync(() => hadNoEffect(error) ? held.renew(token) : held.lose())
      ))
      return yield* Effect.onInterrupt(restore(Fiber.join(waiting)), () => takeBack(remote, held, waiting))
    })
  )

/** S-15: an interrupted wait ends with the lock held again, or lost. */
const takeBack = (
  remote: ConditionRemote,
  held: Held<unknown>,
  waiting: Fiber.Fiber<Hold, NotHeld | ManagerError>
): Effect.Effect<void> =>
  Effect.gen(function*() {
    const taking = yield* detached(Effect.gen(function*() {
      yield* Fiber.interrupt(waiting)
      // It may have the lock already, and with it a notification that nobody will hear of.
      if (!held.isSuspended) return remote.tell("decline", [held.token])
      yield* Effect.uninterruptibleMask((restore) => remote.callOwned(restore, "acquire", [], renewed(remote, held)))
    }))
    yield* Effect.raceFirst(Fiber.await(taking), Effect.sleep(settleTimeoutMs))
    held.lose()
    taking.interruptUnsafe()
  })

/** A new token for a hold; one that nobody stands under any more is given back. */
const renewed =
  (remote: ConditionRemote, held: Held<unknown>) =>
  ([token, abandoned]: readonly [token: number, abandoned: number]): Exit.Exit<Hold, NotHeld> => {
    if (held.renew(token)) return Exit.succeed(holdOf(remote, token, abandoned))
    remote.tell("release", [token])
    return Exit.fail(new NotHeld({ condition: remote.target.description, operation: "wait" }))
  }

/** The manager refused to let it wait, and the lock was not given up. */
const hadNoEffect = (error: NotHeld | ManagerError): boolean =>
  error._tag === "ManagerError" && (error.reason._tag === "LimitExceeded" || error.reason._tag === "InvalidRequest")

const detached = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Fiber.Fiber<A, E>, never, R> =>
  Effect.forkDetach(effect, { startImmediately: true })
