/** Effect Cluster places realms: an entity for each. The log fences, whatever the cluster believes. */
import { Log, SharedRef } from "@effect-multiprocessing/core"
import { PostgresLog, PostgresManager } from "@effect-multiprocessing/postgres"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Redacted, Schema, Stream } from "effect"
import { createServer } from "node:net"
import { inject } from "vitest"
import { type Program, start, waitUntil } from "../process/harness.ts"
import type { PlacedArguments } from "./fixtures/placed.ts"

const realms = ["carts", "invoices", "orders", "users"]
const key = "the key of the realms"
const schema = "cluster of realms"

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as { readonly port: number }
    server.close(() => resume(Effect.succeed(port)))
  })
})

const sum = SharedRef.make({ name: "sum", schema: Schema.Int, initial: 0 })

/** The realms that a host has led, and the epoch in which it has begun to lead each last. */
const ledBy = (host: Program): ReadonlyMap<string, number> =>
  new Map(
    [...host.output().matchAll(/leads "(\w+)" in epoch (\d+)/g)].map(([, realm, epoch]) => [realm!, Number(epoch)])
  )

describe("realms that are entities of a cluster", () => {
  it.live("are led by one host each, and go on at the other one while it is frozen; it changes nothing when it wakes up", () =>
    Effect.gen(function*() {
      const url = `postgres://postgres@localhost/postgres?host=${inject("postgres")}`
      const launch = Effect.flatMap(freePort, (port) =>
        start(
          new URL("./fixtures/placed.ts", import.meta.url),
          JSON.stringify({ url, schema, key, realms, port } satisfies PlacedArguments)
        ))
      const hosts = yield* Effect.all([launch, launch], { concurrency: "unbounded" })
      for (const host of hosts) yield* waitUntil("all realms are placed", () => host.output().includes("placed"))

      let isOver = false
      const clients = yield* Effect.forEach(realms, (realm) =>
        Effect.gen(function*() {
          const client = yield* Layer.build(PostgresManager.layerClient({
            url: Redacted.make(url),
            schema,
            realm,
            key: Redacted.make(key),
            workers: false,
            reconnect: { grace: "1 minute" }
          }))
          const number = yield* Effect.provide(sum, client)
          let count = 0
          const add = number.increment.pipe(Effect.andThen(Effect.sync(() => count++)), Effect.delay(10))
          const adding = yield* Effect.forkScoped(Effect.repeat(add, { until: () => isOver }))
          return { count: () => count, sum: Effect.andThen(Fiber.join(adding), number.get) }
        }), { concurrency: "unbounded" })
      const goOn = Effect.suspend(() => {
        const before = clients.map(({ count }) => count())
        return waitUntil("all clients go on", () => clients.every(({ count }, i) => count() > before[i]! + 20))
      })
      yield* goOn
      const epochOf = (host: Program, realm: string): number => ledBy(host).get(realm) ?? 0
      /** The realms that a host leads, unless a third one does. */
      const ledNow = (host: Program, other: Program) =>
        realms.filter((realm) => epochOf(host, realm) > epochOf(other, realm))
      const [one, two] = hosts
      const [frozen, other] = ledNow(one, two).length > 0 ? [one, two] : [two, one]
      const moved = ledNow(frozen, other)
      assert.isNotEmpty(moved)
      frozen.process.kill("SIGSTOP")
      yield* waitUntil("the other host leads its realms", () => ledNow(other, frozen).length === realms.length)
      yield* goOn
      frozen.process.kill("SIGCONT")
      yield* waitUntil("it finds that it does not lead", () => frozen.output().includes("closes its links"))
      yield* goOn
      isOver = true
      for (const { count, sum } of clients) assert.strictEqual(yield* sum, count())
      const log = Context.get(yield* Layer.build(PostgresLog.layer({ url: Redacted.make(url), schema })), Log.Log)
      for (const realm of realms) {
        const epochs = Array.from(yield* Stream.runCollect(log.read(realm, 0)), ({ epoch }) => epoch)
        assert.deepStrictEqual(epochs, epochs.toSorted((a, b) => a - b))
      }
    }).pipe(Effect.scoped))
})
