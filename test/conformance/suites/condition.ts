import * as Remote from "#core/proxy/Remote.ts"
import { Manager, SharedCondition, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { assert } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Schema } from "effect"
import { untilWaiting } from "../../support/untilWaiting.ts"
import { locking } from "../hold.ts"
import { programs, suite } from "../suite.ts"

/** `SharedCondition`. */
export const conditionSuite = suite("SharedCondition", (it, runs) => {
  locking(it, SharedCondition.make())

  it.effect.prop(
    "wakes exactly the given number of waiters, the longest waiting ones first (S-15)",
    [programs("wait", "notify", "notifyAll", "interrupt")],
    ([program]) =>
      Effect.gen(function*() {
        const condition = yield* SharedCondition.make()
        const waiting = new Map<number, Fiber.Fiber<unknown, unknown>>()
        const woken: Array<number> = []
        const model: { waiting: Array<number>; woken: Array<number> } = { waiting: [], woken: [] }
        for (const [id, [what, number]] of program.entries()) {
          if (what === "wait") {
            const began = yield* Deferred.make<void>()
            const body = Effect.andThen(
              Deferred.succeed(began, undefined),
              Effect.map(condition.wait, () => woken.push(id))
            )
            waiting.set(id, yield* Effect.forkChild(condition.withLock(body), { startImmediately: true }))
            yield* Deferred.await(began)
            // The next holder of the lock finds this one waiting.
            yield* condition.withLock(Effect.void)
            model.waiting.push(id)
          } else if (what === "interrupt") {
            const [chosen] = model.waiting.splice(Math.abs(number) % Math.max(1, model.waiting.length), 1)
            if (chosen !== undefined) yield* Fiber.interrupt(waiting.get(chosen)!)
          } else {
            const most = what === "notify" ? Math.abs(number) % 4 : Infinity
            const chosen = model.waiting.splice(0, most)
            const notify = what === "notify" ? condition.notify(most) : condition.notifyAll
            assert.strictEqual(yield* condition.withLock(notify), chosen.length)
            model.woken.push(...chosen)
            for (const id of chosen) yield* Fiber.join(waiting.get(id)!)
            assert.deepStrictEqual(woken, model.woken)
          }
        }
        assert.deepStrictEqual(woken, model.woken)
        for (const id of model.waiting) yield* Fiber.interrupt(waiting.get(id)!)
        assert.isFalse(yield* condition.isHeld)
      }).pipe(Effect.scoped),
    runs
  )

  it.effect("waits and notifies only under its lock, and its error says so", () =>
    Effect.gen(function*() {
      const [condition, other] = [yield* SharedCondition.make(), yield* SharedCondition.make()]
      const uses = [condition.wait, condition.waitFor(Effect.succeed(true)), condition.notify(1), condition.notifyAll]
      for (const use of uses) {
        for (const place of [use, other.withLock(use)]) {
          const error = yield* Effect.flip(place as Effect.Effect<unknown, SharedCondition.NotHeld>)
          assert.strictEqual(error._tag, "NotHeld")
          assert.include(error.message, "Call it inside withLock")
        }
      }
    }).pipe(Effect.scoped))

  it.effect("`wait` returns the hold that it ends with: its token has grown, and writes continue under it (S-21)", () =>
    Effect.gen(function*() {
      const condition = yield* SharedCondition.make()
      const ref = yield* SharedRef.make({ schema: Schema.Int, initial: 0 })
      const waiting = yield* Effect.forkChild(condition.withHold((first) =>
        Effect.gen(function*() {
          const second = yield* condition.wait
          yield* ref.set(1)
          const third = yield* condition.wait
          yield* ref.set(2)
          return [first, second, third]
        })
      ))
      for (const n of [1, 2]) {
        yield* untilWaiting(condition, 1)
        yield* condition.withLock(condition.notify(1))
        yield* ref.until((value) => value === n)
      }
      const [first, second, third] = yield* Fiber.join(waiting)
      assert.isAbove(second!.token, first!.token)
      assert.isAbove(third!.token, second!.token)
      assert.deepStrictEqual([second!.epoch, second!.abandoned], [first!.epoch, false])
      assert.isFalse(yield* condition.isHeld)
    }).pipe(Effect.scoped))

  it.effect("`waitFor` continues when its check holds, and checks under the lock", () =>
    Effect.gen(function*() {
      const condition = yield* SharedCondition.make()
      const ref = yield* SharedRef.make({ schema: Schema.Int, initial: 0 })
      const taken = yield* SharedQueue.make({ item: Schema.Int })
      const take = (n: number) =>
        condition.withLock(Effect.gen(function*() {
          yield* condition.waitFor(Effect.map(ref.get, (available) => available >= n))
          yield* ref.update((available) => available - n)
          yield* taken.offer(n)
        }))
      const takers = yield* Effect.forEach([3, 2, 1], (n) => Effect.forkChild(take(n)))
      const add = condition.withLock(Effect.andThen(ref.increment, condition.notifyAll))
      yield* Effect.all(Array.from({ length: 6 }, () => add), { concurrency: "unbounded", discard: true })
      yield* Effect.forEach(takers, Fiber.join)
      assert.strictEqual(yield* ref.get, 0)
      assert.strictEqual(yield* taken.size, 3)
    }).pipe(Effect.scoped))

  it.effect("an interrupted `wait` has the lock again, and takes no notification from other waiters (S-15)", () =>
    Effect.gen(function*() {
      const condition = yield* SharedCondition.make()
      const log: Array<string> = []
      const impatient = yield* Effect.forkChild(condition.withHold(({ token }) =>
        Effect.gen(function*() {
          yield* Effect.timeoutOption(condition.wait, 1)
          const again = yield* Effect.flip(condition.withLock(Effect.void))
          log.push(again._tag)
          return token
        })
      ))
      yield* Fiber.join(impatient)
      const waiter = yield* Effect.forkChild(condition.withLock(condition.wait), { startImmediately: true })
      yield* untilWaiting(condition, 1)
      assert.strictEqual(yield* condition.withLock(condition.notify(1)), 1)
      yield* Fiber.join(waiter)
      assert.deepStrictEqual(log, ["AlreadyHeld"])
    }).pipe(Effect.scoped))

  it.effect("is lost to its waiters when it is deleted (S-22, S-27)", () =>
    Effect.gen(function*() {
      const { connection } = yield* Manager.Manager
      const condition = yield* SharedCondition.make()
      const waiter = yield* Effect.forkChild(Effect.flip(condition.withLock(condition.wait)))
      yield* untilWaiting(condition, 1)
      yield* Remote.directory(connection).call("delete", [condition[Remote.TypeId].target.id], () => Exit.void)
      assert.strictEqual((yield* Fiber.join(waiter))._tag, "LockLost")
    }).pipe(Effect.scoped))
})
