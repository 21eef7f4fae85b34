/** Realms over two hosts: each is led by the host that is to lead it, as long as that runs. */
import { Log, Manager, ManagerError, SharedQueue, SharedRef, Transaction } from "@effect-multiprocessing/core"
import { NodeRealm } from "@effect-multiprocessing/node"
import { PostgresLog } from "@effect-multiprocessing/postgres"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Option, Redacted, Schema, Scope } from "effect"
import { inject } from "vitest"

const key = Redacted.make("the key of the realms")
const lease = "1 second"
/** Two names of this machine, as if it were two. */
const hosts = ["127.0.0.1", "localhost"] as const
const realms = ["carts", "invoices", "orders", "users"]

let schemas = 0

/** A log of this process, on the tables of one test. */
const makeLog = (schema: string) =>
  Effect.map(
    Layer.build(
      Layer.fresh(PostgresLog.layer({
        url: Redacted.make(`postgres://postgres@localhost/postgres?host=${inject("postgres")}`),
        schema,
        heartbeat: "100 millis",
        poll: "100 millis"
      }))
    ),
    Context.get(Log.Log)
  )

/** A host with a candidate for each realm. */
const startHost = (schema: string, host: string) =>
  Effect.gen(function*() {
    const log = Layer.succeed(Log.Log, yield* makeLog(schema))
    yield* Effect.forEach(realms, (realm) =>
      Layer.build(
        Layer.provide(
          NodeRealm.layer({
            realm,
            key,
            listen: { host: "127.0.0.1", port: 0 },
            advertise: { host },
            hosts,
            lease,
            workers: false
          }),
          log
        )
      ), { concurrency: "unbounded", discard: true })
  })

/** A client of a realm. */
const connect = (log: Log.Log["Service"], realm: string) =>
  Effect.map(
    Layer.build(
      Layer.provide(NodeRealm.layerClient({ realm, key, workers: false }), Layer.succeed(Log.Log, log))
    ),
    Context.get(Manager.Manager)
  )

const sum = SharedRef.make({ name: "sum", schema: Schema.Int, initial: 0 })

describe("realms over two hosts", () => {
  it.live("are led by the host that is to lead each, and by the other one without it; their clients go on", () =>
    Effect.gen(function*() {
      const schema = `placement ${++schemas}`
      const log = yield* makeLog(schema)
      const leaderOf = (realm: string) =>
        Effect.map(
          log.head(realm),
          (head) => Option.getOrUndefined(Option.flatMap(head, ({ leader }) => leader))?.host
        )
      /** Waits until the realms are led by these hosts. */
      const areLedBy = (hostOf: (realm: string) => string) =>
        Effect.repeat(
          Effect.delay(
            Effect.forEach(realms, (realm) => Effect.map(leaderOf(realm), (host) => host === hostOf(realm))),
            50
          ),
          { until: (areRight) => areRight.every((isRight) => isRight) }
        )
      const firstOf = (realm: string) => NodeRealm.rankHosts(realm, hosts)[0]!
      assert.deepStrictEqual([...new Set(realms.map(firstOf))].sort(), [...hosts])

      const warnings: Array<Error> = []
      const onWarning = (warning: Error) => void warnings.push(warning)
      process.on("warning", onWarning)
      yield* Effect.addFinalizer(() => Effect.sync(() => process.off("warning", onWarning)))

      const [one, two] = hosts
      yield* startHost(schema, one)
      yield* areLedBy(() => one)
      let isOver = false
      const counts = new Map(realms.map((realm) => [realm, 0]))
      const clients = yield* Effect.forEach(realms, (realm) =>
        Effect.gen(function*() {
          const number = yield* Effect.provideService(sum, Manager.Manager, yield* connect(log, realm))
          const count = Effect.sync(() => counts.set(realm, counts.get(realm)! + 1))
          const counting = Effect.repeat(Effect.andThen(number.increment, count), { until: () => isOver })
          return { realm, number, counting: yield* Effect.forkScoped(counting) }
        }), { concurrency: "unbounded" })

      const scope = yield* Scope.make()
      yield* Scope.provide(startHost(schema, two), scope)
      yield* areLedBy(firstOf)
      yield* Scope.close(scope, Exit.void)
      yield* areLedBy(() => one)
      isOver = true
      for (const { counting, number, realm } of clients) {
        yield* Fiber.join(counting)
        assert.strictEqual(yield* number.get, counts.get(realm))
      }
      // However many realms a process has, they listen to nothing that is there once.
      assert.deepStrictEqual(warnings, [])
    }).pipe(Effect.scoped))

  it.live("are a space each: handles and transactions stay within one", () =>
    Effect.gen(function*() {
      const schema = `placement ${++schemas}`
      yield* startHost(schema, hosts[0])
      const log = yield* makeLog(schema)
      const [users, orders] = [yield* connect(log, "users"), yield* connect(log, "orders")]
      const inRealm = Effect.provideService(Manager.Manager)
      const [user, order] = [yield* inRealm(users)(sum), yield* inRealm(orders)(sum)]
      const handles = SharedRef.schema({ schema: Schema.Int })
      const queue = yield* inRealm(orders)(SharedQueue.make({ name: "queue", item: handles }))
      for (
        const effect of [
          queue.offer(user),
          Transaction.tx(Effect.andThen(order.tx.set(1), user.tx.set(1))).pipe(Effect.asVoid, inRealm(orders))
        ]
      ) {
        const { reason } = yield* Effect.flip(effect as Effect.Effect<void, ManagerError.ManagerError>)
        assert.instanceOf(reason, ManagerError.CrossSpace)
      }
      assert.deepStrictEqual([yield* user.get, yield* order.get, yield* queue.size], [0, 0, 0])
    }).pipe(Effect.scoped))

  it.live("have a host only if it is among their hosts", () =>
    Effect.gen(function*() {
      const log = yield* makeLog(`placement ${++schemas}`)
      const options = { realm: "users", key, listen: { host: "127.0.0.1", port: 0 }, hosts: ["db-1.example"] }
      const layer = Layer.provide(NodeRealm.layer(options), Layer.succeed(Log.Log, log))
      const { message } = yield* Effect.flip(Layer.build(layer))
      assert.include(message, "127.0.0.1 is not among its hosts")
    }).pipe(Effect.scoped))
})
