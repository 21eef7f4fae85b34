/** The traces of a pool's workers, in a file that each test has for itself. */
import { Effect } from "effect"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { traceVariable } from "./fixtures/poolTasks.ts"
import { waitUntil } from "./harness.ts"

/** A file for the traces of this test's workers, and its lines so far. */
export const traces = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "emp-pool-"))
    const path = join(folder, "trace")
    process.env[traceVariable] = path
    return { folder, lines: () => existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [] }
  }),
  ({ folder }) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

/** Waits until the traces have some lines. */
export const untilTraced = (lines: () => ReadonlyArray<string>, ...wanted: ReadonlyArray<string>) =>
  waitUntil(`the traces have ${wanted.join(", ")}`, () => wanted.every((line) => lines().includes(line)))

/** The pid of the worker that has last begun the task of an id. */
export const pidOf = (lines: () => ReadonlyArray<string>, id: number): number =>
  Number(lines().findLast((line) => line.startsWith(`process ${id} `))!.split(" ")[2])
