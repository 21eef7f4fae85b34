/** Logs that releases have recorded, and what is read in them. */
import * as SqliteFile from "#node/sqliteFile.ts"
import { toJournalLine } from "@effect-multiprocessing/core/Manager"
import { Effect, Schema } from "effect"
import { createHash } from "node:crypto"
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import { beginReplay } from "../support/replay.ts"

/** What a log leads to. */
export const Reading = Schema.Struct({
  /** Its named objects, by kind and name, sorted. */
  objects: Schema.Array(Schema.String),
  /** A hash of every change after the snapshot: its index, its arguments and its reply. */
  journal: Schema.String
})

/** What was recorded beside a log: the version of the engine, and what it leads to. */
const Recorded = Schema.Struct({ engineVersion: Schema.Int, ...Reading.fields })

const folder = join(import.meta.dirname, "logs")

/** Steps a log again. */
export const read = Effect.fnUntraced(function*(path: string) {
  const { log } = yield* SqliteFile.open({ path, survives: "process" })
  const hash = createHash("sha256")
  const { advance, engine } = yield* beginReplay(log, "manager", (entry) => hash.update(toJournalLine(entry)))
  yield* advance
  const objects = [...engine.state.objects.values()].flatMap(({ kind, name }) =>
    name === undefined ? [] : [`${kind.name} ${name}`]
  )
  return { objects: objects.sort(), journal: hash.digest("hex") }
}, Effect.scoped)

/** A folder for the life of the scope. */
export const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "upgrades-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Keeps the file of a log, which no process uses. */
export const keep = Effect.fnUntraced(function*(name: string, engineVersion: number, path: string) {
  const copy = join(yield* temporary, "log")
  copyFileSync(path, copy)
  const recorded = { engineVersion, ...yield* read(copy) }
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${name}.log.gz`), gzipSync(readFileSync(path), { level: 9 }))
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(recorded, undefined, 2)}\n`)
}, Effect.scoped)

/** Every log that was kept, and a function that copies it to a path. */
export const logs = readdirSync(folder).filter((file) => file.endsWith(".json")).map((file) => {
  const name = file.replace(".json", "")
  const text = readFileSync(join(folder, file), "utf8")
  return {
    name,
    recorded: Schema.decodeSync(Schema.fromJsonString(Recorded))(text),
    copyTo: (path: string) => writeFileSync(path, gunzipSync(readFileSync(join(folder, `${name}.log.gz`))))
  }
})
