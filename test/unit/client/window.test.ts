/** Flow control between a client and the manager (S-8, S-12). */
import { map as mapKind } from "#core/engine/kinds/record.ts"
import { cell } from "#core/engine/Value.ts"
import { ClientWriter } from "#core/protocol/Message.ts"
import type { Link } from "#core/transport/Link.ts"
import { Manager, SharedLock, SharedMap, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema, Stream } from "effect"
import { Deaf, Holdable, Tally } from "../../support/links.ts"
import * as Memory from "../../support/Memory.ts"

const setUp = (limits: Memory.MemoryOptions["limits"], options?: Memory.ConnectOptions) =>
  Effect.gen(function*() {
    const memory = yield* Memory.make({ limits })
    const connected = yield* memory.connect(options)
    const as = Effect.provideService(Manager.Manager, connected.manager)
    const session = () => memory.server.engine.state.sessions.get(connected.manager.connection.agreement.session)
    return { memory, connected, as, session }
  })

const numbers = Array.from({ length: 100 }, (_, n) => n)
const all = { concurrency: "unbounded" } as const

describe("a large window", () => {
  it.live("that becomes free in one turn is filled again by as many calls", () =>
    Effect.gen(function*() {
      const memory = yield* Memory.make({ judged: false })
      const client = new Deaf()
      const { manager } = yield* memory.connect({ client: client.wrap })
      const open = SharedRef.make({ schema: Schema.Int, initial: 0 })
      const ref = yield* Effect.provideService(open, Manager.Manager, manager)
      const { limits: { inFlightMax }, session } = manager.connection.agreement
      const calls = Array.from({ length: 2 * inFlightMax }, () => ref.increment)
      client.hold()
      const calling = yield* Effect.forkChild(Effect.all(calls, { ...all, discard: true }))
      const remembered = () => memory.server.engine.state.sessions.get(session)!.answered.size
      yield* Memory.until("the window is full", () => remembered() === inFlightMax)
      client.release()
      yield* Fiber.join(calling)
      assert.strictEqual(yield* ref.get, calls.length)
    }))
})

describe("a small window", () => {
  it.live("lets every call finish, and none overtakes another", () =>
    Effect.gen(function*() {
      const { as, connected, memory } = yield* setUp({ inFlightMax: 4 })
      const queue = yield* as(SharedQueue.make({ item: Schema.Int }))
      yield* Effect.forEach(numbers, queue.offer, all)
      assert.deepStrictEqual(yield* Effect.forEach(numbers, () => queue.take, all), numbers)
      yield* Memory.settled(memory, connected)
    }))

  it.live("is not filled by calls that wait: they can be answered over the same connection", () =>
    Effect.gen(function*() {
      const { as, session } = yield* setUp({ inFlightMax: 4 })
      const queue = yield* as(SharedQueue.make({ item: Schema.Int }))
      const takes = yield* Effect.forEach(numbers, () => Effect.forkChild(queue.take))
      yield* Memory.until("all of them wait", () => session()?.parked.size === 100)
      yield* Effect.forEach(numbers, queue.offer, all)
      assert.deepStrictEqual(yield* Effect.forEach(takes, Fiber.join), numbers)
    }))

  it.live("admits a call in the place of one that was interrupted before it was sent", () =>
    Effect.gen(function*() {
      const { as, connected } = yield* setUp({ inFlightMax: 1 })
      const ref = yield* as(SharedRef.make({ schema: Schema.Int, initial: 0 }))
      const fibers = yield* Effect.forEach(numbers, () => Effect.forkChild(ref.increment, { startImmediately: true }))
      yield* Fiber.interruptAll(fibers.slice(1))
      assert.strictEqual(yield* ref.increment, 2)
      assert.strictEqual(connected.manager.connection.pending, 0)
    }))

  it.live("keeps the bytes of a call that waits for room as they were when the call was made", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp({ inFlightMax: 1 })
      const queue = yield* as(SharedQueue.make({ item: Schema.Uint8Array }))
      const bytes = Uint8Array.of(1, 2, 3)
      const offers = Effect.all([queue.offer(bytes), queue.offer(bytes)], { concurrency: "unbounded" })
      yield* Effect.all([offers, Effect.sync(() => bytes.fill(0))], { concurrency: "unbounded" })
      assert.deepStrictEqual([yield* queue.take, yield* queue.take], [Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 3)])
    }))

  it.live("forgets every reply once it was acknowledged, in whatever order replies came", () =>
    Effect.gen(function*() {
      const { as, connected, memory, session } = yield* setUp({ inFlightMax: 8 })
      const lock = yield* as(SharedLock.make())
      const queue = yield* as(SharedQueue.make({ item: Schema.Int }))
      const waiting = yield* Effect.forkChild(lock.withLock(lock.isHeld))
      const take = yield* Effect.forkChild(queue.take)
      yield* Effect.forEach(numbers, (n) => Effect.andThen(queue.offer(n), lock.withLock(Effect.void)), all)
      yield* Fiber.join(waiting)
      yield* Fiber.join(take)
      yield* Memory.settled(memory, connected)
      assert.strictEqual(session()!.parked.size + session()!.answered.size, 0)
      assert.strictEqual(session()!.grants.size, 0)
    }))
})

