/** What programs cost on the wire, counted in requests. */
import { Manager, SharedLock, SharedMap, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Schema } from "effect"
import { Tally } from "../../support/links.ts"
import * as Memory from "../../support/Memory.ts"

const setUp = (options: Memory.MemoryOptions = {}) =>
  Effect.gen(function*() {
    const memory = yield* Memory.make(options)
    const tally = new Tally()
    const { manager } = yield* memory.connect({ client: tally.wrap })
    const other = yield* memory.connect()
    const as = Effect.provideService(Manager.Manager, manager)
    const asOther = Effect.provideService(Manager.Manager, other.manager)
    const waiting = () =>
      [...memory.server.engine.state.objects.values()].reduce(
        (sum, { waiting, watchers }) => sum + waiting + watchers.size,
        0
      )
    return { memory, tally, as, asOther, waiting }
  })

const fibers = 256

describe("modify under contention needs a constant number of requests each (S-28)", () => {
  it.live("of a ref", () =>
    Effect.gen(function*() {
      const { as, tally } = yield* setUp({ judged: false })
      const ref = yield* as(SharedRef.make({ schema: Schema.Int, initial: 0 }))
      const before = tally.of("Request")
      const update = ref.update((n) => n + 1)
      yield* Effect.all(Array.from({ length: fibers }, () => update), { concurrency: "unbounded", discard: true })
      assert.strictEqual(yield* ref.get, fibers)
      assert.isAtMost(tally.of("Request") - before, fibers * 6)
    }))

  it.live("of entries of a map, by two clients", () =>
    Effect.gen(function*() {
      const { as, asOther, tally } = yield* setUp({ judged: false })
      const open = SharedMap.make({ name: "map", key: Schema.String, value: Schema.Int })
      const [map, others] = [yield* as(open), yield* asOther(open)]
      const before = tally.of("Request")
      const add = (to: typeof map) => to.modify("key", (n) => [0, Option.some(Option.getOrElse(n, () => 0) + 1)])
      yield* Effect.all(Array.from({ length: fibers / 2 }, () => [add(map), add(others)]).flat(), {
        concurrency: "unbounded",
        discard: true
      })
      assert.deepStrictEqual(yield* map.get("key"), Option.some(fibers))
      assert.isAtMost(tally.of("Request") - before, fibers / 2 * 6)
    }))

  it.live("goes on past an updater whose connection dies while it has a reservation", () =>
    Effect.gen(function*() {
      const { as, memory, waiting } = yield* setUp()
      const open = SharedRef.make({ name: "ref", schema: Schema.Int, initial: 0 })
      const ref = yield* as(open)
      const dying = yield* memory.connect()
      const theirs = yield* Effect.provideService(open, Manager.Manager, dying.manager)
      const stuck = yield* Effect.forkChild(Effect.exit(Effect.all(
        Array.from({ length: 8 }, () => theirs.update((n) => n + 1)),
        { concurrency: "unbounded" }
      )))
      yield* Memory.until("updaters wait for a reservation", () => waiting() > 0)
      const updating = yield* Effect.forkChild(ref.update((n) => n + 100))
      dying.cut("killed")
      assert.isAtLeast(yield* Fiber.join(updating), 100)
      yield* Fiber.join(stuck)
    }))
})

describe("a call that waits sends nothing while it waits (S-16)", () => {
  it.live("take, process, takeLease, withLock, offer to a full queue, until", () =>
    Effect.gen(function*() {
      const { as, asOther, memory, tally, waiting } = yield* setUp()
      const openQueue = SharedQueue.make({ name: "empty", item: Schema.Int })
      const openFull = SharedQueue.make({ name: "full", item: Schema.Int, capacity: 1 })
      const openLock = SharedLock.make({ name: "lock" })
      const openRef = SharedRef.make({ name: "ref", schema: Schema.Int, initial: 0 })
      const [queue, full, lock, ref] = yield* as(Effect.all([openQueue, openFull, openLock, openRef]))
      const others = yield* asOther(Effect.all([openQueue, openFull, openLock, openRef]))
      yield* others[1].offer(0)
      const holder = yield* Effect.forkChild(others[2].withLock(Effect.never))
      yield* Memory.until("the lock is held", () => memory.server.engine.state.counts.holders === 1)
      const calls: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
        queue.take,
        queue.process(Effect.succeed),
        Effect.scoped(Effect.tap(queue.takeLease, ({ ack }) => ack)),
        full.offer(1),
        lock.withLock(Effect.void),
        ref.until((n) => n === 1)
      ]
      const waiters = yield* Effect.forEach(calls, (call) => Effect.forkChild(call))
      yield* Memory.until("all of them wait", () => waiting() === calls.length)
      const { bytes } = tally
      // Meanwhile much happens that does not concern them.
      const busy = yield* asOther(SharedRef.make({ schema: Schema.Int, initial: 0 }))
      for (let i = 0; i < 200; i++) yield* busy.increment
      assert.strictEqual(tally.bytes, bytes)
      const requests = tally.of("Request")
      yield* others[0].offerAll([1, 2, 3])
      yield* others[1].take
      yield* Fiber.interrupt(holder)
      yield* others[3].set(1)
      yield* Effect.forEach(waiters, Fiber.join)
      // The receipts of `process` and the lease, and the release of the lock.
      assert.strictEqual(tally.of("Request") - requests, 3)
    }))
})

it.live("calls of one turn travel in one frame", () =>
  Effect.gen(function*() {
    const { as, tally } = yield* setUp()
    const ref = yield* as(SharedRef.make({ schema: Schema.Int, initial: 0 }))
    yield* ref.get
    const { frames } = tally
    yield* Effect.all(Array.from({ length: 100 }, () => ref.get), { concurrency: "unbounded" })
    assert.isAtMost(tally.frames - frames, 2)
  }))
