/** The properties of an exclusive hold: of a lock, of a condition's lock, of all permits of a semaphore. */
import * as Remote from "#core/proxy/Remote.ts"
import { Manager, SharedLock } from "@effect-multiprocessing/core"
import { assert, type Vitest } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, type Scope } from "effect"
import { untilWaiting } from "../support/untilWaiting.ts"

/** An object that one body at a time can hold. */
export interface Holdable {
  readonly object: Remote.Shared
  readonly hold: <A, E>(body: Effect.Effect<A, E>) => Effect.Effect<A, E | HoldError>
  readonly holdIfAvailable: <A, E>(body: Effect.Effect<A, E>) => Effect.Effect<Option.Option<A>, E | HoldError>
  readonly isFree: Effect.Effect<boolean, unknown>
  /** The tag of the error that a holder gets when it has lost the object, and a part of its message. */
  readonly lost: readonly [tag: string, says: string]
  /** The operation that waits, if it is not `acquire`. */
  readonly operation?: string
}

/** The error of a hold, besides those of its body. */
interface HoldError {
  readonly _tag: string
  readonly message: string
}

/** Makes a new `A`. */
export type Make<A> = Effect.Effect<A, unknown, Manager.Manager | Scope.Scope>

type It = Vitest.MethodsNonLive<Manager.Manager>

/** The properties of a hold. */
export const holdSuite = (it: It, make: Make<Holdable>): void => {
  /** Begins to hold, and waits until the body runs. */
  const enter = <A, E>({ hold }: Holdable, body: Effect.Effect<A, E>) =>
    Effect.gen(function*() {
      const entered = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(hold(Effect.andThen(Deferred.succeed(entered, undefined), body)))
      yield* Deferred.await(entered)
      return fiber
    })

  it.effect("runs one body at a time, in the order of arrival (S-13, S-20)", () =>
    Effect.gen(function*() {
      const { hold, isFree } = yield* make
      const fifty = Array.from({ length: 50 }, (_, n) => n)
      const entered: Array<number> = []
      let inside = 0
      const body = (n: number) =>
        Effect.gen(function*() {
          assert.strictEqual(++inside, 1)
          entered.push(n)
          assert.isFalse(yield* isFree)
          inside--
        })
      const fibers = yield* Effect.forEach(fifty, (n) => Effect.forkChild(hold(body(n)), { startImmediately: true }))
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(entered, fifty)
      assert.isTrue(yield* isFree)
    }).pipe(Effect.scoped))

  it.effect("is free again however its body ends: success, failure, defect, interruption", () =>
    Effect.gen(function*() {
      const { hold, holdIfAvailable } = yield* make
      const ends: ReadonlyArray<Effect.Effect<unknown, string>> = [
        Effect.succeed(1),
        Effect.fail("failure"),
        Effect.die("defect"),
        Effect.interrupt
      ]
      for (const end of ends) {
        yield* Effect.exit(hold(end))
        assert.deepStrictEqual(yield* holdIfAvailable(Effect.succeed("in")), Option.some("in"))
      }
    }).pipe(Effect.scoped))

  it.effect("fails the later of two bodies that want what the other has, and the other goes on (S-34)", () =>
    Effect.gen(function*() {
      const [first, second] = [yield* make, yield* make]
      const both = yield* Deferred.make<void>()
      const other = yield* enter(first, Effect.andThen(Deferred.await(both), second.hold(Effect.succeed("in"))))
      const manager = yield* Manager.Manager
      const untilOtherWaits = Effect.provideService(untilWaiting(second.object, 1), Manager.Manager, manager)
      const error = yield* Effect.flip(second.hold(Effect.gen(function*() {
        yield* Deferred.succeed(both, undefined)
        yield* untilOtherWaits
        yield* first.hold(Effect.void)
      })))
      assert.include(String(error), "would wait for ever")
      assert.strictEqual(yield* Fiber.join(other), "in")
    }).pipe(Effect.scoped))

  it.effect("skips a waiter that was interrupted", () =>
    Effect.gen(function*() {
      const held = yield* make
      const go = yield* Deferred.make<void>()
      const holder = yield* enter(held, Deferred.await(go))
      const wait = () => Effect.forkChild(held.hold(Effect.succeed("in")), { startImmediately: true })
      const [first, second, third] = [yield* wait(), yield* wait(), yield* wait()]
      yield* Fiber.interrupt(second)
      yield* Deferred.succeed(go, undefined)
      assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(third)], ["in", "in"])
      yield* Fiber.join(holder)
    }).pipe(Effect.scoped))

  it.effect("is taken if it is free, and at once not taken if it is held or waited for", () =>
    Effect.gen(function*() {
      const held = yield* make
      const go = yield* Deferred.make<void>()
      const tryIt = held.holdIfAvailable(held.isFree)
      assert.deepStrictEqual(yield* tryIt, Option.some(false))
      const holder = yield* enter(held, Deferred.await(go))
      assert.deepStrictEqual(yield* tryIt, Option.none())
      const waiter = yield* Effect.forkChild(held.hold(Effect.void), { startImmediately: true })
      assert.deepStrictEqual(yield* tryIt, Option.none())
      yield* Deferred.succeed(go, undefined)
      yield* Effect.forEach([holder, waiter], Fiber.join)
      assert.deepStrictEqual(yield* tryIt, Option.some(false))
    }).pipe(Effect.scoped))

  it.effect("is not waited for any more after a timeout", () =>
    Effect.gen(function*() {
      const held = yield* make
      const go = yield* Deferred.make<void>()
      const holder = yield* enter(held, Deferred.await(go))
      assert.deepStrictEqual(yield* Effect.timeoutOption(held.hold(Effect.void), 1), Option.none())
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(holder)
      assert.isTrue(yield* held.isFree)
    }).pipe(Effect.scoped))

  it.effect("is lost to its holder when it is deleted, and its waiters fail (S-22, S-27)", () =>
    Effect.gen(function*() {
      const { connection } = yield* Manager.Manager
      const held = yield* make
      const holder = yield* enter(held, Effect.never)
      const waiter = yield* Effect.forkChild(Effect.flip(held.hold(Effect.void)), { startImmediately: true })
      yield* Remote.directory(connection).call("delete", [held.object[Remote.TypeId].target.id], () => Exit.void)
      const error = yield* Effect.flip(Fiber.join(holder))
      assert.strictEqual(error._tag, held.lost[0])
      assert.include(error.message, held.lost[1])
      assert.include((yield* Fiber.join(waiter)).message, `was removed while ${held.operation ?? "acquire"} waited`)
    }).pipe(Effect.scoped))
}

