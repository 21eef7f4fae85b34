/** A manager as a client looks at it: in one piece, page by page, and as it changes. */
import { Manager, SharedLatch, SharedLock, SharedSemaphore } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Scope, Stream } from "effect"
import * as Memory from "../../support/Memory.ts"
import { timeless } from "../../support/timeless.ts"
import { untilWaiting } from "../../support/untilWaiting.ts"

const setUp = (limits: Memory.MemoryOptions["limits"] = {}) =>
  Effect.gen(function*() {
    const memory = yield* Memory.make({ limits, judged: false })
    const { manager } = yield* memory.connect({ name: "looks" })
    const { manager: other } = yield* memory.connect({ name: "works" })
    return { memory, manager, as: Effect.provideService(Manager.Manager, other) }
  })

const manyLatches = Effect.forEach(Array.from({ length: 1_200 }), () => SharedLatch.make(), {
  concurrency: "unbounded",
  discard: true
})

describe("inspect", () => {
  it.live("of a manager that is too large for one piece is put together from pages", () =>
    Effect.gen(function*() {
      // Small frames, and so small pages.
      const { as, manager } = yield* setUp({ frameBytesMax: 16_000 })
      const lock = yield* as(SharedLock.make({ name: "lock" }))
      const permits = yield* as(SharedSemaphore.make({ permits: 600, name: "permits" }))
      yield* as(manyLatches)
      const done = yield* Deferred.make<void>()
      const hold = lock.withLock(Deferred.await(done))
      yield* Effect.forkScoped(as(hold))
      const acquiring = Effect.forEach(
        Array.from({ length: 700 }),
        () => permits.withPermits(1)(Deferred.await(done)),
        { concurrency: "unbounded", discard: true }
      )
      yield* Effect.forkScoped(as(acquiring))
      yield* untilWaiting(permits, 100).pipe(as)
      const { counts, objects, sessions } = yield* manager.inspect
      assert.deepStrictEqual(counts, { sessions: 2, objects: 1_202, waiters: 100, holders: 601 })
      assert.deepStrictEqual(counts, yield* manager.counts)
      assert.deepStrictEqual(sessions.map(({ holding, name, waiting }) => [name, waiting, holding]), [
        ["looks", 0, 0],
        ["works", 100, 601]
      ])
      assert.strictEqual(objects.length, 1_202)
      const rows = objects.filter(({ name }) => name !== null).map(({ held, holders, name, waiters, waiting }) => [
        name,
        held,
        new Set(holders.map(({ token }) => token)).size,
        waiting,
        new Set(waiters.map(({ arrival }) => arrival)).size
      ])
      assert.deepStrictEqual(rows, [["lock", 1, 1, 0, 0], ["permits", 600, 600, 100, 100]])
      const [first] = yield* Stream.runCollect(Stream.take(manager.objects, 1))
      const holders = yield* Stream.runCollect(manager.holders(first!))
      assert.deepStrictEqual(timeless(holders), timeless(objects[0]!.holders))
      yield* Deferred.succeed(done, undefined)
    }).pipe(Effect.scoped))
})

describe("changes", () => {
  /** The ids that follow from what was told. */
  const fold = (known: Set<number>, change: Manager.DirectoryChange): void => {
    if (change._tag === "Reset") known.clear()
    else if (change._tag === "Removed") known.delete(change.id)
    else known.add(change.object.id)
  }

  const ids = ({ memory }: { readonly memory: Memory.Memory }) =>
    [...memory.server.engine.state.objects.keys()].filter((id) => id !== 0)

  it.live("lists what is there, then tells of what comes and goes, in order", () =>
    Effect.gen(function*() {
      const { as, manager, memory } = yield* setUp()
      yield* as(SharedLatch.make({ name: "first" }))
      const told: Array<Manager.DirectoryChange> = []
      const reading = yield* Effect.forkChild(
        Stream.runForEach(manager.changes, (change) => Effect.sync(() => told.push(change)))
      )
      yield* Memory.until("the first is listed", () => told.length === 2)
      yield* as(Effect.scoped(SharedLock.make({ name: "second" })))
      yield* Memory.until("the second is gone", () => told.length === 4)
      assert.deepStrictEqual(told.map((change) => change._tag), ["Reset", "Listed", "Created", "Removed"])
      const [, , created, removed] = told
      assert.deepInclude(created, { object: { id: ids({ memory })[0]! + 1, kind: "Lock", name: "second" } })
      assert.deepInclude(removed, { id: ids({ memory })[0]! + 1 })
      yield* Fiber.interrupt(reading)
      const watchers = () => memory.server.engine.state.objects.get(0)!.watchers.size
      yield* Memory.until("nobody watches", () => watchers() === 0)
    }).pipe(Effect.scoped))

  it.live("read slowly, gives the objects of the manager all the same, and delays nobody", () =>
    Effect.gen(function*() {
      const made = yield* setUp({ watchCredit: 4, frameBytesMax: 16_000 })
      const { as, manager } = made
      const go = yield* Deferred.make<void>()
      const stopped = yield* Deferred.make<void>()
      const known = new Set<number>()
      let resets = 0
      yield* Effect.forkScoped(Stream.runForEach(manager.changes, (change) => {
        fold(known, change)
        if (change._tag === "Reset") resets++
        return Effect.andThen(Deferred.succeed(stopped, undefined), Deferred.await(go))
      }))
      yield* Deferred.await(stopped)
      const scope = yield* Scope.make()
      for (let i = 0; i < 50; i++) yield* as(Scope.provide(SharedLatch.make(), scope))
      yield* as(Effect.scoped(SharedLatch.make()))
      yield* as(SharedLatch.make())
      yield* Scope.close(scope, yield* Effect.exit(Effect.void))
      yield* Deferred.succeed(go, undefined)
      yield* Memory.until("what it knows is what is there", () => ids(made).join() === [...known].join())
      assert.isAbove(resets, 1)
    }).pipe(Effect.scoped))
})
