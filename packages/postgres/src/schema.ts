/**
 * The tables of the log, in a schema of their own, and the migrations that make them.
 *
 * ```text
 *   host      the processes that lead, and when each was last heard: one row for all realms of a process
 *   realm     one row each: epoch, position, leader, and the position of the snapshot (`compacted`)
 *   entry     the entries after it
 *   snapshot  the newest whole one, and those that are being written (`parts` is null); their bytes are in `part`
 *   version   how many of the migrations were made
 * ```
 */
import { Log } from "@effect-multiprocessing/core"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { Database, Run } from "./database.ts"

/** A name as SQL quotes it. */
export const quote = (name: string): string => `"${name.replaceAll("\"", "\"\"")}"`

/** The address of a log in messages. */
export const addressOf = (schema: string): string => `in schema ${schema} of PostgreSQL`

/** The statements of each version. A version that was released never changes: another one is added. */
const migrations: ReadonlyArray<(schema: string) => ReadonlyArray<string>> = [
  (schema) => [
    `create table ${schema}.host (
      id uuid primary key default gen_random_uuid(), heard_at timestamptz not null default clock_timestamp()
    )`,
    // Rows that every append updates find room in their own page.
    `create table ${schema}.realm (
      id integer generated always as identity primary key, name text not null unique, epoch bigint not null,
      position bigint not null default 0, written bigint not null default 0, compacted bigint not null default 0,
      leader uuid, host text, port integer, heard_at timestamptz not null default clock_timestamp()
    ) with (fillfactor = 50)`,
    `create table ${schema}.entry (
      realm integer not null, position bigint not null, epoch bigint not null, bytes bytea not null,
      primary key (realm, position)
    )`,
    `create table ${schema}.snapshot (
      id integer generated always as identity primary key, realm integer not null, position bigint not null,
      epoch bigint not null, engine_version integer not null, parts integer,
      begun_at timestamptz not null default clock_timestamp()
    )`,
    `create table ${schema}.part (
      snapshot integer not null, number integer not null, bytes bytea not null, primary key (snapshot, number)
    )`,
    // Not compressed: inputs are compact already.
    `alter table ${schema}.entry alter column bytes set storage external`,
    `alter table ${schema}.part alter column bytes set storage external`
  ]
]

/** The key of the advisory lock under which tables are made. */
const migrationLock = 0x656d704c

const versionOf = (run: Run, schema: string) =>
  Effect.flatMap(
    run<{ readonly exists: boolean }>("select to_regclass($1) is not null as exists", `${schema}.version`),
    ([row]) =>
      row!.exists
        ? Effect.map(run<{ readonly made: number }>(`select made from ${schema}.version`), ([row]) => row?.made ?? 0)
        : Effect.succeed(0)
  )

/** Makes the tables, or brings them to the version of this release. */
export const migrate = Effect.fnUntraced(function*(database: Database, name: string, mayMigrate: boolean) {
  const schema = quote(name)
  const refuse = (why: Log.LogNotOpened["why"], issue: string) =>
    new Log.LogNotOpened({ address: addressOf(name), why, issue })
  const made = yield* versionOf(database.read, schema)
  if (made > migrations.length) {
    return yield* refuse("NewerFormat", `it has version ${made}, and this release knows version ${migrations.length}`)
  }
  if (made === migrations.length) return
  if (!mayMigrate) return yield* refuse("Unwritable", `its tables have version ${made}, and \`migrate\` is false`)
  yield* database.transaction(Effect.fnUntraced(function*(run): Effect.fn.Return<void, SqlError> {
    yield* run("select pg_advisory_xact_lock($1)", migrationLock)
    const [found] = yield* run<{ readonly exists: boolean }>("select to_regnamespace($1) is not null as exists", schema)
    if (!found!.exists) yield* run(`create schema ${schema}`)
    // Another host may have made them meanwhile.
    const made = yield* versionOf(run, schema)
    if (made === 0) {
      yield* run(`create table ${schema}.version (made integer not null)`)
      yield* run(`insert into ${schema}.version values (0)`)
    }
    for (const statement of migrations.slice(made).flatMap((migration) => migration(schema))) yield* run(statement)
    yield* run(`update ${schema}.version set made = $1 where made < $1`, migrations.length)
  }))
})

/** What a process does with a log: it reads where the leader is, or it also follows and leads. */
export type Access = "read" | "write"

/** The rights that each needs beyond reading the version, as values of SQL: table and privilege. */
const rights: Readonly<Record<Access, string>> = {
  read: "values ('realm', 'select'), ('host', 'select')",
  write: `select * from unnest(array['realm', 'host', 'entry', 'snapshot', 'part']) as "table",
    unnest(array['select', 'insert', 'update', 'delete']) as privilege`
}

/** Fails if the role lacks a right. */
export const checkRights = Effect.fnUntraced(function*(database: Database, name: string, access: Access) {
  const [row] = yield* database.read<{ readonly missing: string | null }>(
    `select string_agg(upper(privilege) || ' on ' || "table", ', ') as missing
      from (${rights[access]}) needed ("table", privilege)
      where not has_table_privilege($1 || '.' || "table", privilege)`,
    quote(name)
  )
  const missing = row!.missing
  if (missing === null) return
  return yield* new Log.LogNotOpened({
    address: addressOf(name),
    why: "Unwritable",
    issue: `its role lacks ${missing}`
  })
})
