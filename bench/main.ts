/**
 * Compares the speed of shared objects and processes with that of their alternatives, on this machine, in one run.
 *
 * ```text
 *   npm run bench                    everything, about ten minutes
 *   npm run bench -- --quick         the five most telling comparisons, about 45 seconds
 *   npm run bench -- --only queue    the comparisons whose key contains the text; their results are not saved
 *   npm run bench -- --write-docs    everything; writes the results into docs/performance.md
 * ```
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { full, quick } from "./comparisons.ts"
import { machine } from "./machine.ts"
import { writePage } from "./page.ts"
import { explanation, type Failed, heading, line, type Report, type Row, save, type Skipped } from "./report.ts"
import { BenchError, compare, type Comparison, keyOf, type Plan } from "./rounds.ts"

/** Our clients reach their full speed after about a second, when V8 has optimized their code. */
const warmUpMs = 1_500
const thoroughly: Plan = { pairs: 5, roundMs: 400, warmUpMs }
const quickly: Plan = { pairs: 5, roundMs: 400, warmUpMs }

/** The folder for the sockets of a comparison. */
const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "bench-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const installed = new Map<string, boolean>()

const isInstalled = (program: string): boolean => {
  const known = installed.get(program)
  if (known !== undefined) return known
  const isThere = spawnSync(program, ["--version"]).status === 0
  installed.set(program, isThere)
  return isThere
}

/** The side of a comparison that needs a program which is not installed. */
const missingOf = ({ needs, peer, variant = "" }: Comparison): Skipped | undefined => {
  const missing = [{ name: variant, needs }, peer].find(({ needs }) => needs !== undefined && !isInstalled(needs))
  return missing && { peer: missing.name, reason: `${missing.needs} is not installed` }
}

/** Runs one comparison. Both sides start in new processes, so earlier comparisons affect neither. */
const measure = ({ ours, peer, plan, task }: Comparison, usual: Plan) =>
  Effect.gen(function*() {
    const folder = yield* temporaryFolder
    const starts = [ours(folder, task.clients), peer.start(folder, task.clients)] as const
    const [us, them] = yield* Effect.all(starts, { concurrency: "unbounded" })
    return yield* compare(us(task), them(task), { ...usual, ...plan })
  }).pipe(Effect.scoped)

/** Runs the comparisons, and prints each result as soon as it is known. A comparison that fails stops no other. */
const run = (comparisons: ReadonlyArray<Comparison>, plan: Plan) =>
  Effect.gen(function*() {
    const missing = comparisons.map(missingOf)
    const skipped = [...Map.groupBy(missing.filter((side) => side !== undefined), ({ peer }) => peer).values()]
      .map(([side]) => side!)
    const rows: Array<Row> = []
    const failed: Array<Failed> = []
    const width = Math.max(...comparisons.map((comparison) => keyOf(comparison).length))
    yield* Console.log(heading(width))
    for (const comparison of comparisons.filter((_, i) => missing[i] === undefined)) {
      const key = keyOf(comparison)
      const result = yield* Effect.result(measure(comparison, plan))
      if (Result.isFailure(result)) failed.push({ key, reason: result.failure.message })
      else {
        const row = { key, task: comparison.task, peer: comparison.peer.name, ...result.success }
        rows.push(row)
        yield* Console.log(line(row, width))
      }
    }
    const report: Report = { rows, skipped, failed, plan, machine: machine(), date: new Date().toISOString() }
    yield* Console.log(`\n${explanation(report)}`)
    return report
  })

const options = Effect.try({
  try: () =>
    parseArgs({
      options: { "quick": { type: "boolean" }, "only": { type: "string" }, "write-docs": { type: "boolean" } }
    }).values,
  catch: (error) => new BenchError({ issue: error instanceof Error ? error.message : String(error) })
})

const main = Effect.gen(function*() {
  const { only = "", quick: isQuick = false, "write-docs": writesDocs = false } = yield* options
  const isPart = only !== ""
  if (writesDocs && (isQuick || isPart)) return yield* new BenchError({ issue: "--write-docs needs all comparisons" })
  const comparisons = (isQuick ? quick : full).filter((comparison) => keyOf(comparison).includes(only))
  if (comparisons.length === 0) return yield* new BenchError({ issue: `no comparison has "${only}" in its key` })
  const report = yield* run(comparisons, isQuick ? quickly : thoroughly)
  if (!isPart) yield* Console.log(save(report))
  if (writesDocs) yield* Console.log(writePage(report).join("\n"))
  if (report.failed.length > 0) return yield* new BenchError({ issue: "not all comparisons could be made" })
})

const complaint = ({ message }: BenchError) =>
  Effect.sync(() => {
    console.error(message)
    process.exitCode = 1
  })

NodeRuntime.runMain(Effect.catchTag(main, "BenchError", complaint))
