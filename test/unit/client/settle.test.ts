/** An interruption waits for the manager to say how its call ended, but not for ever (S-10). */
import { Manager, SharedLock, SharedQueue } from "@effect-multiprocessing/core"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Holdable } from "../../support/links.ts"
import * as Memory from "../../support/Memory.ts"

/** A call that waits in the manager, over a link whose bytes to the manager can be held up. */
const setUp = Effect.gen(function*() {
  const memory = yield* Memory.make()
  const toServer = new Holdable()
  const connected = yield* memory.connect({ client: toServer.wrap })
  const queue = yield* Effect.provideService(
    SharedQueue.make({ item: Schema.Int }),
    Manager.Manager,
    connected.manager
  )
  const taken: Array<number> = []
  const take = yield* Effect.forkChild(Effect.map(queue.take, (item) => taken.push(item)))
  const waiting = () => [...memory.server.engine.state.objects.values()].some((object) => object.waiting > 0)
  yield* Memory.until("the call waits", waiting)
  return { memory, connected, toServer, queue, take, taken, waiting }
})

it.effect("an interruption ends at once when the manager answers", () =>
  Effect.gen(function*() {
    const { connected, memory, take, waiting } = yield* setUp
    yield* Fiber.interrupt(take)
    assert.isFalse(waiting())
    yield* Memory.settled(memory, connected)
  }))

it.effect("an interruption ends after a second when the manager is frozen", () =>
  Effect.gen(function*() {
    const { take, toServer } = yield* setUp
    toServer.hold()
    const interruption = yield* Effect.forkChild(Fiber.interrupt(take), { startImmediately: true })
    yield* TestClock.adjust(999)
    assert.isUndefined(interruption.pollUnsafe())
    yield* TestClock.adjust(1)
    yield* Fiber.join(interruption)
  }))

it.effect("what a frozen manager was not told is settled by the connection, once it is told", () =>
  Effect.gen(function*() {
    const { connected, memory, queue, take, taken, toServer, waiting } = yield* setUp
    toServer.hold()
    const interruption = yield* Effect.forkChild(Fiber.interrupt(take), { startImmediately: true })
    yield* TestClock.adjust(1_000)
    yield* Fiber.join(interruption)
    assert.isTrue(waiting())
    toServer.release()
    yield* Memory.settled(memory, connected)
    assert.isFalse(waiting())
    yield* queue.offer(1)
    assert.strictEqual(yield* queue.size, 1)
    assert.deepStrictEqual(taken, [])
  }))

it.effect("an interruption ends at once when the link is cut", () =>
  Effect.gen(function*() {
    const { connected, take, toServer } = yield* setUp
    toServer.hold()
    const interruption = yield* Effect.forkChild(Fiber.interrupt(take), { startImmediately: true })
    connected.cut("pulled")
    yield* Fiber.join(interruption)
    assert.strictEqual(connected.manager.connection.pending, 0)
  }))

it.effect("a lock is given back by a frozen manager too: its release is told, not awaited", () =>
  Effect.gen(function*() {
    const { connected, memory, toServer } = yield* setUp
    const lock = yield* Effect.provideService(SharedLock.make(), Manager.Manager, connected.manager)
    yield* lock.withLock(Effect.sync(() => toServer.hold()))
    toServer.release()
    yield* Memory.until("it is free", () => memory.server.engine.state.counts.holders === 0)
  }))
