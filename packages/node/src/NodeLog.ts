/**
 * The log of one machine: a file of SQLite, for one process at a time. Commits run on a thread of their own, so the event
 * loop never waits for the disk.
 */
import { Log } from "@effect-multiprocessing/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as SqliteFile from "./sqliteFile.ts"
import type { SqliteOptions } from "./sqliteFile.ts"

export type { SqliteOptions } from "./sqliteFile.ts"

/**
 * A log in a file. Building the layer fails with `LogNotOpened` if another process uses the file, if a newer release has
 * written it, if it is no log, or if it cannot be written.
 *
 * **Fairness** Appends are made in their order. **Cancellation** Building can be interrupted. **On disconnect** The file
 * is this process's: there is no connection that can be lost.
 */
export const layerSqlite = (options: SqliteOptions): Layer.Layer<Log.Log, Log.LogNotOpened> =>
  Layer.effect(Log.Log, makeSqlite(options))

/** `layerSqlite` as a service, for the life of the scope. */
export const makeSqlite = (
  options: SqliteOptions
): Effect.Effect<Log.Log["Service"], Log.LogNotOpened, Scope.Scope> =>
  Effect.map(SqliteFile.open(options), ({ log }) => log)
