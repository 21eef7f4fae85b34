import { Manager, SharedLock, SharedMap, SharedQueue, SharedRef, SharedSemaphore } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Schema, type Scope } from "effect"
import { untilWaiting } from "../../support/untilWaiting.ts"

const objects = Effect.all({
  balance: SharedRef.make({ schema: Schema.Int, initial: 5 }),
  log: SharedQueue.make({ item: Schema.String, capacity: 1 }),
  accounts: SharedMap.make({ key: Schema.String, value: Schema.Int }),
  lock: SharedLock.make(),
  slots: SharedSemaphore.make({ permits: 1 })
})

const test = (
  name: string,
  body: (all: Effect.Success<typeof objects>) => Effect.Effect<void, unknown, Manager.Manager | Scope.Scope>
) => it.effect(name, () => Effect.provide(Effect.scoped(Effect.flatMap(objects, body)), Manager.layerMemory))

describe("Manager.atomic", () => {
  test("makes its calls in one step, and has the result of each (S-2)", ({ accounts, balance, log }) =>
    Effect.gen(function*() {
      const results = yield* Manager.atomic([balance.increment, accounts.set("a", 1), log.offer("a"), accountless])
      assert.deepStrictEqual(results, [6, undefined, undefined, "no call"])
      assert.deepStrictEqual(yield* Manager.atomic([balance.get, log.size]), [6, 1])
      assert.deepStrictEqual(yield* Manager.atomic([]), [])
      assert.deepStrictEqual(yield* Manager.atomic([balance.get]), [6])
    }))

  test("fails with the error of the call that was refused, and no call took effect", ({ balance, log }) =>
    Effect.gen(function*() {
      yield* log.close
      const error = yield* Effect.flip(Manager.atomic([balance.increment, log.offer("a")]))
      assert.strictEqual(error._tag, "QueueClosed")
      assert.strictEqual(yield* balance.get, 5)
    }))

  test("waits until all can go, and holds nothing meanwhile", ({ balance, log }) =>
    Effect.gen(function*() {
      yield* log.offer("first")
      const both = yield* Effect.forkChild(Manager.atomic([balance.increment, log.offer("second")]))
      yield* untilWaiting(log, 1)
      assert.strictEqual(yield* balance.increment, 6)
      assert.strictEqual(yield* log.take, "first")
      assert.deepStrictEqual(yield* Fiber.join(both), [7, undefined])
    }))

  test("is withdrawn as a whole when it is interrupted (S-10)", ({ balance, log }) =>
    Effect.gen(function*() {
      yield* log.offer("first")
      const both = yield* Effect.forkChild(Manager.atomic([balance.increment, log.offer("second")]))
      yield* untilWaiting(log, 1)
      yield* Fiber.interrupt(both)
      yield* untilWaiting(log, 0)
      assert.strictEqual(yield* log.take, "first")
      assert.deepStrictEqual([yield* balance.get, yield* log.size], [5, 0])
    }))

  test("stands under the locks around it (S-21)", ({ balance, lock, log }) =>
    Effect.gen(function*() {
      const manager = yield* Manager.Manager
      const exit = yield* Effect.exit(
        lock.withLock(Effect.andThen(manager.remove(lock), Manager.atomic([balance.increment, log.offer("a")])))
      )
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual([yield* balance.get, yield* log.size], [5, 0])
    }))

  test("refuses what is no single call, what must be given back, and two changes of one object", (all) =>
    Effect.gen(function*() {
      const { accounts, balance, lock, log, slots } = all
      const refused = (calls: ReadonlyArray<Effect.Effect<unknown, unknown>>) =>
        Effect.map(Effect.flip(Manager.atomic([...calls, accounts.get("a")])), String)
      assert.include(yield* refused([Effect.andThen(balance.increment, balance.increment)]), "one call each")
      assert.include(yield* refused([log.take]), "given back")
      assert.include(yield* refused([lock.withLock(Effect.void)]), "given back")
      assert.include(yield* refused([slots.withPermits(1)(Effect.void)]), "given back")
      assert.include(yield* refused([balance.increment, balance.increment]), "distinct")
      assert.include(yield* refused([log.offer(1 as never)]), "does not")
      yield* untilWaiting(log, 0)
    }))

  test("ends when one of its effects fails without a call, though another one cannot be interrupted", (all) =>
    Effect.gen(function*() {
      const later = Effect.repeat(Effect.yieldNow, { times: 10 })
      const increment = Effect.uninterruptible(Effect.andThen(later, all.balance.increment))
      const waits = Effect.uninterruptible(all.accounts.get("a"))
      for (const before of [Effect.yieldNow, Effect.andThen(later, Effect.yieldNow)]) {
        const fails = Effect.andThen(before, Effect.fail("no call"))
        assert.strictEqual(yield* Effect.flip(Manager.atomic([waits, fails, increment])), "no call")
      }
      assert.strictEqual(yield* all.balance.get, 5)
    }))

  test("refuses a call to another manager", ({ balance }) =>
    Effect.gen(function*() {
      const elsewhere = yield* Layer.build(Layer.fresh(Manager.layerMemory))
      const other = yield* Effect.provide(SharedRef.make({ schema: Schema.Int, initial: 0 }), elsewhere)
      const error = yield* Effect.flip(Manager.atomic([balance.increment, other.increment]))
      assert.include(String(error), "one manager")
      assert.strictEqual(yield* balance.get, 5)
    }))
})

const accountless = Effect.succeed("no call")
