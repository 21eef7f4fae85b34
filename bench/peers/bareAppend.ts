/**
 * The limit of a log in PostgreSQL: the statement by which it appends an entry, over the client that it uses, in its tables.
 * Argument: the URL.
 */
import { Log } from "@effect-multiprocessing/core"
import { PostgresLog } from "@effect-multiprocessing/postgres"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as PgPool from "@effect/sql-pg/PgPool"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { answer } from "../child.ts"
import { fibers } from "../loops.ts"

const [address = ""] = process.argv.slice(2)
const url = Redacted.make(address)
const schema = "bench"

/** As the entry of one `map.set`. */
const bytes = new Uint8Array(100)

const append = `with realm as (
    update ${schema}.realm set position = position + 1, written = epoch, heard_at = clock_timestamp()
    where name = 'bench' and epoch = $1 and position = $2 returning id, position, epoch
  ) insert into ${schema}.entry select id, position, epoch, $3 from realm`

const main = Effect.gen(function*() {
  const log = yield* Log.Log
  const { epoch } = Option.getOrThrow(yield* log.claim("bench", Option.none(), { host: "bench", port: 0 }))
  const { use } = yield* PgPool.make({ url, maxConnections: 1 })
  let end = 0
  yield* answer((task) => fibers(task.fibers, () => use(({ query }) => query(append, [epoch, end++, bytes]))))
})

NodeRuntime.runMain(Effect.scoped(Effect.provide(main, PostgresLog.layer({ url, schema }))))