describe("a client that does not read", () => {
  /** A client with a window of 4 whose manager stops reading its requests at once. */
  const slow = Effect.gen(function*() {
    const toClient = new Holdable()
    const made = yield* setUp({ inFlightMax: 4, outboundBytesMax: 1 }, { server: toClient.wrap })
    const ref = yield* made.as(SharedRef.make({ schema: Schema.Int, initial: 0 }))
    toClient.hold()
    const first = yield* Effect.forkChild(ref.increment)
    yield* Memory.until("a reply piles up", () => toClient.pendingBytes > 0)
    return { ...made, toClient, ref, first }
  })

  it.live("has no further request run, and is not ended for it; all run once it reads again", () =>
    Effect.gen(function*() {
      const { first, memory, ref, toClient } = yield* slow
      const fibers = yield* Effect.forEach(numbers, () => Effect.forkChild(ref.increment))
      const before = memory.server.engine.state.index
      for (let i = 0; i < 20; i++) yield* Effect.yieldNow
      assert.strictEqual(memory.server.engine.state.index, before)
      toClient.release()
      yield* Fiber.join(first)
      assert.strictEqual(Math.max(...yield* Effect.forEach(fibers, Fiber.join)), 101)
    }))

  it.live("delays nobody else", () =>
    Effect.gen(function*() {
      const { memory } = yield* slow
      const { manager } = yield* memory.connect()
      const ref = yield* Effect.provideService(
        SharedRef.make({ schema: Schema.Int, initial: 0 }),
        Manager.Manager,
        manager
      )
      assert.strictEqual(yield* ref.increment, 1)
    }))

  it.live("may cancel a call that was put off: it never runs", () =>
    Effect.gen(function*() {
      const { first, ref, toClient } = yield* slow
      const fiber = yield* Effect.forkChild(ref.set(100), { startImmediately: true })
      yield* Effect.yieldNow
      const { pendingBytes } = toClient
      const interrupted = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      yield* Memory.until("the cancel is answered", () => toClient.pendingBytes > pendingBytes)
      toClient.release()
      yield* Fiber.join(first)
      yield* Fiber.join(interrupted)
      assert.strictEqual(yield* ref.get, 1)
    }))

  it.live("may give up more reads than its window holds, and is not ended for it", () =>
    Effect.gen(function*() {
      const { first, ref, session, toClient } = yield* slow
      for (let i = 0; i < 20; i++) {
        const read = yield* Effect.forkChild(ref.get, { startImmediately: true })
        yield* Effect.yieldNow
        yield* Fiber.interrupt(read)
      }
      toClient.release()
      yield* Fiber.join(first)
      assert.strictEqual(yield* ref.get, 1)
      assert.isDefined(session())
    }))

  it.live("may watch more than its window holds, and is not ended for it", () =>
    Effect.gen(function*() {
      const { first, ref, session, toClient } = yield* slow
      const watches = yield* Effect.forEach(numbers, () => Effect.forkChild(Stream.runHead(ref.changes)))
      for (let i = 0; i < 20; i++) yield* Effect.yieldNow
      toClient.release()
      yield* Fiber.join(first)
      yield* Effect.forEach(watches, Fiber.join)
      assert.isDefined(session())
    }))

  it.live("leaves no watcher when it gives up watching before it was heard", () =>
    Effect.gen(function*() {
      const { first, memory, ref, toClient } = yield* slow
      const watch = yield* Effect.forkChild(Stream.runDrain(ref.changes), { startImmediately: true })
      for (let i = 0; i < 5; i++) yield* Effect.yieldNow
      yield* Fiber.interrupt(watch)
      toClient.release()
      yield* Fiber.join(first)
      assert.strictEqual(yield* ref.get, 1)
      const { objects } = memory.server.engine.state
      assert.strictEqual([...objects.values()].reduce((sum, { watchers }) => sum + watchers.size, 0), 0)
    }))
})

