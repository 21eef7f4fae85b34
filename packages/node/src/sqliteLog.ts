/**
 * A log in a database of SQLite: `Log` in statements.
 *
 * ```text
 *   realm     one row each: epoch, position, leader, and the position of the snapshot (`compacted`)
 *   entry     the entries after it
 *   snapshot  the newest whole one, and those that are being written (`parts` is null); their bytes are in `part`
 * ```
 *
 * Every condition is part of the statement that changes something, so a transaction decides and changes at once.
 */
import { Log } from "@effect-multiprocessing/core"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Sqlite from "./sqliteThread.ts"

const entryBytesMax = 64 * 1024 * 1024

/** Rows that one transaction deletes. */
const deletedRows = 500

/** The tables of a new database. */
export const schema = [
  "create table owner (pid integer not null, host text not null) strict",
  `create table realm (
    id integer primary key, name text not null unique, epoch integer not null, position integer not null,
    written integer not null, compacted integer not null, host text, port integer, heardAt integer not null
  ) strict`,
  `create table entry (
    realm integer not null, position integer not null, epoch integer not null, bytes blob not null,
    primary key (realm, position)
  ) strict`,
  `create table snapshot (
    id integer primary key autoincrement, realm integer not null, position integer not null, epoch integer not null,
    engineVersion integer not null, parts integer
  ) strict`,
  `create table part (
    snapshot integer not null, number integer not null, bytes blob not null, primary key (snapshot, number)
  ) strict`
]

const { statement } = Sqlite

interface Realm extends Log.End {
  readonly heardAt: number
  /** Null: the leader has given the realm up. */
  readonly host: string | null
  readonly port: number
}

