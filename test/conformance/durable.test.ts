/** The suites on managers with logs. `test/postgres` has them on PostgreSQL. */
import { makeMemoryLog } from "@effect-multiprocessing/core/testing"
import { NodeLog } from "@effect-multiprocessing/node"
import { Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { budget } from "../support/budget.ts"
import { durableConformance } from "./durable.ts"

const sqlite = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "emp-conformance-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
).pipe(Effect.flatMap((folder) => NodeLog.makeSqlite({ path: join(folder, "log"), survives: "process" })))

durableConformance("with a log in memory", budget(3), Effect.sync(() => makeMemoryLog()))
durableConformance("with a log in a file", budget(3), sqlite)
