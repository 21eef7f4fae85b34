/** Sessions that survive their connections, over real sockets, with TLS and without (S-6, S-7). */
import { Manager, SharedLock, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Redacted, Schema, Stream } from "effect"
import { budget } from "../support/budget.ts"
import { makeCertificate } from "../support/certificates.ts"
import { makeFaultyProxy } from "../support/faultyProxy.ts"
import { waitUntil } from "./harness.ts"

const key = Redacted.make("abracadabra")
const authority = makeCertificate({ name: "the authority of the tests" })
const own = makeCertificate({ name: "server", hosts: ["127.0.0.1"], issuer: authority })

const ways = {
  TCP: { scheme: "emp", server: {}, client: {} },
  TLS: {
    scheme: "emps",
    server: { tls: { cert: own.cert, key: Redacted.make(own.key) } },
    client: { tls: { ca: authority.cert } }
  }
} as const

/** A manager, and a client of it behind a bad network. */
const setUp = ({ client, scheme, server }: typeof ways[keyof typeof ways], seed: number) =>
  Effect.gen(function*() {
    const serving = yield* Layer.build(
      Layer.fresh(NodeManager.layerServer({ key, address: { host: "127.0.0.1", port: 0 }, ...server }))
    )
    const direct = Context.get(serving, Manager.Manager)
    const proxy = yield* makeFaultyProxy(Number(new URL(direct.endpoint!.urls![0]!).port), seed)
    const url = `${scheme}://127.0.0.1:${proxy.port}`
    const connecting = yield* Layer.build(
      Layer.fresh(NodeManager.layerClient({ key, url, ...client, reconnect: { grace: "30 seconds" } }))
    )
    const manager = Context.get(connecting, Manager.Manager)
    const statuses: Array<string> = []
    yield* Effect.forkScoped(
      Stream.runForEach(manager.status, ({ _tag }) => Effect.sync(() => statuses.push(_tag)))
    )
    return {
      proxy,
      statuses,
      as: Effect.provideService(Manager.Manager, manager),
      directly: Effect.provideService(Manager.Manager, direct)
    }
  })

describe.each(Object.entries(ways))("over %s", (_, way) => {
  it.live("a program notices nothing of connections that are cut anywhere, again and again", () =>
    Effect.gen(function*() {
      const { as, directly, proxy, statuses } = yield* setUp(way, 1)
      const total = yield* as(SharedRef.make({ name: "total", schema: Schema.Int, initial: 0 }))
      const guarded = yield* as(SharedRef.make({ name: "guarded", schema: Schema.Int, initial: 0 }))
      const lock = yield* as(SharedLock.make({ name: "lock" }))
      const queue = yield* as(SharedQueue.make({ name: "queue", item: Schema.Int }))
      const tokens: Array<number> = []
      const taken: Array<number> = []
      let [adds, turns, items] = [0, 0, 0]
      proxy.cutAfter(8_000)
      const busy = () => proxy.cuts() < budget(5)
      const adding = Effect.whileLoop({
        while: busy,
        body: () => Effect.andThen(total.increment, Effect.sync(() => adds++)),
        step: () => {}
      })
      const locking = Effect.whileLoop({
        while: busy,
        body: () =>
          lock.withHold(({ token }) =>
            Effect.gen(function*() {
              tokens.push(token)
              yield* guarded.set((yield* guarded.get) + 1)
              turns++
            })
          ),
        step: () => {}
      })
      const offering = Effect.whileLoop({ while: busy, body: () => queue.offer(items++), step: () => {} })
      const taking = Effect.forever(Effect.map(queue.take, (item) => taken.push(item)))
      const takers = yield* Effect.forEach([1, 2], () => Effect.forkChild(taking))
      yield* Effect.all([...Array.from({ length: 8 }, () => adding), locking, offering], {
        concurrency: "unbounded",
        discard: true
      })
      proxy.cutAfter(0)
      yield* waitUntil("all items are taken", () => taken.length >= items)
      yield* Fiber.interruptAll(takers)
      const its = yield* directly(SharedRef.make({ name: "total", schema: Schema.Int, initial: 0 }))
      assert.strictEqual(yield* its.get, adds)
      assert.strictEqual(yield* guarded.get, turns)
      assert.deepStrictEqual(taken.toSorted((a, b) => a - b), Array.from({ length: items }, (_, i) => i))
      assert.deepStrictEqual(tokens, tokens.toSorted((a, b) => a - b))
      assert.include(statuses, "Reconnecting")
      assert.strictEqual(statuses.at(-1), "Connected")
    }))

  it.live("what stands still goes on, and a client that notices last keeps its lock", () =>
    Effect.gen(function*() {
      const { as, directly, proxy, statuses } = yield* setUp(way, 2)
      const total = yield* as(SharedRef.make({ name: "total", schema: Schema.Int, initial: 0 }))
      const lock = yield* as(SharedLock.make({ name: "lock" }))
      const its = yield* directly(SharedLock.make({ name: "lock" }))
      const sum = yield* lock.withLock(Effect.gen(function*() {
        proxy.pass("nothing")
        const stalled = yield* Effect.forkChild(total.increment, { startImmediately: true })
        assert.isTrue(yield* its.isHeld)
        proxy.pass("all")
        yield* Fiber.join(stalled)
        proxy.cutServerEnds()
        const lost = yield* Effect.forkChild(total.increment, { startImmediately: true })
        assert.isTrue(yield* its.isHeld)
        proxy.heal()
        return yield* Fiber.join(lost)
      }))
      assert.strictEqual(sum, 2)
      assert.deepStrictEqual(statuses.slice(-2), ["Reconnecting", "Connected"])
    }))
})