/** The properties of a lock: those of a hold; its holder cannot take it again; its tokens grow. */
export const locking = (it: It, make: Make<SharedLock.SharedLock>): void => {
  holdSuite(
    it,
    Effect.map(make, (lock) => ({
      object: lock,
      hold: lock.withLock,
      holdIfAvailable: lock.withLockIfAvailable,
      isFree: Effect.map(lock.isHeld, (isHeld) => !isHeld),
      lost: ["LockLost", "was lost while it was held"]
    }))
  )

  it.effect("fails at once when its holder takes it again, and not elsewhere (S-20)", () =>
    Effect.gen(function*() {
      const [lock, other] = [yield* make, yield* make]
      for (const again of [lock.withLock(Effect.void), lock.withLockIfAvailable(Effect.void)]) {
        const error = yield* lock.withLock(other.withLock(Effect.flip(again)))
        assert.strictEqual(error._tag, "AlreadyHeld")
      }
      const elsewhere = SharedLock.unguarded(lock.withLockIfAvailable(Effect.void))
      assert.deepStrictEqual(yield* lock.withLock(elsewhere), Option.none())
    }).pipe(Effect.scoped))

  it.effect("interrupts a body that holds it for longer than it may, and passes on as after any other end", () =>
    Effect.gen(function*() {
      const lock = yield* make
      let wasHeld = false
      const body = Effect.onInterrupt(Effect.never, () => Effect.exit(Effect.map(lock.isHeld, (is) => wasHeld = is)))
      const late = yield* Effect.forkChild(Effect.flip(lock.withLockFor("20 millis")(body)), { startImmediately: true })
      const next = yield* lock.withHold(({ abandoned }) => Effect.succeed(abandoned))
      const error = yield* Fiber.join(late)
      assert.strictEqual(error._tag, "HeldTooLong")
      assert.include(error.message, "was held for 20 ms")
      assert.deepStrictEqual({ wasHeld, abandoned: next }, { wasHeld: true, abandoned: false })
      assert.strictEqual(yield* lock.withLockFor("1 minute")(Effect.succeed("in")), "in")
      assert.strictEqual(yield* lock.withLockFor(Infinity)(Effect.succeed("in")), "in")
      assert.strictEqual(yield* Effect.flip(lock.withLockFor("1 minute")(Effect.fail("no"))), "no")
    }).pipe(Effect.scoped))

  it.effect("does not count the time that a body waits for it", () =>
    Effect.gen(function*() {
      const lock = yield* make
      const both = yield* Effect.all([
        lock.withLock(Effect.sleep(60)),
        lock.withLockFor(30)(Effect.succeed("in"))
      ], { concurrency: "unbounded" })
      assert.strictEqual(both[1], "in")
    }).pipe(Effect.scoped))

  it.effect("hands out tokens that grow", () =>
    Effect.gen(function*() {
      const lock = yield* make
      const token = lock.withHold(({ token }) => Effect.succeed(token))
      const tokens = yield* Effect.all([token, token, token], { concurrency: "unbounded" })
      assert.deepStrictEqual(tokens, [...new Set(tokens)].sort((a, b) => a - b))
    }).pipe(Effect.scoped))
}
