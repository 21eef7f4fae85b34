/** Many clients at once, as an array of queues for as many processes needs them (SEED-30, SEED-33). */
import { Link, Manager, SharedQueue } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { NodeSocket } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Schema } from "effect"
import { tmpdir } from "node:os"

const clients = Array.from({ length: 300 }, (_, i) => i)

/** All handshakes begin at once, so the last one ends late on a slow machine. */
const limits = { handshakeMs: 600_000 }

const patientClient = ({ key, path = "" }: Manager.Endpoint) =>
  Layer.effect(
    Manager.Manager,
    Manager.makeConnected(
      Effect.flatMap(NodeSocket.makeNet({ path }), Link.fromSocket),
      { address: path, key, label: { name: "client", pid: process.pid }, limits }
    )
  ).pipe(Layer.provide(Manager.layerCrypto))

const box = (i: number) => SharedQueue.make({ name: `box/${i}`, item: Schema.Int })

it.live("hundreds of clients that connect at once are all accepted, and each has its own queue (R-17)", () =>
  Effect.gen(function*() {
    const { endpoint, inspect } = yield* Manager.Manager
    yield* Effect.forEach(
      clients,
      (i) =>
        Effect.flatMap(box(i), (queue) => queue.offer(i)).pipe(
          Effect.provide(patientClient(endpoint!))
        ),
      { concurrency: "unbounded" }
    )
    const contents = yield* Effect.forEach(
      clients,
      (i) => Effect.flatMap(box(i), (queue) => Effect.all([queue.size, queue.take]))
    )
    assert.deepStrictEqual(contents, clients.map((i) => [1, i]))
    yield* Effect.repeat(inspect, { until: ({ counts }) => counts.sessions === 1 })
  }).pipe(Effect.scoped, Effect.provide(NodeManager.layerWith({ limits }))))

it.live("more clients than may be in the handshake at once are all accepted: those that are refused connect again", () =>
  Effect.gen(function*() {
    const { endpoint } = yield* Manager.Manager
    const client = Layer.fresh(NodeManager.layerClient(endpoint!))
    yield* Effect.forEach(clients, () => Effect.provide(Manager.Manager, client), { concurrency: "unbounded" })
  }).pipe(Effect.scoped, Effect.provide(NodeManager.layerWith({ limits: { ...limits, unauthenticatedMax: 150 } }))))

it.effect("a client of a manager that is not there fails at once: nothing is waited for", () =>
  Effect.gen(function*() {
    const path = `${tmpdir()}/emp-nobody-${process.pid}`
    const client = NodeManager.layerClient({ path, key: Redacted.make("the key of this test") })
    // No time passes in this test.
    assert.include((yield* Effect.flip(Effect.provide(Manager.Manager, client))).message, "ENOENT")
  }))
