/** The suites on a realm: its clients find the leader in PostgreSQL, and its journal is that of the log. */
import * as LeaderLink from "#node/leaderLink.ts"
import { Log, Manager } from "@effect-multiprocessing/core"
import { NodeRealm } from "@effect-multiprocessing/node"
import { PostgresLog, PostgresManager } from "@effect-multiprocessing/postgres"
import { Context, Effect, Layer, Redacted } from "effect"
import { inject } from "vitest"
import { sampledConformance } from "../conformance/index.ts"
import { budget } from "../support/budget.ts"
import { journalOf } from "../support/journalOf.ts"
import { ownKinds } from "../support/ownKinds.ts"

const realm = "realm"
const key = Redacted.make("the key of the realm")
const listen = { host: "127.0.0.1", port: 0 }

let schemas = 0

const newDatabase = () => ({
  url: Redacted.make(`postgres://postgres@localhost/postgres?host=${inject("postgres")}`),
  schema: `realm ${++schemas}`
})

const layer = (options: Pick<PostgresManager.CandidateOptions, "kinds">) =>
  Layer.suspend(() => {
    const database = newDatabase()
    return Layer.unwrap(
      Effect.as(
        Layer.build(PostgresManager.layer({ ...database, ...options, realm, key, listen })),
        PostgresManager.layerClient({ ...database, realm, key })
      )
    )
  })

sampledConformance({
  name: "of a realm in PostgreSQL",
  layer: layer({}),
  ownKinds: layer({ kinds: ownKinds }),
  programs: budget(1),
  recorded: Effect.gen(function*() {
    const log = Context.get(yield* Layer.build(PostgresLog.layer(newDatabase())), Log.Log)
    yield* Layer.build(Layer.provide(NodeRealm.layer({ realm, key, listen }), Layer.succeed(Log.Log, log)))
    return {
      connect: (listen) =>
        Effect.provide(
          Manager.makeConnected(Effect.map(LeaderLink.make({ log, realm }), listen), {
            address: realm,
            key,
            label: { name: "recorded", pid: process.pid }
          }),
          Manager.layerCrypto
        ),
      journal: Effect.map(journalOf(log, realm), ({ journal }) => journal)
    }
  })
})
