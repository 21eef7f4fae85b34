/**
 * A shared condition: a lock, and a wait set of fibers that wait for changes made under that lock (S-15). Python's
 * `Condition`; Effect has none.
 *
 * Use a condition when the awaited state is spread over several objects, or to wake a given number of waiters. To wait
 * for a single value or map, `until` is enough and needs no lock.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { settleTimeoutMs } from "./client/settled.ts"
import type { condition } from "./engine/kinds/condition.ts"
import type { ManagerError } from "./ManagerError.ts"
import { type Held, heldOf } from "./proxy/hold.ts"
import { type HoldFor, holdForOption } from "./proxy/holdFor.ts"
import { type Hold, holdOf, type Locking, locking } from "./proxy/locking.ts"
import type { Manager } from "./proxy/Manager.ts"
import type { Refusals, Remote } from "./proxy/Remote.ts"
import * as Shared from "./proxy/Shared.ts"

/**
 * This fiber does not hold the condition's lock, or another fiber under the same `withLock` is in `wait` and has given
 * the lock up. The call had no effect.
 */
export class NotHeld extends Schema.TaggedError<NotHeld>()("NotHeld", {
  condition: Schema.String,
  operation: Schema.String
}) {
  override get message(): string {
    return `${this.operation} on ${this.condition}: this fiber does not hold its lock. Call it inside withLock. ` +
      "The call had no effect"
  }
}

/** A shared condition: the methods of its lock (`Locking`), and those below, which are called inside `withLock`. */
export interface SharedCondition extends Locking, Shared.Shared {
  /**
   * Releases the lock, waits for a notification, and acquires the lock again. Returns the new hold, whose token is
   * larger. Releasing and beginning to wait are one step of the manager, so no notification is missed. There are no
   * spurious wake-ups.
   *
   * Another process may have held the lock before this one got it back: check the state again, or use `waitFor`. While
   * the lock is released, calls to this manager by other fibers under the same `withLock` are refused.
   *
   * **Fairness** A notification wakes the longest waiter. A woken waiter queues for the lock with all others, in FIFO
   * order.
   *
   * **Cancellation** Interruptible. An interrupted wait acquires the lock again before it ends, so that the rest of the
   * `withLock` body runs under the lock. A notification that it had received goes to the next waiter. If the lock is
   * not acquired within a second, it is lost: `withLock` fails with `LockLost`.
   *
   * **On disconnect** `ManagerError`, and `withLock` fails with `LockLost`.
   */
  readonly wait: Effect.Effect<Hold, NotHeld | ManagerError>
  /**
   * Waits until `check` returns `true`. The check runs under the lock, at once and after each notification.
   *
   * **Fairness**, **Cancellation** and **On disconnect** as `wait`.
   */
  readonly waitFor: <E, R>(
    check: Effect.Effect<boolean, E, R>
  ) => Effect.Effect<void, E | NotHeld | ManagerError, R>
  /**
   * Wakes the longest waiters, at most `most` of them, and returns how many were woken. They continue once this fiber
   * has released the lock. Without waiters the call has no effect: a notification is not stored. Never waits.
   */
  readonly notify: (most: number) => Effect.Effect<number, NotHeld | ManagerError>
  /** Wakes all waiters, and returns how many were woken. */
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

/** Options of a condition. All programs that open a name must agree on them. */
export interface Options extends HoldFor {}

/** Declares a named condition as a service: `class Ready extends SharedCondition.Service<Ready>()("app/Ready") {}`. */
export const Service = <Self>() => <const Id extends string>(id: Id, options: Options = {}) =>
  Shared.service<Self>()(id, facade, { options: holdForOption(options) })

/** Opens a named condition, or makes an unnamed one, for the life of the scope. */
export const make = (
  { name, ...options }: Options & { readonly name?: string | undefined } = {}
): Effect.Effect<SharedCondition, Shared.OpenError, Manager | Scope.Scope> =>
  Shared.open(facade, { options: holdForOption(options) }, name)

/** The schema of a condition's handle, for conditions inside payloads, items and values. */
export const schema = Shared.handleSchema(facade)

/** Whether a value is a `SharedCondition`. */
export const isSharedCondition = (u: unknown): u is SharedCondition => Shared.isShared(kind)(u)

// internals

const whenNotHeld = (operation: string): Refusals<"NotHeld", NotHeld> => ({
  NotHeld: (_, condition) => new NotHeld({ condition, operation })
})

/** The hold of the running fiber. Fails if there is none, or if a `wait` of another fiber has suspended it. */
const current = (remote: ConditionRemote, operation: string): Effect.Effect<Held<unknown>, NotHeld> =>
  Effect.flatMap(heldOf(remote), (held) =>
    held?.isCurrent === true
      ? Effect.succeed(held)
      : Effect.fail(new NotHeld({ condition: remote.target.description, operation })))

/**
 * The call runs in its own fiber. Cancelling it and acquiring the lock again have one second together; an interruption
 * that waited for both in turn would need two (S-10).
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
        (error) =>
          Effect.sync(() =>
            hadNoEffect(error) ? held.renew(token) : held.lose(`its wait has failed (${error.message})`)
          )
      ))
      return yield* Effect.onInterrupt(restore(Fiber.join(waiting)), () => takeBack(remote, held, waiting))
    })
  )

/** S-15: after an interrupted wait the lock is held again, or lost. */
const takeBack = (
  remote: ConditionRemote,
  held: Held<unknown>,
  waiting: Fiber.Fiber<Hold, NotHeld | ManagerError>
): Effect.Effect<void> =>
  Effect.gen(function*() {
    const taking = yield* detached(Effect.gen(function*() {
      yield* Fiber.interrupt(waiting)
      // The wait may have ended already: it has the lock, and a notification that goes to the next waiter.
      if (!held.isSuspended) return remote.tell("decline", [held.token])
      yield* Effect.uninterruptibleMask((restore) => remote.callOwned(restore, "acquire", [], renewed(remote, held)))
    }))
    yield* Effect.raceFirst(Fiber.await(taking), Effect.sleep(settleTimeoutMs))
    held.lose("its wait was interrupted, and the lock could not be acquired again in time")
    taking.interruptUnsafe()
  })

/**
 * Renews the hold with a new token. If its body has ended, the lock is released instead, and a notification goes to the
 * next waiter (S-15).
 */
const renewed =
  (remote: ConditionRemote, held: Held<unknown>) =>
  ([token, abandoned]: readonly [token: number, abandoned: number]): Exit.Exit<Hold, NotHeld> => {
    if (held.renew(token)) return Exit.succeed(holdOf(remote, token, abandoned))
    remote.tell("decline", [token])
    remote.tell("release", [token])
    return Exit.fail(new NotHeld({ condition: remote.target.description, operation: "wait" }))
  }

/** Whether the manager refused the wait before it released the lock. */
const hadNoEffect = (error: NotHeld | ManagerError): boolean =>
  error._tag === "ManagerError" && (error.reason._tag === "LimitExceeded" || error.reason._tag === "InvalidRequest")

const detached = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Fiber.Fiber<A, E>, never, R> =>
  Effect.forkDetach(effect, { startImmediately: true })