/** The log of an open database. */
export const makeLog = (thread: Sqlite.SqliteThread, survives: Log.Survives): Log.Log["Service"] => {
  /** Done when an entry has been appended. */
  let changed = Deferred.makeUnsafe<void>()

  /** The rows of each statement of a transaction. */
  const transaction = <const Statements extends ReadonlyArray<Sqlite.Statement>>(
    realm: string,
    ...statements: Statements
  ) =>
    Effect.mapError(
      thread.transaction(statements),
      ({ code, message }): Log.LogError =>
        code === Sqlite.resultCode.corrupt || code === Sqlite.resultCode.notADatabase
          ? new Log.LogDamaged({ realm, issue: message })
          : new Log.LogUnavailable({ realm, issue: message })
    )

  /** The rows of a transaction of one statement. */
  const query = <Row = unknown>(realm: string, sql: string, ...args: ReadonlyArray<Sqlite.Argument>) =>
    Effect.map(transaction(realm, statement<Row>(sql, ...args)), ([rows]) => rows)

  const attempt = Effect.fnUntraced(
    function*(realm: string, epoch: Log.Epoch, after: Log.Position, bytes: Uint8Array) {
      const isThere = "name = ?1 and epoch = ?2 and position = ?3"
      const [, advanced, [end]] = yield* transaction(
        realm,
        statement(
          `insert into entry select id, position + 1, epoch, ?4 from realm where ${isThere}`,
          realm,
          epoch,
          after,
          bytes
        ),
        statement(
          `update realm set position = position + 1, written = epoch, heardAt = ?4 where ${isThere} returning 1`,
          realm,
          epoch,
          after,
          yield* Clock.currentTimeMillis
        ),
        statement<Log.End>("select epoch, position, written from realm where name = ?", realm)
      )
      if (advanced.length === 0) return end
      const waiting = changed
      changed = Deferred.makeUnsafe()
      Deferred.doneUnsafe(waiting, Effect.void)
      return undefined
    }
  )

  const lead = (realm: string, epoch: Log.Epoch, position: Log.Position): Log.Leadership =>
    Log.makeLeadership({
      realm,
      epoch,
      position,
      entryBytesMax,
      attempt: (after, bytes) => attempt(realm, epoch, after, bytes),
      // A claim has made the row, and nothing deletes it.
      current: Effect.map(query<Realm>(realm, "select * from realm where name = ?", realm), ([end]) => end!.epoch),
      hear: Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.map(
          query(realm, "update realm set heardAt = ? where name = ? and epoch = ? returning 1", now, realm, epoch),
          (heard) => heard.length > 0
        ))
    })

  const page = (realm: string, after: Log.Position): Effect.Effect<Log.Page, Log.LogError> =>
    Effect.map(
      transaction(
        realm,
        statement<Pick<Log.Page, "position" | "compacted">>(
          "select position, compacted from realm where name = ?",
          realm
        ),
        statement<Log.Entry>(
          `select entry.position, entry.epoch, bytes from entry join realm on realm = id
            where name = ? and entry.position > ? order by entry.position`,
          realm,
          after
        )
      ),
      ([[head = { position: 0, compacted: 0 }], entries]) => ({ ...head, entries })
    )

  const partOf = (realm: string, snapshot: number) => (number: number) =>
    Effect.map(
      query<Pick<Log.Entry, "bytes">>(
        realm,
        "select bytes from part where snapshot = ? and number = ?",
        snapshot,
        number
      ),
      ([row]) => row?.bytes
    )

  /** Deletes rows, a few in each transaction: entries are appended in between. */
  const deleteAll = (
    realm: string,
    table: string,
    which: string,
    ...args: ReadonlyArray<Sqlite.Argument>
  ): Effect.Effect<void, Log.LogError> =>
    Effect.flatMap(
      query(
        realm,
        `delete from ${table} where rowid in (select rowid from ${table} where ${which} limit ${deletedRows}) returning 1`,
        ...args
      ),
      (rows) => rows.length < deletedRows ? Effect.void : deleteAll(realm, table, which, ...args)
    )

  /** Deletes what the kept snapshot of a realm replaces, and a snapshot that is not whole. */
  const clean = (realm: string, id: number, broken: number) => {
    const compacted = "(select compacted from realm where id = ?)"
    const replaced = `realm = ? and (position < ${compacted} or id = ? and parts is null)`
    const args = [id, id, broken]
    return deleteAll(realm, "part", `snapshot in (select id from snapshot where ${replaced})`, ...args).pipe(
      Effect.andThen(deleteAll(realm, "snapshot", replaced, ...args)),
      Effect.andThen(deleteAll(realm, "entry", `realm = ? and position <= ${compacted}`, id, id))
    )
  }

  const head = Effect.fnUntraced(function*(realm: string) {
    const [row] = yield* query<Realm>(realm, "select * from realm where name = ?", realm)
    if (row === undefined) return Option.none()
    const { epoch, heardAt, host, port, position } = row
    return Option.some({
      epoch,
      position,
      leader: host === null ? Option.none() : Option.some({ host, port }),
      silent: Duration.millis((yield* Clock.currentTimeMillis) - heardAt)
    })
  })

  return {
    entryBytesMax,
    survives,
    head,
    watch: (realm) => Log.heads(head(realm)),
    claim: (realm, seen, { host, port }) =>
      Effect.acquireRelease(
        Effect.gen(function*() {
          const now = yield* Clock.currentTimeMillis
          const [row] = yield* Option.isNone(seen)
            ? query<Realm>(
              realm,
              `insert into realm (name, epoch, position, written, compacted, host, port, heardAt)
                values (?1, ?2, 0, 0, 0, ?3, ?4, ?2) on conflict do nothing returning *`,
              realm,
              now,
              host,
              port
            )
            : query<Realm>(
              realm,
              `update realm set epoch = max(epoch + 1, ?2), host = ?3, port = ?4, heardAt = ?2
                where name = ?1 and epoch = ?5 returning *`,
              realm,
              now,
              host,
              port,
              seen.value.epoch
            )
          return row === undefined ? Option.none() : Option.some(lead(realm, row.epoch, row.position))
        }),
        Option.match({
          onNone: () => Effect.void,
          onSome: ({ epoch }) =>
            Effect.ignore(
              query(realm, "update realm set host = null, port = null where name = ? and epoch = ?", realm, epoch)
            )
        })
      ),
    read: (realm, after, options) =>
      Log.entries(
        realm,
        after,
        (after) => page(realm, after),
        options?.follow === true ? () => Deferred.await(changed) : undefined
      ),
    snapshot: (realm) =>
      Effect.map(
        query<Omit<Log.Snapshot, "bytes"> & { readonly id: number; readonly parts: number }>(
          realm,
          `select snapshot.id, snapshot.position, snapshot.epoch, engineVersion, parts from snapshot join realm on realm = realm.id
            where name = ? and parts is not null and snapshot.position = compacted`,
          realm
        ),
        ([row]) =>
          Option.map(
            Option.fromUndefinedOr(row),
            ({ id, parts, ...snapshot }) => ({ ...snapshot, bytes: Log.parts(realm, parts, partOf(realm, id)) })
          )
      ),
    putSnapshot: Effect.fnUntraced(function*(realm, { bytes, engineVersion, epoch, position }) {
      const [[head], [begun]] = yield* transaction(
        realm,
        statement<Realm>("select * from realm where name = ?", realm),
        statement<{ readonly id: number; readonly realm: number }>(
          `insert into snapshot (realm, position, epoch, engineVersion)
            select id, ?2, ?3, ?4 from realm where name = ?1 and position >= ?2 returning id, realm`,
          realm,
          position,
          epoch,
          engineVersion
        )
      )
      if (begun === undefined) return yield* Log.regressed(realm, position, head?.position ?? 0)
      const { id, realm: realmId } = begun
      let parts = 0
      yield* Stream.runForEach(bytes, (bytes) => query(realm, "insert into part values (?, ?, ?)", id, parts++, bytes))
        .pipe(
          Effect.andThen(Effect.suspend(() =>
            transaction(
              realm,
              statement(
                "update snapshot set parts = ? where id = ? and position > (select compacted from realm where id = ?)",
                parts,
                id,
                realmId
              ),
              statement("update realm set compacted = max(compacted, ?) where id = ?", position, realmId)
            )
          )),
          Effect.onError(() => Effect.ignore(clean(realm, realmId, id)))
        )
      yield* clean(realm, realmId, id)
    })
  }
}
