/** The log in PostgreSQL: the server decides, connections get lost, and its tables may be somebody else's. */
import { Log } from "@effect-multiprocessing/core"
import { checkLog } from "@effect-multiprocessing/core/testing"
import { PostgresLog } from "@effect-multiprocessing/postgres"
import * as PgPool from "@effect/sql-pg/PgPool"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Fiber, Layer, Option, Redacted, Stream } from "effect"
import { inject } from "vitest"
import { budget } from "../support/budget.ts"
import { Proxy } from "./Proxy.ts"

type Service = Log.Log["Service"]

const leader = { host: "host.test", port: 1 }
const realm = "realm"

const url = ({ folder = inject("postgres"), user = "postgres" } = {}) =>
  Redacted.make(`postgres://${user}@localhost/postgres?host=${folder}`)

let schemas = 0

const newSchema = () => `log ${++schemas}`

/** Opens a log for the life of the scope, by default in a schema of its own. */
const open = (options: Partial<PostgresLog.Options> = {}) =>
  Effect.map(
    Layer.build(PostgresLog.layer({ url: url(), schema: newSchema(), ...options })),
    (context) => Context.get(context, Log.Log)
  )

/** Runs statements as the superuser. */
const execute = (...statements: ReadonlyArray<string>) =>
  Effect.scoped(Effect.gen(function*() {
    const pool = yield* PgPool.make({ url: url(), maxConnections: 1 })
    for (const statement of statements) yield* pool.use((connection) => connection.query(statement))
  }))

/** Sets the standby for which commits wait, and waits until the server knows it. */
const setStandby = (name: string) =>
  Effect.scoped(Effect.gen(function*() {
    const pool = yield* PgPool.make({ url: url(), maxConnections: 1 })
    const query = (sql: string) => pool.use((connection) => connection.query(sql))
    yield* query(`alter system set synchronous_standby_names = '${name}'`)
    yield* query("select pg_reload_conf()")
    yield* Effect.repeat(query("show synchronous_standby_names"), {
      until: ({ rows: [row] }) => row!["synchronous_standby_names"] === name
    })
  }))

const claim = (log: Service) =>
  Effect.map(Effect.flatMap(log.head(realm), (head) => log.claim(realm, head, leader)), Option.getOrThrow)

const bytesOf = (text: string) => new TextEncoder().encode(text)

const read = (log: Service) =>
  Effect.map(
    Stream.runCollect(log.read(realm, 0)),
    (entries) => entries.map(({ bytes }) => new TextDecoder().decode(bytes))
  )

/** Why a log was not opened. */
const refused = (options: Partial<PostgresLog.Options>) => Effect.scoped(Effect.flip(open(options)))

const check = Effect.fnUntraced(function*(log: Service, seeds: number) {
  for (let seed = 1; seed <= seeds; seed++) {
    const found = yield* Effect.provideService(checkLog({ seed, realm: `check-${seed}` }), Log.Log, log)
    assert.deepStrictEqual(found, [], `seed ${seed}`)
  }
})

describe("a log in PostgreSQL", () => {
  it.live("conforms", () => Effect.flatMap(open({ poll: "5 millis" }), (log) => check(log, budget(2))))

  it.live("needs only to read and write its tables, once they are there", () =>
    Effect.gen(function*() {
      const schema = newSchema()
      yield* Effect.scoped(open({ schema }))
      yield* execute(
        "create role app login",
        `grant usage on schema "${schema}" to app`,
        `grant select, insert, update, delete on all tables in schema "${schema}" to app`
      )
      yield* check(yield* open({ schema, url: url({ user: "app" }), poll: "5 millis" }), 1)
    }))

  it.live("is heard while it leads, and no longer when it has given up", () =>
    Effect.gen(function*() {
      const schema = newSchema()
      const observer = yield* open({ schema })
      const head = Effect.map(observer.head(realm), Option.getOrThrow)
      const silent = Effect.map(head, ({ silent }) => Duration.toMillis(silent))
      yield* Effect.scoped(Effect.gen(function*() {
        yield* claim(yield* open({ schema, heartbeat: "20 millis" }))
        // It writes nothing, and becomes less silent than it was.
        let before = yield* silent
        yield* Effect.repeat(silent, {
          while: (now) => {
            const isHeard = now < before
            before = now
            return !isHeard
          }
        })
        assert.deepStrictEqual((yield* head).leader, Option.some(leader))
      }))
      assert.deepStrictEqual((yield* head).leader, Option.none())
    }))

  it.live("is made once by several hosts that open it together", () =>
    Effect.gen(function*() {
      const schema = newSchema()
      const logs = yield* Effect.all(Array.from({ length: 5 }, () => open({ schema })), { concurrency: "unbounded" })
      const { append } = yield* claim(logs[0]!)
      yield* append(0, bytesOf("one"))
      assert.deepStrictEqual(yield* read(logs[4]!), ["one"])
    }))
})

