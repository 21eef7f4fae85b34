/**
 * `npm run sim -- --seeds 2000 --from 1`: random programs on simulated processes, each seed certified.
 *
 * `--mutant NAME` puts a known bug in, which must make a seed fail; `--list-mutants` names them. Exit code 0 when every
 * seed passed and everything that can happen did.
 */
import { parseArgs } from "node:util"
import { Coverage } from "./Coverage.ts"
import { mutants } from "./mutants.ts"
import { draw, run } from "./Plan.ts"
import { report } from "./report.ts"

/** Fewer seeds than this need not meet everything. */
const coveredFrom = 50

/** After so many failures the rest says nothing new. */
const reportsMax = 3

interface Options {
  readonly seeds: number
  readonly from: number
  readonly mutant: string | undefined
  readonly list: boolean
}

/** The options, or what is wrong with them. */
const readOptions = (args: ReadonlyArray<string>): Options | string => {
  let values: Partial<Record<"seeds" | "from" | "mutant" | "list-mutants", string | boolean>>
  try {
    values = parseArgs({
      args: [...args],
      options: {
        "seeds": { type: "string" },
        "from": { type: "string" },
        "mutant": { type: "string" },
        "list-mutants": { type: "boolean" }
      }
    }).values
  } catch (error) {
    return (error as Error).message.split("\n")[0]!
  }
  const { from = "1", "list-mutants": list = false, mutant, seeds = "500" } = values
  for (const [name, value] of Object.entries({ seeds, from })) {
    if (!/^\d{1,9}$/.test(String(value)) || (name === "seeds" && Number(value) === 0)) {
      return `--${name} must be a whole number, not ${JSON.stringify(value)}`
    }
  }
  if (mutant !== undefined && !Object.hasOwn(mutants, String(mutant))) {
    return `there is no mutant ${JSON.stringify(mutant)}; --list-mutants names them`
  }
  return {
    seeds: Number(seeds),
    from: Number(from),
    mutant: mutant === undefined ? undefined : String(mutant),
    list: list === true
  }
}

const simulateAll = ({ from, mutant: name, seeds }: Options): boolean => {
  const mutant = name === undefined ? undefined : mutants[name]
  const coverage = new Coverage()
  const started = performance.now()
  let failed = 0
  for (let seed = from; seed < from + seeds; seed++) {
    const plan = draw(seed, mutant)
    const simulation = run(plan, mutant)
    coverage.add(simulation)
    if (simulation.violations.length === 0) continue
    failed++
    if (failed <= reportsMax) console.log(report(plan, simulation, mutant).join("\n"))
    // One seed that finds the bug is enough.
    if (mutant !== undefined) {
      console.log(`mutant ${name} (${mutant.bug}) was found by seed ${seed}`)
      seeds = seed - from + 1
    }
  }
  console.log(coverage.lines.join("\n"))
  console.log(`${((performance.now() - started) / seeds).toFixed(1)} ms a seed`)
  const missing = mutant === undefined && seeds >= coveredFrom ? coverage.missing : []
  if (coverage.unused.length > 0) console.log(`not used: ${coverage.unused.join(", ")}`)
  if (missing.length > 0) console.log(`never happened: ${missing.join(", ")}`)
  console.log(`${seeds - failed} passed, ${failed} failed`)
  return failed === 0 && missing.length === 0
}

// Errors come by the thousand in here, and nobody reads where they were made.
Error.stackTraceLimit = 0

const options = readOptions(process.argv.slice(2))
if (typeof options === "string") {
  console.error(options)
  process.exitCode = 1
} else if (options.list) console.log(Object.keys(mutants).join("\n"))
else if (!simulateAll(options)) process.exitCode = 1
