/**
 * `npm run sim`: random programs on simulated processes, each seed certified.
 *
 * ```text
 *   npm run sim -- --seeds 2000 --from 1    these seeds; each fault and each kind must occur
 *   npm run sim -- --kind Lock              programs of one kind; each of its operations must occur
 *   npm run sim -- --log                    the manager has a log, whose operations fail; its processes are killed
 *   npm run sim -- --mutant NAME            with a known bug; a seed must fail
 *   npm run sim -- --mutants                with each known bug, one by one; each must fail a seed
 *   npm run sim -- --kind Lock --mutants    with each bug that this kind may have
 *   npm run sim -- --list-mutants           names the known bugs, with --kind those that this kind may have
 * ```
 *
 * The exit code is 0 when no seed failed, or with `--mutants` when each bug was found.
 */
import type { AnyKind } from "#core/engine/Kind.ts"
import { kinds } from "#core/engine/kinds/index.ts"
import { hostFaultNames } from "@effect-multiprocessing/core/testing"
import { parseArgs } from "node:util"
import { Coverage } from "./Coverage.ts"
import { genericMutants } from "./genericMutants.ts"
import { mutants as knownMutants } from "./mutants.ts"
import type { Mutant } from "./mutation.ts"
import { draw, findingSeed, run } from "./Plan.ts"
import { report } from "./report.ts"
import { actionsOf } from "./workloads.ts"

/** Fewer seeds than this need not meet everything. */
const coveredFrom = 50

/** After this number of failures the rest says nothing new. */
const reportsMax = 3

interface Options {
  readonly seeds: number
  readonly from: number
  readonly kind: AnyKind | undefined
  /** A known bug with its name. */
  readonly mutant: readonly [name: string, mutant: Mutant] | undefined
  readonly mutants: boolean
  readonly hasLog: boolean
  readonly list: boolean
}

const kindOf = (name: string): AnyKind | undefined => kinds.find((kind) => kind.name === name)

/** With more seeds than this a kind is seen to do nothing else. */
const probesMax = 8

/** The bugs that a kind may have, or all known bugs: those that any kind may have, and those of one. */
const mutantsOf = ({ kind, seeds }: Options): Readonly<Record<string, Mutant>> => {
  const probed = (kind: AnyKind) => genericMutants(kind, Math.min(probesMax, seeds))
  return kind === undefined ? Object.assign({}, knownMutants, ...kinds.map(probed)) : probed(kind)
}

/** Its name begins with that of its kind if any kind may have it. */
const mutantNamed = (name: string): Mutant | undefined => {
  const kind = kindOf(name.split(/[./]/)[0]!)
  return knownMutants[name] ?? (kind === undefined ? undefined : genericMutants(kind, probesMax)[name])
}

/** The options, or what is wrong with them. */
const readOptions = (args: ReadonlyArray<string>): Options | string => {
  let values
  try {
    values = parseArgs({
      args: [...args],
      options: {
        "seeds": { type: "string", default: "500" },
        "from": { type: "string", default: "1" },
        "kind": { type: "string" },
        "mutant": { type: "string" },
        "mutants": { type: "boolean", default: false },
        "log": { type: "boolean", default: false },
        "list-mutants": { type: "boolean", default: false }
      }
    }).values
  } catch (error) {
    return (error as Error).message.split("\n")[0]!
  }
  const { from, kind: kindName, "list-mutants": list, log: hasLog, mutant: mutantName, mutants, seeds } = values
  for (const [name, value] of Object.entries({ seeds, from })) {
    if (!/^\d{1,9}$/.test(value) || (name === "seeds" && Number(value) === 0)) {
      return `--${name} must be a whole number, not ${JSON.stringify(value)}`
    }
  }
  const kind = kindName === undefined ? undefined : kindOf(kindName)
  if (kindName !== undefined && kind === undefined) {
    return `there is no kind ${JSON.stringify(kindName)}; there are ${kinds.map(({ name }) => name).join(", ")}`
  }
  const mutant = mutantName === undefined ? undefined : mutantNamed(mutantName)
  if (mutantName !== undefined && mutant === undefined) {
    return `there is no mutant ${JSON.stringify(mutantName)}; --list-mutants names them`
  }
  return {
    seeds: Number(seeds),
    from: Number(from),
    kind,
    mutant: mutantName === undefined || mutant === undefined ? undefined : [mutantName, mutant],
    mutants,
    hasLog,
    list
  }
}

const simulateAll = ({ from, hasLog, kind, mutant: named, seeds }: Options): boolean => {
  const [name, mutant] = named ?? []
  const circumstances = mutant ?? {
    ...hasLog ? { hosts: hostFaultNames } : {},
    ...kind === undefined ? {} : { actions: actionsOf(kind.name) }
  }
  const coverage = new Coverage(kind === undefined ? kinds : [kind])
  const started = performance.now()
  let failed = 0
  for (let seed = from; seed < from + seeds; seed++) {
    const plan = draw(seed, circumstances)
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
  const mustOccur = kind === undefined ? coverage.missing : coverage.unused
  const missing = mutant === undefined && seeds >= coveredFrom ? mustOccur : []
  console.log(coverage.lines.join("\n"))
  console.log(`${((performance.now() - started) / seeds).toFixed(1)} ms a seed`)
  if (coverage.unused.length > 0) console.log(`not used: ${coverage.unused.join(", ")}`)
  if (missing.length > 0) console.log(`never happened: ${missing.join(", ")}`)
  console.log(`${seeds - failed} passed, ${failed} failed`)
  return failed === 0 && missing.length === 0
}

/** Each mutant until a seed fails. */
const findAll = (options: Options): boolean => {
  const { from, seeds } = options
  let found = 0
  const mutants = Object.entries(mutantsOf(options))
  for (const [name, mutant] of mutants) {
    const seed = findingSeed(mutant, seeds, from)
    if (seed !== undefined) found++
    console.log(`${name}: ${seed === undefined ? `NOT FOUND: ${mutant.bug}` : `found by seed ${seed}`}`)
  }
  console.log(`${found} found, ${mutants.length - found} not found`)
  return found === mutants.length
}

// Errors come by the thousand in here, and nobody reads where they were made.
Error.stackTraceLimit = 0

const options = readOptions(process.argv.slice(2))
if (typeof options === "string") {
  console.error(options)
  process.exitCode = 1
} else if (options.list) console.log(Object.keys(mutantsOf(options)).join("\n"))
else if (!(options.mutants ? findAll(options) : simulateAll(options))) process.exitCode = 1
