/** What PostgreSQL does to a realm: it is away, it loses answers, and it loses entries. */
import { Log, Manager, type ManagerError, SharedRef } from "@effect-multiprocessing/core"
import { PostgresLog, PostgresManager } from "@effect-multiprocessing/postgres"
import * as PgPool from "@effect/sql-pg/PgPool"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Redacted, Schema, Scope } from "effect"
import { inject } from "vitest"
import { budget } from "../support/budget.ts"
import { Proxy } from "./Proxy.ts"

const realm = "realm"
const key = Redacted.make("the key of the realm")
const listen = { host: "127.0.0.1", port: 0 }

const url = (folder = inject("postgres"), database = "postgres") =>
  Redacted.make(`postgres://postgres@localhost/${database}?host=${folder}`)

let schemas = 0

const newSchema = () => `faults ${++schemas}`

/** Runs a statement as the superuser. */
const query = (sql: string) =>
  Effect.scoped(
    Effect.flatMap(
      PgPool.make({ url: url(), maxConnections: 1 }),
      (pool) => Effect.map(pool.use((connection) => connection.query(sql)), ({ rows }) => rows)
    )
  )

/** The manager of a layer, for the life of the scope. */
const use = (layer: Layer.Layer<Manager.Manager, ManagerError.ManagerError>) =>
  Effect.map(Layer.build(Layer.fresh(layer)), (context) => Context.get(context, Manager.Manager))

const sum = SharedRef.make({ name: "sum", schema: Schema.Int, initial: 0 })

describe("a realm", () => {
  it.live("loses nothing when PostgreSQL closes all connections, again and again, some of them after a commit", () =>
    Effect.gen(function*() {
      const schema = newSchema()
      const proxy = yield* Proxy.make(inject("postgres"))
      // Of any length: nobody is to take over.
      const times = { lease: "1 minute", reconnect: { grace: "5 minutes" } } as const
      const host = yield* use(PostgresManager.layer({ url: url(proxy.folder), schema, realm, key, listen, ...times }))
      const number = yield* Effect.provideService(sum, Manager.Manager, host)
      let added = 0
      const adding = yield* Effect.forkChild(
        Effect.forever(Effect.tap(number.increment, () => Effect.sync(() => added++)))
      )
      for (let i = 0; i < budget(5); i++) {
        const before = added
        yield* Effect.repeat(Effect.sleep(1), { until: () => added > before + 5 })
        // From now on nobody hears that an entry was written.
        proxy.answers = "lost"
        yield* Effect.sleep(1)
        yield* query(
          // Only its own: other files use this server, too.
          `select pg_terminate_backend(pid) from pg_stat_activity
            where query like '%"${schema}"%' and pid <> pg_backend_pid()`
        )
        proxy.answers = "told"
      }
      const before = added
      yield* Effect.repeat(Effect.sleep(1), { until: () => added > before + 5 })
      yield* Fiber.interrupt(adding)
      const total = yield* number.get
      assert.isTrue(total === added || total === added + 1, `${total} after ${added} additions`)
    }).pipe(Effect.scoped))

  it.live("whose log has lost entries is led by nobody who knows it, and its clients are told", () =>
    Effect.gen(function*() {
      const schema = newSchema()
      const options = { url: url(), schema, realm, key, listen, lease: "500 millis", heartbeat: 125, poll: 50 } as const
      const first = yield* Scope.make()
      const leader = yield* Scope.provide(use(PostgresManager.layer(options)), first)
      const number = yield* Effect.provideService(sum, Manager.Manager, leader)
      // It follows.
      yield* use(PostgresManager.layer(options))
      for (let i = 0; i < 20; i++) yield* number.increment
      // As an asynchronous standby of PostgreSQL that is promoted.
      yield* query(
        `with lost as (update "${schema}".realm set position = position - 10, written = 0 returning id, position)
          delete from "${schema}".entry using lost where realm = id and entry.position > lost.position`
      )
      const { message: told } = yield* Effect.flip(Effect.forever(number.increment))
      assert.include(told, "its log has lost changes that were acknowledged")
      // Whoever comes now gets no session.
      const { message } = yield* Effect.flip(
        Effect.scoped(use(PostgresManager.layerClient({ url: url(), schema, realm, key })))
      )
      assert.include(message, "its log has lost changes that were acknowledged")
      yield* Scope.close(first, Exit.void)
    }).pipe(Effect.scoped))
})

describe("a thousand realms that are idle", () => {
  it.live("cost at most five commits a second: their hosts are heard, and look, once for all of them", () =>
    Effect.gen(function*() {
      yield* query("create database idle")
      const database = url(inject("postgres"), "idle")
      const log = Effect.map(
        Layer.build(Layer.fresh(PostgresLog.layer({ url: database }))),
        (context) => Context.get(context, Log.Log)
      )
      /** Candidates of one host for all realms. */
      const host = Effect.fnUntraced(function*(port: number) {
        const shared = yield* log
        return yield* Effect.forEach(
          Array.from({ length: budget(1) * 125 }, (_, i) => `realm ${i}`),
          Effect.fnUntraced(function*(realm) {
            // A host that takes over from another one, because the machine is busy, is not idle.
            const candidate = yield* Manager.makeCandidate({ key, realm, log: shared, lease: "30 seconds" })
            yield* Effect.forkScoped(candidate.run({ host: "host.test", port }))
            return candidate
          })
        )
      })
      const leaders = yield* host(1)
      yield* Effect.repeat(Effect.sleep(10), { until: () => leaders.every(({ isLeading }) => isLeading()) })
      const followers = yield* host(2)
      const look = Effect.map(
        query(
          `select xact_commit::float8 as commits, extract(epoch from clock_timestamp())::float8 as now
            from pg_stat_database where datname = 'idle'`
        ),
        ([row]) => row as { readonly commits: number; readonly now: number }
      )
      const rate = Effect.gen(function*() {
        const before = yield* look
        yield* Effect.sleep("10 seconds")
        const after = yield* look
        return (after.commits - before.commits) / (after.now - before.now)
      })
      // PostgreSQL counts what was done before up to ten seconds later.
      yield* Effect.repeat(rate, { until: (perSecond) => perSecond <= 5 })
      assert.isTrue(leaders.every(({ isLeading }) => isLeading()))
      assert.isFalse(followers.some(({ isLeading }) => isLeading()))
    }).pipe(Effect.provide(Manager.layerCrypto), Effect.scoped))
})
