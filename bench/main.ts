/**
 * Compares the speed of shared objects with that of their alternatives, on this machine, in one run.
 *
 * ```text
 *   npm run bench              about two minutes
 *   npm run bench -- --quick   about 45 seconds
 * ```
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Comparison, comparisons, keyOf, type Peer, startOurs } from "./comparisons.ts"
import { save, table } from "./report.ts"
import { compare, type Plan } from "./rounds.ts"

const thorough: Plan = { pairs: 7, roundMs: 1_500, warmUpMs: 1_000 }
const quick: Plan = { pairs: 5, roundMs: 600, warmUpMs: 500 }

/** Where the sockets of the peers are. */
const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "bench-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const isMissing = ({ needs }: Peer): boolean => needs !== undefined && spawnSync(needs, ["--version"]).status !== 0

/** One comparison. Both sides begin it in new processes: what was measured before has warmed or spoilt neither. */
const measure = ({ peer, task }: Comparison, plan: Plan) =>
  Effect.gen(function*() {
    const folder = yield* temporaryFolder
    const [ours, theirs] = yield* Effect.all([startOurs, peer.start(folder)], { concurrency: "unbounded" })
    return { key: keyOf({ peer, task }), ...(yield* compare(ours(task), theirs(task), plan)) }
  }).pipe(Effect.scoped)

const main = (plan: Plan) =>
  Effect.gen(function*() {
    const missing = [...new Set(comparisons.map(({ peer }) => peer))].filter(isMissing)
    const possible = comparisons.filter(({ peer }) => !missing.includes(peer))
    const rows = yield* Effect.forEach(possible, (comparison) => measure(comparison, plan))
    const skipped = missing.map(({ name, needs }) => ({ peer: name, reason: `${needs} is not installed` }))
    const report = { rows, skipped, plan }
    yield* Console.log(`${table(report)}\n${save(report)}`)
  })

const options = process.argv.slice(2)
const unknown = options.find((option) => option !== "--quick")
if (unknown === undefined) NodeRuntime.runMain(main(options.includes("--quick") ? quick : thorough))
else {
  console.error(`unknown option ${unknown}; the only one is --quick`)
  process.exitCode = 1
}
