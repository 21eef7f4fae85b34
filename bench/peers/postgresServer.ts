/** A private PostgreSQL that waits for the disk, for the life of the scope. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { findProgram, makeFolder, startServer } from "../../test/support/postgres.ts"

/** The path of the program, or its name where npm has none. */
export const program = findProgram()

/** Starts it, with a standby for which its commits wait, or alone. Returns its URL. */
export const start = (hasStandby: boolean): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function*() {
    const folder = makeFolder()
    // Before the first start, a copy is a base backup.
    const standby = hasStandby ? makeFolder(folder) : undefined
    yield* serve(folder, ...standby === undefined ? [] : ["synchronous_standby_names=standby"])
    if (standby !== undefined) {
      writeFileSync(join(standby, "data/standby.signal"), "")
      yield* serve(standby, `primary_conninfo=host=${folder} user=postgres application_name=standby`)
    }
    return `postgres://postgres@localhost/postgres?host=${folder}`
  })

// internals

const serve = (folder: string, ...settings: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.promise(() => startServer(folder, "fsync=on", "shared_buffers=128MB", ...settings)),
    ({ remove }) => Effect.promise(remove)
  )