describe("a log is not opened", () => {
  it.live("if no server is at its address, or the server refuses the role", () =>
    Effect.gen(function*() {
      const nowhere = yield* refused({ url: url({ folder: "/nowhere" }) })
      assert.strictEqual(nowhere.why, "Unreachable")
      const stranger = yield* refused({ url: url({ user: "stranger" }) })
      assert.strictEqual(stranger.why, "Unwritable")
      assert.include(stranger.message, "role \"stranger\" does not exist")
    }))

  it.live("if its tables are not there and cannot or may not be made", () =>
    Effect.gen(function*() {
      yield* execute("create role poor login")
      const poor = yield* refused({ url: url({ user: "poor" }) })
      assert.strictEqual(poor.why, "Unwritable")
      assert.include(poor.message, "permission denied")
      assert.include((yield* refused({ migrate: false })).message, "its tables have version 0, and `migrate` is false")
    }))

  it.live("if a newer release has made its tables", () =>
    Effect.gen(function*() {
      const schema = newSchema()
      yield* Effect.scoped(open({ schema }))
      yield* execute(`update "${schema}".version set made = 1000`)
      const { message, why } = yield* refused({ schema })
      assert.strictEqual(why, "NewerFormat")
      assert.include(message, "it has version 1000, and this release knows version 1.")
    }))
})

describe("an append", () => {
  it.live("whose answer is lost is made once when it is repeated", () =>
    Effect.gen(function*() {
      const proxy = yield* Proxy.make(inject("postgres"))
      const log = yield* open({ url: url({ folder: proxy.folder }) })
      const { append } = yield* claim(log)
      yield* append(0, bytesOf("one"))
      proxy.answers = "lost"
      assert.strictEqual((yield* Effect.flip(append(1, bytesOf("two"))))._tag, "LogUnavailable")
      proxy.answers = "told"
      yield* append(1, bytesOf("two"))
      yield* append(2, bytesOf("three"))
      assert.deepStrictEqual(yield* read(log), ["one", "two", "three"])
    }))

  it.live("whose connection is silent gives it up, without a cancel", () =>
    Effect.gen(function*() {
      const proxy = yield* Proxy.make(inject("postgres"))
      const log = yield* open({ url: url({ folder: proxy.folder }), answerTimeout: "1 second" })
      const { append } = yield* claim(log)
      yield* append(0, bytesOf("one"))
      proxy.answers = "held"
      const { issue } = (yield* Effect.flip(append(1, bytesOf("two")))) as Log.LogUnavailable
      assert.strictEqual(issue, "the server has not answered in time")
      proxy.answers = "told"
      yield* append(1, bytesOf("two"))
      assert.deepStrictEqual(yield* read(log), ["one", "two"])
      assert.strictEqual(proxy.cancels, 0)
    }))

  it.live("goes on after the server has closed all connections", () =>
    Effect.gen(function*() {
      const schema = newSchema()
      const log = yield* open({ schema })
      const { append } = yield* claim(log)
      for (let i = 0; i < 3; i++) {
        yield* append(i, bytesOf(String(i)))
        yield* execute(
          // Only its own: other files use this server, too.
          `select pg_terminate_backend(pid) from pg_stat_activity
            where query like '%"${schema}"%' and pid <> pg_backend_pid()`
        )
        yield* Effect.eventually(append(i, bytesOf(String(i))))
      }
      assert.deepStrictEqual(yield* Effect.eventually(read(log)), ["0", "1", "2"])
    }))

  it.live("waits for the standby, is not seen meanwhile, and is made once though it was repeated", () =>
    Effect.gen(function*() {
      const schema = newSchema()
      const { append } = yield* claim(yield* open({ schema, answerTimeout: "1 second" }))
      yield* append(0, bytesOf("one"))
      // There is no such standby: commits wait.
      yield* setStandby("nobody")
      yield* Effect.gen(function*() {
        const observer = yield* open({ schema })
        assert.strictEqual(observer.survives, "replica")
        for (let i = 0; i < 3; i++) {
          assert.strictEqual((yield* Effect.flip(append(1, bytesOf("two"))))._tag, "LogUnavailable")
        }
        assert.deepStrictEqual(yield* read(observer), ["one"])
        yield* setStandby("")
        yield* Effect.eventually(append(1, bytesOf("two")))
        assert.deepStrictEqual(yield* read(observer), ["one", "two"])
      }).pipe(Effect.ensuring(Effect.orDie(setStandby(""))))
    }))
})

describe("a read", () => {
  it.live("whose connection is silent gives it up, without a cancel, and the next one makes another", () =>
    Effect.gen(function*() {
      const proxy = yield* Proxy.make(inject("postgres"))
      const log = yield* open({ url: url({ folder: proxy.folder }), answerTimeout: "1 second" })
      yield* log.head(realm)
      proxy.answers = "held"
      const { issue } = (yield* Effect.flip(log.head(realm))) as Log.LogUnavailable
      assert.strictEqual(issue, "the server has not answered in time")
      // Neither does one that is interrupted wait for the server.
      const reading = yield* Effect.forkChild(log.head(realm))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(reading)
      proxy.answers = "told"
      assert.deepStrictEqual(yield* log.head(realm), Option.none())
      assert.strictEqual(proxy.cancels, 0)
    }))
})

describe("a log that has lost something", () => {
  it.live("says so to its leader and to readers", () =>
    Effect.gen(function*() {
      const schema = newSchema()
      const log = yield* open({ schema })
      const { append } = yield* claim(log)
      for (let i = 0; i < 5; i++) yield* append(i, bytesOf(String(i)))
      yield* execute(`delete from "${schema}".entry where position = 3`)
      assert.include((yield* Effect.flip(read(log))).message, "entry 3 of 5 is missing")
      // As a standby that had not received the end, and was promoted.
      yield* execute(`delete from "${schema}".entry where position > 2`, `update "${schema}".realm set position = 2`)
      const lost = "it ends at position 2, and had confirmed 5"
      assert.include((yield* Effect.flip(append(5, bytesOf("5")))).message, lost)
      assert.include((yield* Effect.flip(Stream.runCollect(log.read(realm, 5)))).message, lost)
    }))
})
