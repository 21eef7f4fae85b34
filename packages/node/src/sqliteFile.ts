/**
 * The file of a log: how it is opened, and which files are refused.
 */
import { Log } from "@effect-multiprocessing/core"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Os from "node:os"
import * as NodePath from "node:path"
import type { MessagePort } from "node:worker_threads"
import { makeLog, schema } from "./sqliteLog.ts"
import * as Sqlite from "./sqliteThread.ts"

/** The options of a log in a file. */
export interface SqliteOptions {
  /** The path of the file. SQLite keeps files beside it, whose names begin with this one. */
  readonly path: string
  /**
   * What an acknowledged entry survives. With `"machine"` every append waits until the disk has it (fsync). With
   * `"process"` the operating system has it: it survives the death of the process, and the last entries may be lost with the
   * machine. Default: `"machine"`.
   */
  readonly survives?: "process" | "machine" | undefined
  /** The most bytes of the file. Appends beyond it fail as `LogUnavailable`. Default: no bound. */
  readonly bytesMax?: number | undefined
}

/** A log in a file that was opened here. */
export interface SqliteFile {
  readonly log: Log.Log["Service"]
  /** A port over which another thread has the same log (`logOver`). */
  readonly port: Sqlite.SqliteDatabase["port"]
}

/** The log of a file that another thread has opened, over one of its ports, for the life of the scope. */
export const logOver = (port: MessagePort): Effect.Effect<Log.Log["Service"], never, Scope.Scope> =>
  Effect.map(Sqlite.over(port), (thread) => makeLog(thread, "process"))

/** Opens or makes the file of a log, for the life of the scope. */
export const open = (
  { bytesMax, path: given, survives = "machine" }: SqliteOptions
): Effect.Effect<SqliteFile, Log.LogNotOpened, Scope.Scope> => {
  const wrong = issueOf({ bytesMax, path: given, survives })
  if (wrong !== undefined) {
    return Effect.fail(new Log.LogNotOpened({ address: String(given), why: "NotALog", issue: wrong }))
  }
  const path = NodePath.resolve(given)
  const refuse = (why: Log.LogNotOpened["why"], issue: string) => new Log.LogNotOpened({ address: path, why, issue })
  const pragmas = [
    `pragma page_size = ${pageBytes}`,
    "pragma journal_mode = wal",
    `pragma synchronous = ${survives === "machine" ? "full" : "normal"}`,
    "pragma fullfsync = 1",
    "pragma busy_timeout = 5000",
    ...bytesMax === undefined || bytesMax === Infinity
      ? []
      : [`pragma max_page_count = ${Math.ceil(bytesMax / pageBytes)}`]
  ]
  const failed = ({ code, message }: Sqlite.SqliteFailure) => {
    const why = whyNotOpened[code] ?? "Unwritable"
    if (code === Sqlite.resultCode.cannotOpen) {
      return Effect.fail(refuse(why, `${message}. Check that the folder ${NodePath.dirname(path)} exists`))
    }
    if (why !== "InUse") return Effect.fail(refuse(why, message))
    return Effect.flatMap(ownerOf(path), (owner) => Effect.fail(refuse(why, `${owner} uses it`)))
  }
  return Effect.gen(function*() {
    const thread = yield* Sqlite.open({ path })
    const [[found]] = yield* thread.transaction([
      Sqlite.statement<{ readonly application: number; readonly tables: number; readonly version: number }>(
        `select application_id as application, user_version as version, (select count(*) from sqlite_master) as tables
        from pragma_application_id, pragma_user_version`
      )
    ])
    const { application, tables, version } = found!
    if (application !== applicationId && tables !== 0) return yield* refuse("NotALog", "it is another database")
    if (version > format) {
      return yield* refuse("NewerFormat", `it has format ${version}, and this release knows format ${format}`)
    }
    yield* thread.execute(pragmas.join(";"))
    yield* thread.transaction([
      ...tables === 0
        ? [...schema, `pragma application_id = ${applicationId}`, `pragma user_version = ${format}`].map((sql) =>
          Sqlite.statement(sql)
        )
        : [],
      Sqlite.statement("delete from owner"),
      Sqlite.statement("insert into owner values (?, ?)", process.pid, Os.hostname()),
      // Of a process that died while it wrote a snapshot.
      Sqlite.statement("delete from part where snapshot in (select id from snapshot where parts is null)"),
      Sqlite.statement("delete from snapshot where parts is null")
    ])
    return { log: makeLog(thread, survives), port: thread.port }
  }).pipe(Effect.catchIf((error) => error instanceof Sqlite.SqliteFailure, failed))
}

// internals

/** Why there can be no log with these options; undefined: there can. */
const issueOf = ({ bytesMax = Infinity, path, survives }: SqliteOptions): string | undefined => {
  if (path === "") return "its path is empty"
  if (typeof path !== "string" || path.includes("\0")) return "its path must be a text without NUL"
  if (!(bytesMax > 0)) return `bytesMax must be a number above 0, it is ${bytesMax}`
  return survives === "machine" || survives === "process" ? undefined : `survives must be "machine" or "process"`
}

/** Marks the file as a log of this library. */
const applicationId = 0x656d704c

/** Grows with the schema. A file of a newer format is refused. */
const format = 1

/** The blocks into which a file is divided. */
const pageBytes = 4_096

const whyNotOpened: Readonly<Record<number, Log.LogNotOpened["why"]>> = {
  [Sqlite.resultCode.busy]: "InUse",
  [Sqlite.resultCode.corrupt]: "Damaged",
  [Sqlite.resultCode.notADatabase]: "NotALog"
}

const someone = "another process"

/** The process that uses a file, as text. */
const ownerOf = (path: string): Effect.Effect<string> =>
  Effect.scoped(
    Effect.flatMap(
      Sqlite.open({ path, isReader: true }),
      ({ transaction }) =>
        transaction([Sqlite.statement<{ readonly pid: number; readonly host: string }>("select pid, host from owner")])
    )
  ).pipe(
    Effect.map(([[owner]]) => owner === undefined ? someone : `process ${owner.pid} of ${owner.host}`),
    Effect.orElseSucceed(() => someone)
  )
