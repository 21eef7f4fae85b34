import * as Remote from "#core/proxy/Remote.ts"
import { Manager, SharedLock } from "@effect-multiprocessing/core"
import { assert } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option } from "effect"
import { suite } from "./suite.ts"

const fifty = Array.from({ length: 50 }, (_, n) => n)

/** `SharedLock`. */
export const lockSuite = suite("SharedLock", (it) => {
  it.effect("lets one body in at a time, in the order in which they came (S-13, S-20)", () =>
    Effect.gen(function*() {
      const lock = yield* SharedLock.make()
      const entered: Array<number> = []
      let inside = 0
      const body = (n: number) =>
        Effect.gen(function*() {
          assert.strictEqual(++inside, 1)
          entered.push(n)
          yield* lock.isHeld
          inside--
        })
      const fibers = yield* Effect.forEach(
        fifty,
        (n) => Effect.forkChild(lock.withLock(body(n)), { startImmediately: true })
      )
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(entered, fifty)
      assert.isFalse(yield* lock.isHeld)
    }).pipe(Effect.scoped))

  it.effect("is free again however its body ends: success, failure, defect, interruption", () =>
    Effect.gen(function*() {
      const lock = yield* SharedLock.make()
      const ends: ReadonlyArray<Effect.Effect<unknown, string>> = [
        Effect.succeed(1),
        Effect.fail("failure"),
        Effect.die("defect"),
        Effect.interrupt
      ]
      for (const end of ends) {
        yield* Effect.exit(lock.withLock(end))
        assert.strictEqual(yield* lock.withLock(Effect.succeed("in")), "in")
      }
    }).pipe(Effect.scoped))

  it.effect("skips a waiter that was interrupted", () =>
    Effect.gen(function*() {
      const lock = yield* SharedLock.make()
      const go = yield* Deferred.make<void>()
      const wait = () => Effect.forkChild(lock.withLock(Effect.succeed("in")), { startImmediately: true })
      const holder = yield* Effect.forkChild(lock.withLock(Deferred.await(go)), { startImmediately: true })
      const [first, second, third] = [yield* wait(), yield* wait(), yield* wait()]
      yield* Fiber.interrupt(second)
      yield* Deferred.succeed(go, undefined)
      assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(third)], ["in", "in"])
      yield* Fiber.join(holder)
    }).pipe(Effect.scoped))

  it.effect("fails at once when its holder takes it again (S-20)", () =>
    Effect.gen(function*() {
      const [lock, other] = [yield* SharedLock.make(), yield* SharedLock.make()]
      const again = lock.withLock(other.withLock(Effect.flip(lock.withLock(Effect.void))))
      assert.strictEqual((yield* again)._tag, "AlreadyHeld")
    }).pipe(Effect.scoped))

  it.effect("is taken if it is free, and at once not taken if it is held or waited for", () =>
    Effect.gen(function*() {
      const lock = yield* SharedLock.make()
      const go = yield* Deferred.make<void>()
      const tryIt = lock.withLockIfAvailable(lock.isHeld)
      assert.deepStrictEqual(yield* tryIt, Option.some(true))
      const holder = yield* Effect.forkChild(lock.withLock(Deferred.await(go)), { startImmediately: true })
      assert.deepStrictEqual(yield* tryIt, Option.none())
      const waiter = yield* Effect.forkChild(lock.withLock(Effect.void), { startImmediately: true })
      assert.deepStrictEqual(yield* tryIt, Option.none())
      yield* Deferred.succeed(go, undefined)
      yield* Effect.forEach([holder, waiter], Fiber.join)
      assert.deepStrictEqual(yield* tryIt, Option.some(true))
      assert.strictEqual((yield* lock.withLock(Effect.flip(tryIt)))._tag, "AlreadyHeld")
    }).pipe(Effect.scoped))

  it.effect("is given up for by a timeout, and then not waited for any more", () =>
    Effect.gen(function*() {
      const lock = yield* SharedLock.make()
      const go = yield* Deferred.make<void>()
      const holder = yield* Effect.forkChild(lock.withLock(Deferred.await(go)), { startImmediately: true })
      assert.deepStrictEqual(yield* Effect.timeoutOption(lock.withLock(Effect.void), 1), Option.none())
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(holder)
      assert.isFalse(yield* lock.isHeld)
    }).pipe(Effect.scoped))

  it.effect("hands out tokens that grow", () =>
    Effect.gen(function*() {
      const lock = yield* SharedLock.make()
      const token = lock.withHold(({ token }) => Effect.succeed(token))
      const tokens = yield* Effect.all([token, token, token], { concurrency: "unbounded" })
      assert.deepStrictEqual(tokens, [...new Set(tokens)].sort((a, b) => a - b))
    }).pipe(Effect.scoped))

  it.effect("deleted, it is lost to its holder, and fails those who wait (S-22, S-27)", () =>
    Effect.gen(function*() {
      const { connection } = yield* Manager.Manager
      const lock = yield* SharedLock.make()
      const entered = yield* Deferred.make<void>()
      const body = Effect.andThen(Deferred.succeed(entered, undefined), Effect.never)
      const holder = yield* Effect.forkChild(Effect.flip(lock.withLock(body)))
      yield* Deferred.await(entered)
      const waiter = yield* Effect.forkChild(Effect.flip(lock.withLock(Effect.void)), { startImmediately: true })
      yield* Remote.directory(connection).call("delete", [lock[Remote.TypeId].target.id], () => Exit.void)
      assert.strictEqual((yield* Fiber.join(holder))._tag, "LockLost")
      assert.include((yield* Fiber.join(waiter)).message, "was removed while acquire waited")
    }).pipe(Effect.scoped))
})
