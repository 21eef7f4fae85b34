/** Links over real sockets: between a manager and its client, and between an owner and its child. */
import * as ChildProcess from "#node/childProcess.ts"
import * as endpoint from "#node/endpoint.ts"
import * as NetLink from "#node/netLink.ts"
import { Link, Manager, SharedRef } from "@effect-multiprocessing/core"
import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Logger, Redacted, Schema, Scope } from "effect"
import * as Net from "node:net"
import { waitUntil } from "./harness.ts"

/** The two ends of a Unix socket, paused. */
const socketPair = Effect.gen(function*() {
  const path = yield* endpoint.makePath
  const ends: Array<Net.Socket> = []
  const listener = yield* Effect.acquireRelease(
    Effect.sync(() => Net.createServer({ pauseOnConnect: true }, (end) => ends.push(end)).listen(path)),
    (listener) => Effect.sync(() => listener.close())
  )
  yield* waitUntil("the socket is listened on", () => listener.listening)
  const client = Net.connect(path).pause()
  yield* waitUntil("they are connected", () => ends.length === 1 && !client.connecting)
  return { client, server: ends[0]! }
})

it.live("a link over a socket reports its drain, however few bytes were pending", () =>
  Effect.gen(function*() {
    const { client, server } = yield* socketPair
    const link = yield* NetLink.fromSocket(server)
    let drains = 0
    yield* Effect.forkScoped(link.read({ onBytes: () => {}, onDrain: () => drains++ }))
    yield* Effect.yieldNow
    link.send(new Uint8Array(1))
    yield* Effect.callback<void>((resume) => void server.write(new Uint8Array(1), () => resume(Effect.void)))
    assert.strictEqual(drains, 0, "nothing was pending")
    while (link.pendingBytes() === 0) link.send(new Uint8Array(1_000))
    assert.isBelow(link.pendingBytes(), server.writableHighWaterMark)
    assert.strictEqual(drains, 0)
    client.resume()
    yield* waitUntil("it has drained", () => drains > 0)
    assert.strictEqual(link.pendingBytes(), 0)
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))

it.live("a link that is closed closes its socket, though the other side reads nothing (R-13)", () =>
  Effect.gen(function*() {
    const { server } = yield* socketPair
    yield* Effect.scoped(Effect.map(NetLink.fromSocket(server), (link) => {
      while (link.pendingBytes() === 0) link.send(new Uint8Array(1_000))
    }))
    yield* waitUntil("it is closed", () => server.destroyed)
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))

it.live("a manager ends, though a client that has unread replies reads nothing (R-13)", () =>
  Effect.gen(function*() {
    const key = Redacted.make("the key of this test")
    const path = yield* endpoint.makePath
    const scope = yield* Scope.make()
    const server = yield* Manager.makeServer({ key })
    yield* Scope.provide(endpoint.listen(server, path, { isOwnFolder: false }), scope)
    const socket = Net.connect(path).pause()
    const label = { name: "frozen", pid: 0 }
    const manager = yield* Manager.makeConnected(NetLink.fromSocket(socket), { address: path, key, label })
    const text = "x".repeat(1024 * 1024)
    const ref = yield* Effect.provideService(
      SharedRef.make({ schema: Schema.String, initial: text }),
      Manager.Manager,
      manager
    )
    socket.pause()
    yield* Effect.forkChild(Effect.all(Array.from({ length: 20 }, () => ref.get), { concurrency: "unbounded" }))
    yield* waitUntil("replies are pending", () => server.engine.state.sessions.size === 1 && socket.bytesWritten > 500)
    yield* Scope.close(scope, Exit.void)
  }).pipe(Effect.scoped, Effect.provide([Manager.layerCrypto, NodeServices.layer])))

it.live("requests that were deferred because their client did not read run once it reads again (S-12)", () =>
  Effect.gen(function*() {
    const ends = yield* socketPair
    const key = Redacted.make("the key of this test")
    const server = yield* Manager.makeServer({ key, limits: { outboundBytesMax: 1 } })
    yield* Effect.forkScoped(Effect.flatMap(NetLink.fromSocket(ends.server), server.serve))
    const manager = yield* Manager.makeConnected(NetLink.fromSocket(ends.client), {
      address: "a socket",
      key,
      label: { name: "slow", pid: 0 }
    })
    const text = "x".repeat(1024 * 1024)
    const ref = yield* Effect.provideService(
      SharedRef.make({ schema: Schema.String, initial: text }),
      Manager.Manager,
      manager
    )
    ends.client.pause()
    const first = yield* Effect.forkChild(ref.get)
    yield* waitUntil("its reply is pending", () => ends.server.writableLength > 0)
    const heard = ends.server.bytesRead
    const others = yield* Effect.forEach([1, 2, 3, 4], () => Effect.forkChild(ref.get))
    yield* waitUntil("the others have arrived", () => ends.server.bytesRead > heard)
    ends.client.resume()
    assert.deepStrictEqual(
      yield* Effect.forEach([first, ...others], Fiber.join),
      Array.from({ length: 5 }, () => text)
    )
  }).pipe(Effect.scoped, Effect.provide([Manager.layerCrypto, NodeServices.layer])))

/** Echoes every message. When its owner has closed the link, it sends one more message and ends. */
const echo = `
  import { Socket } from "node:net"
  process.on("SIGTERM", () => {})
  const owner = new Socket({ fd: 3, allowHalfOpen: true })
  owner.on("data", (bytes) => owner.write(bytes)).on("end", () => owner.end("bye"))
`

it.live("messages of a child arrive after its owner has closed the link, and so does its end", () =>
  Effect.gen(function*() {
    let heard = ""
    let drains = 0
    const reading = yield* Effect.scoped(Effect.gen(function*() {
      const { link } = yield* ChildProcess.start({
        name: "echo",
        args: ["--input-type=module", "--eval", echo],
        environment: {},
        instructions: "",
        grace: "10 seconds",
        linked: true,
        guard: { graceMs: 1_000 }
      })
      const reading = yield* Effect.forkDetach(
        link.read({
          onBytes: (bytes) => heard += new TextDecoder().decode(bytes),
          onDrain: () => drains++
        }),
        { startImmediately: true }
      )
      link.send(new TextEncoder().encode("hello, "))
      yield* waitUntil("it answers", () => heard === "hello, ")
      assert.deepStrictEqual([drains, link.pendingBytes()], [1, 0])
      return reading
    }))
    const end = yield* Effect.flip(Fiber.join(reading))
    assert.strictEqual(end._tag, "LinkClosed")
    assert.strictEqual(heard, "hello, bye")
  }).pipe(Effect.provide(NodeServices.layer)))

it.live("a defect that ends a connection is told, and the others go on", () =>
  Effect.gen(function*() {
    const path = yield* endpoint.makePath
    const logged: Array<string> = []
    let served = 0
    const serve = () => served++ === 0 ? Effect.die(new Error("a bug")) : Effect.never
    yield* NetLink.listen(NetLink.plainListener(), { path }, serve).pipe(
      Effect.provide(Logger.layer([Logger.make(({ cause, message }) => logged.push(message + Cause.pretty(cause)))]))
    )
    const link = yield* NetLink.connect({ path })
    const closed = yield* Effect.flip(link.read({ onBytes: () => {}, onDrain: () => {} }))
    assert.instanceOf(closed, Link.LinkClosed)
    yield* NetLink.connect({ path })
    yield* waitUntil("another one is served", () => served === 2)
    assert.lengthOf(logged, 1)
    assert.match(logged[0]!, /A defect has ended a connection.*a bug/s)
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))
