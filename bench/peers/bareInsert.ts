/**
 * The limit of a call whose effect is in PostgreSQL: one row for each, with the bytes of a call's entry in the log, over the
 * client that the log uses. Argument: the URL.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as PgPool from "@effect/sql-pg/PgPool"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { answer } from "../child.ts"
import { fibers } from "../loops.ts"

const [url = ""] = process.argv.slice(2)

/** As the entry of one `map.set`. */
const bytes = new Uint8Array(100)

const main = Effect.gen(function*() {
  const { use } = yield* PgPool.make({ url: Redacted.make(url), maxConnections: 1 })
  yield* use(({ query }) =>
    query("create table row (position integer generated always as identity primary key, bytes bytea)", [])
  )
  yield* answer((task) =>
    fibers(task.fibers, () => use(({ query }) => query("insert into row (bytes) values ($1)", [bytes])))
  )
})

NodeRuntime.runMain(Effect.scoped(main))
