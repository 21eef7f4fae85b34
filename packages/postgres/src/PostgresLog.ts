/**
 * The log of several machines: tables of PostgreSQL, in a schema of their own.
 *
 * What an acknowledged entry survives is decided by the server. With `synchronous_standby_names` it survives the loss of
 * the primary; without it, the end of the machine, if the server flushes its commits to the disk.
 */
import { Log } from "@effect-multiprocessing/core"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import * as Database from "./database.ts"
import { millisecondsOf } from "./duration.ts"
import { type Access, addressOf, checkRights, migrate, quote } from "./schema.ts"
import { entryBytesMax, makeLog } from "./sqlLog.ts"

/** The options of a log in PostgreSQL. */
export interface Options {
  /**
   * `postgres://user:password@host:port/database`, with parameters of libpq such as `?sslmode=require`. It has one host, which
   * must be the primary: a standby refuses the log.
   */
  readonly url: Redacted.Redacted
  /** The schema of its tables. Default: `effect_multiprocessing`. */
  readonly schema?: string | undefined
  /**
   * Whether it makes its tables, and brings those of an older release to this one. Its role must then own the schema, or
   * be allowed to create it. With `false` the tables of this release must be there. Default: true.
   */
  readonly migrate?: boolean | undefined
  /**
   * `"read"`: this process leads and follows no realm, it only looks where the leader is, and its role needs only to read.
   * Default: `"write"`.
   */
  readonly access?: Access | undefined
  /**
   * How long a statement may take. Then its connection is closed without a cancel, and the operation fails as
   * `LogUnavailable`. Default: 5 seconds.
   */
  readonly answerTimeout?: Duration.Input | undefined
  /** How often this host says that it lives, while it leads a realm: once for all its realms. Default: every half second. */
  readonly heartbeat?: Duration.Input | undefined
  /**
   * How often this host looks at the realms that it follows: once for all of them. It looks five times as often while they
   * change. Default: every half second.
   */
  readonly poll?: Duration.Input | undefined
  /** The most connections for what writes, and for what reads. Default: 5. */
  readonly connectionsMax?: number | undefined
}

/**
 * A log in PostgreSQL. Building the layer fails with `LogNotOpened` if the server cannot be reached or refuses the role, if the
 * role lacks a right, if a newer release has made the tables, or if they are not there and cannot be made.
 *
 * **Fairness** Appends of a realm are made in their order. **Cancellation** Building can be interrupted. **On disconnect**
 * Operations fail as `LogUnavailable`; later ones make a new connection.
 */
export const layer = (options: Options): Layer.Layer<Log.Log, Log.LogNotOpened> => Layer.effect(Log.Log, open(options))

/** How often a host says that it lives, if its options do not say it. */
export const defaultHeartbeat = "500 millis"

// internals

const open = (options: Options): Effect.Effect<Log.Log["Service"], Log.LogNotOpened, Scope.Scope> => {
  const { answerTimeout = "5 seconds", connectionsMax = 5, schema = "effect_multiprocessing", url } = options
  const { access = "write", heartbeat = defaultHeartbeat, poll = "500 millis" } = options
  const issue = issueOf(schema, connectionsMax, { answerTimeout, heartbeat, poll })
  if (issue !== undefined) {
    return Effect.fail(new Log.LogNotOpened({ address: addressOf(schema), why: "NotALog", issue }))
  }
  return Effect.gen(function*() {
    // An entry, and what stands around it in a message.
    const bytesMax = entryBytesMax + 64 * 1024
    const database = yield* Database.open({ url, connectionsMax, answerTimeout, bytesMax })
    yield* migrate(database, schema, options.migrate ?? true)
    yield* checkRights(database, schema, access)
    const [settings] = yield* database.read<Settings>(
      `select gen_random_uuid() as host, current_setting('synchronous_standby_names') as standbys,
        current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit`
    )
    return yield* makeLog({
      database,
      schema: quote(schema),
      host: settings!.host,
      survives: survives(settings!),
      heartbeat,
      poll
    })
  }).pipe(Effect.catchTag("SqlError", (error) => Effect.fail(notOpened(schema, error))))
}

/** PostgreSQL cuts a longer name without a word: two schemas would be one. */
const schemaBytesMax = 63

/** Why there can be no log with these options; undefined: there can. */
const issueOf = (
  schema: string,
  connectionsMax: number,
  times: Readonly<Record<string, Duration.Input>>
): string | undefined => {
  const bytes = new TextEncoder().encode(schema).length
  if (bytes === 0 || bytes > schemaBytesMax || schema.includes("\0")) {
    return `its schema must be a name of 1 to ${schemaBytesMax} bytes`
  }
  if (!Number.isSafeInteger(connectionsMax) || connectionsMax < 1) {
    return `connectionsMax must be a whole number of at least 1, it is ${connectionsMax}`
  }
  const wrong = Object.keys(times).find((name) => {
    const milliseconds = millisecondsOf(times[name]!)
    return !(milliseconds > 0 && milliseconds < Infinity)
  })
  return wrong === undefined ? undefined : `${wrong} must be a time above 0, and not for ever`
}

interface Settings {
  readonly host: string
  readonly standbys: string
  readonly fsync: string
  readonly commit: string
}

const survives = ({ commit, fsync, standbys }: Settings): Log.Survives => {
  if (commit === "off") return "process"
  if (standbys !== "" && commit !== "local") return "replica"
  return fsync === "on" ? "machine" : "process"
}

const notOpened = (schema: string, error: SqlError): Log.LogNotOpened =>
  new Log.LogNotOpened({
    address: addressOf(schema),
    why: error.reason._tag === "ConnectionError" ? "Unreachable" : "Unwritable",
    issue: Database.issueOf(error)
  })
