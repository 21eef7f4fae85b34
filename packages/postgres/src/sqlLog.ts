/**
 * A log in tables of PostgreSQL: `Log` in statements.
 *
 * Every condition is part of the statement that changes something, and each operation of a leader is one statement. So the
 * server decides and changes at once.
 */
import { Log } from "@effect-multiprocessing/core"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import { type Argument, codeOf, type Database, issueOf } from "./database.ts"

/** The most bytes of one entry. */
export const entryBytesMax = 64 * 1024 * 1024

/** Entries of one page, and bytes after which it ends. */
const pageEntries = 500
const pageBytes = 1024 * 1024

/** Rows that one statement deletes. */
const deletedRows = 500

/** How a log is made. */
export interface LogOptions {
  readonly database: Database
  /** The quoted name. */
  readonly schema: string
  /** The id of this host. */
  readonly host: string
  readonly survives: Log.Survives
  readonly heartbeat: Duration.Input
  readonly poll: Duration.Input
}

interface Claimed {
  readonly epoch: Log.Epoch
  readonly position: Log.Position
}

interface Head extends Claimed {
  readonly name: string
  readonly silent: number
  /** Null: the leader has given the realm up. */
  readonly host: string | null
  readonly port: number
}

/** A realm that readers follow, or others watch. */
interface Watched {
  uses: number
  /** Where its log ended when this host looked last. */
  position: Log.Position
  /** Done when there may be entries. */
  changed: Deferred.Deferred<void>
  /** Done when this host has looked. */
  looked: Deferred.Deferred<Option.Option<Log.Head>, Log.LogError>
}

interface PageRow {
  readonly end: Log.Position
  readonly compacted: Log.Position
  /** Null: there is no entry. */
  readonly position: Log.Position | null
  readonly epoch: Log.Epoch
  readonly bytes: Uint8Array
}