describe("a window is bounded in bytes, too:", () => {
  const bytesMax = 64 * 1024
  const item = "x".repeat(10_000)

  it.live("no more is sent to a manager that does not run it, and all of it runs in the end", () =>
    Effect.gen(function*() {
      const [toClient, tally] = [new Holdable(), new Tally()]
      const limits = { inFlightBytesMax: bytesMax, outboundBytesMax: 1 }
      const { as, session } = yield* setUp(limits, { client: tally.wrap, server: toClient.wrap })
      const queue = yield* as(SharedQueue.make({ item: Schema.String, capacity: 200 }))
      toClient.hold()
      const before = tally.bytes
      const offers = yield* Effect.forEach(numbers, (n) => Effect.forkChild(queue.offer(`${n}${item}`)))
      yield* Memory.until("a reply piles up", () => toClient.pendingBytes > 0)
      for (let i = 0; i < 20; i++) yield* Effect.yieldNow
      assert.isAtMost(tally.bytes - before, bytesMax + 2 * item.length)
      assert.isDefined(session())
      toClient.release()
      yield* Effect.forEach(offers, Fiber.join)
      assert.deepStrictEqual(yield* Effect.forEach(numbers, () => queue.take), numbers.map((n) => `${n}${item}`))
    }))

  it.live("replies that the client has not acknowledged hold up its further calls, until it does", () =>
    Effect.gen(function*() {
      const client = new Deaf()
      const { as, session } = yield* setUp({ inFlightBytesMax: bytesMax }, { client: client.wrap })
      const map = yield* as(SharedMap.make({ key: Schema.Int, value: Schema.String }))
      yield* Effect.forEach(numbers, (n) => map.set(n, item), all)
      client.hold()
      const removals = yield* Effect.forEach(numbers, (n) => Effect.forkChild(map.remove(n)))
      for (let i = 0; i < 20; i++) yield* Effect.yieldNow
      assert.isAtLeast(session()!.answeredBytes, bytesMax)
      assert.isAtMost(session()!.answeredBytes, bytesMax + 2 * item.length)
      client.release()
      yield* Effect.forEach(removals, Fiber.join)
      assert.strictEqual(yield* map.size, 0)
    }))
})

describe("a client that ignores its window", () => {
  it.live("is ended, is told which limit it was, and holds nothing any more", () =>
    Effect.gen(function*() {
      let wire: Link | undefined
      const { as, memory, session } = yield* setUp({ inFlightMax: 4 }, { client: (link) => wire = link })
      const map = yield* as(SharedMap.make({ name: "map", key: Schema.Int, value: Schema.Int }))
      const lock = yield* as(SharedLock.make({ name: "lock" }))
      const held = yield* Effect.forkChild(Effect.flip(lock.withLock(Effect.never)))
      yield* Memory.until("the lock is held", () => session()?.grants.size === 1)
      const writer = new ClientWriter()
      const set = Object.keys(mapKind.operations).indexOf("set")
      const id = memory.server.engine.state.names.get("map")!
      for (let i = 0; i < 20; i++) writer.request(1_000 + i, id, set, [], 0, ["1", cell("1")], 1_000)
      wire!.send(writer.take())
      assert.strictEqual((yield* Fiber.join(held))._tag, "LockLost")
      const { message } = yield* Effect.flip(map.size)
      assert.include(message, "more than 4 calls in flight (inFlightMax)")
      yield* Memory.until("the session is gone", () => session() === undefined)
      assert.strictEqual(memory.server.engine.state.counts.holders, 0)
    }))
})
