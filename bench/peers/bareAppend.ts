/**
 * The limit of a call whose effect is in PostgreSQL: the append of one entry of the log for each, with the condition that
 * makes it safe, over the client that the log uses. Argument: the URL.
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

const tables = [
  `create table realm (
    id integer generated always as identity primary key, name text not null unique, epoch bigint not null,
    position bigint not null default 0, heard_at timestamptz not null default clock_timestamp()
  ) with (fillfactor = 50)`,
  `create table entry (
    realm integer not null, position bigint not null, epoch bigint not null, bytes bytea not null,
    primary key (realm, position)
  )`,
  "insert into realm (name, epoch) values ('bench', 1)"
]

const append = `with realm as (
    update realm set position = position + 1, heard_at = clock_timestamp()
    where name = 'bench' and epoch = 1 and position = $1 returning id, position, epoch
  ) insert into entry select id, position, epoch, $2 from realm`

const main = Effect.gen(function*() {
  const { use } = yield* PgPool.make({ url: Redacted.make(url), maxConnections: 1 })
  for (const table of tables) yield* use(({ query }) => query(table, []))
  let end = 0
  yield* answer((task) => fibers(task.fibers, () => use(({ query }) => query(append, [end++, bytes]))))
})

NodeRuntime.runMain(Effect.scoped(main))
