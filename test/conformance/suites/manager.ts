import { Manager, SharedLatch, SharedLock, SharedSemaphore } from "@effect-multiprocessing/core"
import { assert } from "@effect/vitest"
import { Deferred, Effect, Fiber, Queue, Stream } from "effect"
import { timeless } from "../../support/timeless.ts"
import { untilWaiting } from "../../support/untilWaiting.ts"
import { suite } from "../suite.ts"

/** The inspection of a manager. */
export const managerSuite = suite("Manager", (it) => {
  it.effect("lists the holders and waiters of each object, whole and page by page", () =>
    Effect.gen(function*() {
      const manager = yield* Manager.Manager
      const lock = yield* SharedLock.make({ name: "inspected" })
      const done = yield* Deferred.make<void>()
      const held = yield* Deferred.make<void>()
      const holding = yield* Effect.forkChild(
        lock.withLock(Effect.andThen(Deferred.succeed(held, undefined), Deferred.await(done)))
      )
      yield* Deferred.await(held)
      const waiting = yield* Effect.forkChild(lock.withLock(Effect.void))
      yield* untilWaiting(lock, 1)

      const { counts, objects, sessions } = yield* manager.inspect
      assert.deepStrictEqual(yield* manager.counts, counts)
      assert.deepStrictEqual(yield* Stream.runCollect(manager.sessions), sessions)
      const listed = yield* Stream.runCollect(manager.objects)
      assert.deepStrictEqual(listed.map(({ id }) => id), objects.map(({ id }) => id))
      const inspected = listed.find(({ name }) => name === "inspected")!
      assert.deepInclude(inspected, { kind: "Lock", held: 1, waiting: 1 })
      const holders = yield* Stream.runCollect(manager.holders(inspected))
      const waiters = yield* Stream.runCollect(manager.waiters(inspected))
      assert.strictEqual(holders.length, 1)
      assert.deepStrictEqual(waiters.map(({ operation }) => operation), ["acquire"])
      const whole = objects.find(({ id }) => id === inspected.id)!
      assert.deepStrictEqual(timeless(holders), timeless(whole.holders))
      assert.deepStrictEqual(timeless(waiters), timeless(whole.waiters))

      yield* Deferred.succeed(done, undefined)
      yield* Fiber.joinAll([holding, waiting])
      assert.deepStrictEqual(yield* Stream.runCollect(manager.holders(inspected)), [])
    }).pipe(Effect.scoped))

  it.effect("reports every object that is created or removed, in order (S-29)", () =>
    Effect.gen(function*() {
      const { changes } = yield* Manager.Manager
      const told = yield* Queue.unbounded<Manager.DirectoryChange>()
      const reading = yield* Effect.forkChild(Stream.runForEach(changes, (change) => Queue.offer(told, change)))
      const ofObjects = Effect.repeat(Queue.take(told), {
        until: (change) => change._tag === "Created" || change._tag === "Removed"
      })
      assert.strictEqual((yield* Queue.take(told))._tag, "Reset")
      yield* Effect.scoped(Effect.andThen(SharedLatch.make({ name: "a" }), SharedSemaphore.make({ permits: 1 })))
      const [a, b, ...gone] = yield* Effect.all([ofObjects, ofObjects, ofObjects, ofObjects])
      assert(a._tag === "Created" && b._tag === "Created")
      assert.deepInclude(a.object, { kind: "Latch", name: "a" })
      assert.deepInclude(b.object, { kind: "Semaphore", name: null })
      assert.sameDeepMembers(gone, [{ _tag: "Removed", id: b.object.id }, { _tag: "Removed", id: a.object.id }])
      yield* Fiber.interrupt(reading)
    }))
})
