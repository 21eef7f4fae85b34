/** A realm whose servers of PostgreSQL are restarted and lost. */
import { Manager, SharedRef } from "@effect-multiprocessing/core"
import * as PgPool from "@effect/sql-pg/PgPool"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema } from "effect"
import { rmSync, writeFileSync } from "node:fs"
import { afterAll, beforeAll } from "vitest"
import { waitUntil } from "../process/harness.ts"
import { budget } from "../support/budget.ts"
import { makeFaultyProxy } from "../support/faultyProxy.ts"
import { makeFolder, startServer } from "../support/postgres.ts"
import { leaseMs, makeHost, makeWay, openLog, socketIn, watching } from "./hosts.ts"
import { Proxy } from "./Proxy.ts"

const schema = "log"

/** The folder of a server that never runs: a copy of it takes less time than another one. */
let original: string
beforeAll(() => {
  original = makeFolder()
})
afterAll(() => rmSync(original, { recursive: true }))

/** A server for the life of the scope. */
const makeServer = Effect.fnUntraced(function*(...settings: ReadonlyArray<string>) {
  const folder = makeFolder(original)
  if (settings.some((setting) => setting.startsWith("primary_conninfo"))) {
    writeFileSync(`${folder}/data/standby.signal`, "")
  }
  const start = Effect.promise(() => startServer(folder, ...settings))
  let { remove, stop } = yield* start
  yield* Effect.addFinalizer(() => Effect.promise(() => remove()))
  return {
    folder,
    stop: (signal: "KILL" | "QUIT" | "INT") => Effect.promise(() => stop(signal)),
    start: Effect.map(start, (server) => {
      remove = server.remove
      stop = server.stop
    }),
    query: (sql: string) =>
      Effect.scoped(
        Effect.flatMap(
          PgPool.make({
            url: Redacted.make(`postgres://postgres@localhost/postgres?host=${folder}`),
            maxConnections: 1
          }),
          (pool) => pool.use((connection) => connection.query(sql))
        )
      ).pipe(Effect.orDie)
  }
})

/** A primary and a standby of it, and an address that leads to one of them: now to the primary. */
const makePair = Effect.fnUntraced(function*(...settings: ReadonlyArray<string>) {
  const primary = yield* makeServer(...settings)
  const replication = yield* makeFaultyProxy(socketIn(primary.folder), 1)
  const source = `host=127.0.0.1 port=${replication.port} user=postgres application_name=standby`
  const standby = yield* makeServer(`primary_conninfo=${source}`)
  const address = yield* makeFaultyProxy(socketIn(primary.folder), 1)
  return {
    primary,
    standby,
    replication,
    port: address.port,
    lead: Effect.sync(() => address.lead(socketIn(standby.folder))),
    // A query that waited for the end of recovery would hold it up.
    promote: standby.query("select pg_promote(false)")
  }
})

/** Two hosts, and the log. */
const makeRealm = Effect.fnUntraced(function*(server: string | number) {
  const hosts = [yield* makeHost(server, schema), yield* makeHost(server, schema)] as const
  const log = yield* openLog((yield* makeWay(server, schema)).options)
  return { hosts, log }
})

describe("a realm", () => {
  it.live("loses nothing while its PostgreSQL is restarted again and again, also after commits whose answers are lost", () =>
    Effect.gen(function*() {
      const server = yield* makeServer()
      const proxy = yield* Proxy.make(server.folder)
      const { log } = yield* makeRealm(socketIn(proxy.folder))
      const wrong = yield* watching(
        log,
        Effect.fnUntraced(function*({ goOn }) {
          for (let i = 0; i < budget(2.5); i++) {
            yield* goOn
            if (i % 2 === 0) {
              const before = proxy.lostEntries
              proxy.answers = "lost"
              yield* waitUntil("an answer is lost", () => proxy.lostEntries > before)
            }
            yield* server.stop(i % 3 === 0 ? "INT" : "QUIT")
            proxy.answers = "told"
            yield* server.start
          }
          yield* goOn
        })
      )
      assert.deepStrictEqual(wrong, [])
    }).pipe(Effect.scoped))

  it.live("loses nothing when its primary is lost and the synchronous standby is promoted", () =>
    Effect.gen(function*() {
      const { lead, port, primary, promote, standby } = yield* makePair("synchronous_standby_names=standby")
      const { log } = yield* makeRealm(port)
      assert.strictEqual(log.survives, "replica")
      const { options } = yield* makeWay(socketIn(standby.folder), schema)
      assert.include((yield* Effect.flip(openLog(options))).message, "recovery")
      const wrong = yield* watching(
        log,
        Effect.fnUntraced(function*({ goOn }) {
          yield* goOn
          // It has all that is committed, and shows an older state until it is promoted.
          yield* standby.query("select pg_wal_replay_pause()")
          yield* goOn
          yield* primary.stop("KILL")
          yield* lead
          yield* Effect.sleep(2 * leaseMs)
          yield* promote
          yield* goOn
        })
      )
      assert.deepStrictEqual(wrong, [])
    }).pipe(Effect.scoped))

  it.live("is led by nobody when its primary is lost and a standby is promoted that lacks entries: all are told", () =>
    Effect.gen(function*() {
      const { lead, port, primary, promote, replication } = yield* makePair()
      const { hosts, log } = yield* makeRealm(port)
      const wrong = yield* watching(
        log,
        Effect.fnUntraced(function*({ goOn }) {
          yield* goOn
          replication.pass("nothing")
          yield* goOn
          yield* primary.stop("KILL")
          yield* lead
          yield* promote
          return yield* Effect.never
        })
      )
      assert.strictEqual(wrong.length, 1)
      const told = "its log has lost changes that were acknowledged"
      for (const { manager } of hosts) {
        const number = SharedRef.make({ name: "sum", schema: Schema.Int, initial: 0 })
        const adding = Effect.flatMap(number, ({ increment }) => Effect.forever(increment))
        const { message } = yield* Effect.flip(Effect.scoped(Effect.provideService(adding, Manager.Manager, manager)))
        assert.include(message, told)
      }
      // One that knows nothing.
      assert.include((yield* Effect.flip(makeHost(port, schema))).message, told)
    }).pipe(Effect.scoped))
})