/** The log of an open database. */
export const makeLog = (
  { database, heartbeat, host, poll, schema, survives }: LogOptions
): Effect.Effect<Log.Log["Service"], never, Scope.Scope> =>
  Effect.gen(function*() {
    /** The number of realms that this host leads. */
    let led = 0
    /** Done when this host was heard: whether it still led all of them. */
    let heard = Deferred.makeUnsafe<boolean, SqlError>()
    const watched = new Map<string, Watched>()

    const read = <Row>(realm: string, sql: string, ...args: ReadonlyArray<Argument>) =>
      Effect.mapError(database.read<Row>(sql, ...args), errorOf(realm))

    const write = <Row>(realm: string, sql: string, ...args: ReadonlyArray<Argument>) =>
      Effect.mapError(database.write<Row>(sql, ...args), errorOf(realm))

    /** Says that this host lives, for all realms that it leads. */
    const beat = Effect.suspend(() => {
      if (led === 0) return Effect.void
      const waiting = heard
      heard = Deferred.makeUnsafe()
      const counted = database.write<{ readonly count: number }>(
        `with heard as (
          insert into ${schema}.host (id) values ($1) on conflict (id) do update set heard_at = clock_timestamp()
        ) select count(*)::float8 as count from ${schema}.realm where leader = $1`,
        host
      )
      return Deferred.into(Effect.map(counted, ([row]) => row!.count === led), waiting)
    })

    /** Waits until this host was heard, from now on. */
    const hear = (realm: string) => Effect.suspend(() => Effect.mapError(Deferred.await(heard), errorOf(realm)))

    const headsOf = (names: ReadonlyArray<string>) =>
      Effect.map(
        database.read<Head>(
          `select name, epoch::float8, position::float8, host, port, extract(epoch from clock_timestamp() -
              greatest(realm.heard_at, leaders.heard_at))::float8 * 1000 as silent
            from ${schema}.realm left join ${schema}.host leaders on leaders.id = leader
            where name in (select json_array_elements_text($1::json))`,
          JSON.stringify(names)
        ),
        (rows) =>
          new Map(rows.map(({ epoch, host, name, port, position, silent }): readonly [string, Log.Head] => [name, {
            epoch,
            position,
            leader: host === null ? Option.none() : Option.some({ host, port }),
            silent: Duration.millis(silent)
          }]))
      )

    /** Tells those that wait for a realm. Returns whether it has changed. */
    const tell = (realm: Watched, looked: Result.Result<Option.Option<Log.Head>, Log.LogError>) => {
      Deferred.doneUnsafe(realm.looked, Effect.fromResult(looked))
      realm.looked = Deferred.makeUnsafe()
      // The readers of a log that cannot be read look themselves, and fail.
      const position = Result.isSuccess(looked) ? Option.getOrUndefined(looked.success)?.position ?? 0 : -1
      if (position === realm.position) return false
      realm.position = position
      const { changed } = realm
      realm.changed = Deferred.makeUnsafe()
      Deferred.doneUnsafe(changed, Effect.void)
      return true
    }

    /** Looks at all realms for which somebody waits. Returns whether any has changed. */
    const look = Effect.suspend(() => {
      const waiting = [...watched].filter(([, { uses }]) => uses > 0)
      if (waiting.length === 0) return Effect.succeed(false)
      return Effect.map(Effect.result(headsOf(waiting.map(([name]) => name))), (found) => {
        const changed = waiting.filter(([name, realm]) =>
          tell(
            realm,
            Result.mapBoth(found, {
              onFailure: errorOf(name),
              onSuccess: (heads) => Option.fromUndefinedOr(heads.get(name))
            })
          )
        )
        return changed.length > 0
      })
    })

    const watchedOf = (realm: string): Watched => {
      const found = watched.get(realm)
      if (found !== undefined) return found
      const made: Watched = {
        uses: 0,
        position: -1,
        changed: Deferred.makeUnsafe(),
        looked: Deferred.makeUnsafe()
      }
      watched.set(realm, made)
      return made
    }

    /** Waits, while this host looks at a realm. */
    const using = <A, E>(realm: Watched, wait: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.suspend(() => {
        realm.uses++
        return Effect.ensuring(wait, Effect.sync(() => realm.uses--))
      })

    const awaitChange = (name: string) => (): Effect.Effect<void> => {
      const realm = watchedOf(name)
      return using(realm, Deferred.await(realm.changed))
    }

    const awaitLook = (name: string) => {
      const realm = watchedOf(name)
      return using(realm, Effect.suspend(() => Deferred.await(realm.looked)))
    }

    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(heartbeat), beat)))
    // Where something has changed, more may follow soon.
    const soon = Duration.millis(Duration.toMillis(poll) / 5)
    yield* Effect.forkScoped(
      Effect.forever(Effect.flatMap(look, (changed) => Effect.sleep(changed ? soon : poll)))
    )

    // -----------------------------------------------------------------------------------------------------------
    // leading
    // -----------------------------------------------------------------------------------------------------------

    const epochOf = (realm: string) =>
      // A claim has made the row, and nothing deletes it.
      Effect.map(
        read<{ readonly epoch: number }>(realm, `select epoch::float8 from ${schema}.realm where name = $1`, realm),
        ([row]) => row!.epoch
      )

    const attempt = Effect.fnUntraced(
      function*(realm: string, epoch: Log.Epoch, after: Log.Position, bytes: Uint8Array) {
        const made = yield* write(
          realm,
          `with realm as (
            update ${schema}.realm set position = position + 1, written = epoch, heard_at = clock_timestamp()
            where name = $1 and epoch = $2 and position = $3 returning id, position, epoch
          ) insert into ${schema}.entry select id, position, epoch, $4 from realm returning 1`,
          realm,
          epoch,
          after,
          bytes
        )
        if (made.length > 0) return undefined
        // If an earlier attempt is visible it may not be replicated yet. This commit comes after it, and waits for it.
        const [end] = yield* write<Log.End>(
          realm,
          `update ${schema}.realm set heard_at = clock_timestamp() where name = $1 and epoch = $2
            returning epoch::float8, position::float8, written::float8`,
          realm,
          epoch
        )
        return end ?? { epoch: yield* epochOf(realm), position: after, written: epoch }
      }
    )

    const lead = (realm: string, { epoch, position }: Claimed): Log.Leadership =>
      Log.makeLeadership({
        realm,
        epoch,
        position,
        entryBytesMax,
        attempt: (after, bytes) => attempt(realm, epoch, after, bytes),
        current: epochOf(realm),
        hear: hear(realm)
      })

    const claim = (realm: string, seen: Option.Option<Log.Head>, leader: Log.Address) => {
      const now = "(extract(epoch from clock_timestamp()) * 1000)::bigint"
      const returning = "returning epoch::float8, position::float8"
      const claimed = Option.isNone(seen)
        ? write<Claimed>(
          realm,
          `insert into ${schema}.realm (name, epoch, leader, host, port) values ($1, ${now}, $2, $3, $4)
            on conflict do nothing ${returning}`,
          realm,
          host,
          leader.host,
          leader.port
        )
        : write<Claimed>(
          realm,
          `with gone as (delete from ${schema}.host where heard_at < clock_timestamp() - interval '1 day')
            update ${schema}.realm set epoch = greatest(epoch + 1, ${now}), leader = $2, host = $3, port = $4,
              heard_at = clock_timestamp()
            where name = $1 and epoch = $5 ${returning}`,
          realm,
          host,
          leader.host,
          leader.port,
          seen.value.epoch
        )
      return Effect.map(claimed, ([row]) => {
        if (row === undefined) return Option.none()
        led++
        return Option.some(lead(realm, row))
      })
    }

    const giveUp = (realm: string, epoch: Log.Epoch) =>
      Effect.suspend(() => {
        led--
        return Effect.ignore(write(
          realm,
          `update ${schema}.realm set leader = null, host = null, port = null where name = $1 and epoch = $2`,
          realm,
          epoch
        ))
      })

    // -----------------------------------------------------------------------------------------------------------
    // reading
    // -----------------------------------------------------------------------------------------------------------

    const page = (realm: string, after: Log.Position): Effect.Effect<Log.Page, Log.LogError> =>
      Effect.map(
        read<PageRow>(
          realm,
          `select realm.position::float8 as end, compacted::float8, page.position::float8, page.epoch::float8, bytes
            from ${schema}.realm left join lateral (
              select position, epoch, bytes, sum(octet_length(bytes)) over (order by position) - octet_length(bytes) as before
              from (
                select * from ${schema}.entry where entry.realm = realm.id and entry.position > $2
                order by position limit ${pageEntries}
              ) first
            ) page on before < ${pageBytes} where name = $1 order by page.position`,
          realm,
          after
        ),
        (rows) => ({
          position: rows[0]?.end ?? 0,
          compacted: rows[0]?.compacted ?? 0,
          entries: rows.flatMap(({ bytes, epoch, position }) => position === null ? [] : [{ position, epoch, bytes }])
        })
      )

    const partOf = (realm: string, snapshot: number) => (number: number) =>
      Effect.map(
        read<Pick<Log.Entry, "bytes">>(
          realm,
          `select bytes from ${schema}.part where snapshot = $1 and number = $2`,
          snapshot,
          number
        ),
        ([row]) => row?.bytes
      )

    // -----------------------------------------------------------------------------------------------------------
    // snapshots
    // -----------------------------------------------------------------------------------------------------------

    /** Deletes rows by their primary key, a few in each statement: entries are appended in between. */
    const deleteAll = (
      realm: string,
      table: string,
      key: string,
      which: string,
      ...args: ReadonlyArray<Argument>
    ): Effect.Effect<void, Log.LogError> =>
      Effect.flatMap(
        write(
          realm,
          `delete from ${schema}.${table} where (${key}) in (
            select ${key} from ${schema}.${table} where ${which} limit ${deletedRows}
          ) returning 1`,
          ...args
        ),
        (rows) => rows.length < deletedRows ? Effect.void : deleteAll(realm, table, key, which, ...args)
      )

    /** Deletes what the kept snapshot of a realm replaces, and snapshots that have not become whole. */
    const clean = (realm: string, id: number, broken: number) => {
      const compacted = `(select compacted from ${schema}.realm where id = $1)`
      const replaced = `realm = $1 and (position < ${compacted} or parts is null and
        (id = $2 or begun_at < clock_timestamp() - interval '1 day'))`
      const parts = `snapshot in (select id from ${schema}.snapshot where ${replaced})`
      return deleteAll(realm, "part", "snapshot, number", parts, id, broken).pipe(
        Effect.andThen(deleteAll(realm, "snapshot", "id", replaced, id, broken)),
        Effect.andThen(deleteAll(realm, "entry", "realm, position", `realm = $1 and position <= ${compacted}`, id))
      )
    }

    const putSnapshot = Effect.fnUntraced(
      function*(realm: string, { bytes, engineVersion, epoch, position }: Log.Snapshot) {
        const [begun] = yield* write<{ readonly id: number; readonly realm: number }>(
          realm,
          `insert into ${schema}.snapshot (realm, position, epoch, engine_version)
            select id, $2, $3, $4 from ${schema}.realm where name = $1 and position >= $2 returning id, realm`,
          realm,
          position,
          epoch,
          engineVersion
        )
        if (begun === undefined) return yield* Log.regressed(realm, position, (yield* page(realm, 0)).position)
        const { id, realm: realmId } = begun
        let parts = 0
        yield* Stream.runForEach(
          bytes,
          (bytes) => write(realm, `insert into ${schema}.part values ($1, $2, $3)`, id, parts++, bytes)
        ).pipe(
          Effect.andThen(Effect.suspend(() =>
            write(
              realm,
              `with whole as (
                update ${schema}.snapshot set parts = $2
                where id = $1 and position > (select compacted from ${schema}.realm where id = $3)
              ) update ${schema}.realm set compacted = greatest(compacted, $4) where id = $3`,
              id,
              parts,
              realmId,
              position
            )
          )),
          Effect.onError(() => Effect.ignore(clean(realm, realmId, id)))
        )
        yield* clean(realm, realmId, id)
      }
    )

    return {
      entryBytesMax,
      survives,
      head: (realm) =>
        Effect.mapBoth(headsOf([realm]), {
          onFailure: errorOf(realm),
          onSuccess: (heads) => Option.fromUndefinedOr(heads.get(realm))
        }),
      watch: (realm) => Stream.fromEffectRepeat(awaitLook(realm)),
      claim: (realm, seen, leader) =>
        Effect.acquireRelease(
          claim(realm, seen, leader),
          Option.match({ onNone: () => Effect.void, onSome: ({ epoch }) => giveUp(realm, epoch) })
        ),
      read: (realm, after, options) =>
        Log.entries(realm, after, (after) =>
          page(realm, after), options?.follow === true ? awaitChange(realm) : undefined),
      snapshot: (realm) =>
        Effect.map(
          read<Omit<Log.Snapshot, "bytes"> & { readonly id: number; readonly parts: number }>(
            realm,
            `select snapshot.id, snapshot.position::float8, snapshot.epoch::float8,
                engine_version as "engineVersion", parts
              from ${schema}.snapshot join ${schema}.realm on realm.id = snapshot.realm
              where name = $1 and snapshot.position = compacted and parts is not null limit 1`,
            realm
          ),
          ([row]) =>
            Option.map(Option.fromUndefinedOr(row), ({ id, parts, ...snapshot }) => ({
              ...snapshot,
              bytes: Log.parts(realm, parts, partOf(realm, id))
            }))
        ),
      putSnapshot
    }
  })

// internals

/** SQLSTATEs of damaged data. */
const damaged = ["XX001", "XX002"]

const errorOf = (realm: string) => (error: SqlError): Log.LogError =>
  damaged.includes(codeOf(error))
    ? new Log.LogDamaged({ realm, issue: issueOf(error) })
    : new Log.LogUnavailable({ realm, issue: issueOf(error) })
