/** `PostgresManager`: options and roles with which there is no manager, and realms whose ports have TLS. */
import { Manager, ManagerError, SharedRef } from "@effect-multiprocessing/core"
import { PostgresManager } from "@effect-multiprocessing/postgres"
import * as PgPool from "@effect/sql-pg/PgPool"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { inject } from "vitest"
import { makeCertificate } from "../support/certificates.ts"

const realm = "realm"
const key = Redacted.make("the key of the realm")
const listen = { host: "127.0.0.1", port: 0 }

const url = (user = "postgres") => Redacted.make(`postgres://${user}@localhost/postgres?host=${inject("postgres")}`)

let schemas = 0

const newSchema = () => `manager ${++schemas}`

/** Runs statements as the superuser. Returns the rows of the last one. */
const execute = (...statements: ReadonlyArray<string>) =>
  Effect.scoped(Effect.gen(function*() {
    const pool = yield* PgPool.make({ url: url(), maxConnections: 1 })
    const results = yield* Effect.forEach(statements, (sql) => pool.use(({ query }) => query(sql)))
    return results.at(-1)!.rows
  }))

/** The manager of a layer, for the life of the scope. */
const use = (layer: Layer.Layer<Manager.Manager, ManagerError.ManagerError>) =>
  Effect.map(Layer.build(Layer.fresh(layer)), (context) => Context.get(context, Manager.Manager))

const refused = (layer: Layer.Layer<Manager.Manager, ManagerError.ManagerError>) =>
  Effect.map(Effect.flip(Effect.scoped(Layer.build(layer))), ({ reason }) => reason)

const sum = SharedRef.make({ name: "sum", schema: Schema.Int, initial: 0 })

describe("no manager uses PostgreSQL with", () => {
  it.live.each<[string, Partial<PostgresManager.CandidateOptions>, RegExp]>([
    ["a URL that is none", { url: Redacted.make("a secret") }, /Invalid URL/],
    ["a URL of something else", { url: Redacted.make("http://a-secret/") }, /Unsupported connection URL protocol/],
    ["an empty schema", { schema: "" }, /schema must be a name of 1 to 63 bytes/],
    ["a schema whose name PostgreSQL cuts", { schema: "é".repeat(32) }, /schema must be a name of 1 to 63 bytes/],
    ["no time for a commit", { answerTimeout: 0 }, /answerTimeout must be a time above 0, and not for ever/],
    ["a commit for ever", { answerTimeout: Infinity }, /answerTimeout must be a time above 0, and not for ever/],
    ["no heartbeat", { heartbeat: Infinity }, /heartbeat must be a time above 0, and not for ever/],
    ["no pause between looks", { poll: 0 }, /poll must be a time above 0, and not for ever/],
    ["no connection", { connectionsMax: 0 }, /connectionsMax must be a whole number of at least 1, it is 0/],
    ["a part of a connection", { connectionsMax: 1.5 }, /connectionsMax must be a whole number of at least 1/],
    ["a lease of less than four heartbeats", { lease: "1 second" }, /lease must be at least four heartbeats/]
  ])("%s: it says so, and makes no schema", ([, options, issue]) =>
    Effect.gen(function*() {
      const schema = newSchema()
      const reason = yield* refused(PostgresManager.layer({ url: url(), schema, realm, key, listen, ...options }))
      assert.instanceOf(reason, ManagerError.StartFailed)
      assert.match(reason.message, issue)
      assert.notInclude(reason.message, "secret")
      assert.deepStrictEqual(yield* execute(`select 1 from pg_namespace where nspname = '${schema}'`), [])
    }))
})

describe("a role of PostgreSQL that may only read", () => {
  it.live("makes no candidate, which names the rights that it lacks; it makes a client", () =>
    Effect.gen(function*() {
      const schema = newSchema()
      const owner = yield* use(PostgresManager.layer({ url: url(), schema, realm, key, listen }))
      yield* Effect.flatMap(Effect.provideService(sum, Manager.Manager, owner), (number) => number.set(1))
      yield* execute(
        "create role reader login",
        `grant usage on schema "${schema}" to reader`,
        `grant select on "${schema}".version, "${schema}".realm, "${schema}".host to reader`
      )
      const options = { url: url("reader"), schema, migrate: false, realm, key }
      const reason = yield* refused(PostgresManager.layer({ ...options, listen }))
      assert.instanceOf(reason, ManagerError.StartFailed)
      assert.match(reason.message, /its role lacks .*INSERT on realm/)
      assert.match(reason.message, /SELECT on entry/)
      assert.notMatch(reason.message, /SELECT on realm/)
      const client = yield* use(PostgresManager.layerClient(options))
      const number = yield* Effect.provideService(sum, Manager.Manager, client)
      assert.strictEqual(yield* number.get, 1)
    }).pipe(Effect.scoped))

  it.live("not even where the leader is makes no client", () =>
    Effect.gen(function*() {
      const schema = newSchema()
      yield* use(PostgresManager.layer({ url: url(), schema, realm, key, listen }))
      yield* execute(
        "create role visitor login",
        `grant usage on schema "${schema}" to visitor`,
        `grant select on "${schema}".version to visitor`
      )
      const reason = yield* refused(
        PostgresManager.layerClient({ url: url("visitor"), schema, migrate: false, realm, key })
      )
      assert.instanceOf(reason, ManagerError.ConnectFailed)
      assert.match(reason.message, /its role lacks SELECT on realm, SELECT on host/)
    }).pipe(Effect.scoped))
})

describe("a realm whose ports have TLS", () => {
  const authority = makeCertificate({ name: "the authority of the realm" })
  const own = makeCertificate({ name: "host", hosts: [listen.host], issuer: authority })
  const stranger = makeCertificate({ name: "another authority" })
  const trusting = { ca: authority.cert }

  it.live("is reached by its candidates and by clients that trust it, and by no others", () =>
    Effect.gen(function*() {
      const options = { url: url(), schema: newSchema(), realm, key }
      const tls = { server: { cert: own.cert, key: Redacted.make(own.key) }, client: trusting }
      const [leader, follower] = yield* Effect.all(
        [1, 2].map(() => use(PostgresManager.layer({ ...options, listen, tls })))
      )
      const client = yield* use(PostgresManager.layerClient({ ...options, tls: trusting }))
      for (const manager of [leader!, follower!, client]) {
        const number = yield* Effect.provideService(sum, Manager.Manager, manager)
        yield* number.increment
      }
      const number = yield* Effect.provideService(sum, Manager.Manager, client)
      assert.strictEqual(yield* number.get, 3)
      const impatient = { ...options, connectTimeout: "1 second" } as const
      const untrusting = yield* refused(PostgresManager.layerClient({ ...impatient, tls: { ca: stranger.cert } }))
      assert.instanceOf(untrusting, ManagerError.ConnectFailed)
      assert.match(untrusting.message, /certificate/)
      assert.instanceOf(yield* refused(PostgresManager.layerClient(impatient)), ManagerError.ConnectFailed)
    }).pipe(Effect.scoped))
})
