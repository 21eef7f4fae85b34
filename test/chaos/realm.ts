/**
 * A realm whose leaders are killed and frozen, one after the other, while clients work (`audit.ts`). A leader that was frozen
 * for longer than its lease is refused when it wakes up.
 */
import { Log } from "@effect-multiprocessing/core"
import { Random } from "@effect-multiprocessing/core/testing"
import { PostgresLog } from "@effect-multiprocessing/postgres"
import { Console, Context, Effect, Layer, Redacted } from "effect"
import { type Program, start, waitUntil } from "../process/harness.ts"
import { audit, type Counts } from "./audit.ts"
import type { CandidateArguments } from "./candidate.ts"
import { repeat } from "./repeating.ts"

/** How often leaders are struck, and by which bug the run is to be spoiled. */
export interface RealmOptions {
  readonly strikes: number
  readonly clients: number
  readonly seed: number
  readonly leaseMs: number
  /** How long one of the leaders is frozen. */
  readonly longMs: number
  /** Of PostgreSQL. */
  readonly url: string
  readonly schema: string
  readonly mutant?: string | undefined
}

/** What a run has shown. */
export interface RealmReport {
  readonly wrong: ReadonlyArray<string>
  /** Milliseconds until another host led, after each kill and after each freeze. */
  readonly killed: ReadonlyArray<number>
  readonly frozen: ReadonlyArray<number>
  /** Leaders that were refused when they woke up. */
  readonly refused: number
}

const realm = "chaos"
const key = "the key of the chaos"

/** Candidates at a time: one may be frozen, and one is killed. */
const hosts = 3

/** The candidates of the realm. */
const makeHosts = Effect.fnUntraced(function*({ leaseMs, mutant, schema, url }: RealmOptions) {
  const told: CandidateArguments = { url, schema, realm, key, leaseMs, mutant }
  const programs = new Set<Program>()
  const launch = Effect.gen(function*() {
    const program = yield* start(new URL("./candidate.ts", import.meta.url), JSON.stringify(told))
    programs.add(program)
  })
  yield* Effect.all(Array.from({ length: hosts }, () => launch), { concurrency: "unbounded" })
  const epochOf = (program: Program): number =>
    Number([...program.output().matchAll(/leads .* in epoch (\d+)/g)].at(-1)?.[1] ?? 0)
  const leader = () => [...programs].reduce((a, b) => epochOf(a) < epochOf(b) ? b : a)
  return {
    leader,
    /** Whether all others are there to follow. */
    areReady: () => [...programs].every((program) => program.output().includes("ready")),
    epochOf,
    replace: (program: Program) => Effect.andThen(Effect.sync(() => programs.delete(program)), launch)
  }
})

/** Runs the chaos. */
export const chaosOfRealm = Effect.fnUntraced(function*(options: RealmOptions) {
  const { clients, leaseMs, longMs, mutant, schema, seed, strikes, url } = options
  const random = new Random(seed)
  const [killed, frozen]: [Array<number>, Array<number>] = [[], []]
  let refused = 0
  const layerLog = PostgresLog.layer({ url: Redacted.make(url), schema })
  const log = Context.get(yield* Layer.build(layerLog), Log.Log)
  const { areReady, epochOf, leader, replace } = yield* makeHosts(options)
  yield* waitUntil("a host leads", () => epochOf(leader()) > 0)
  const strike = Effect.fnUntraced(function*(number: number, counts: Counts) {
    const before = counts.acknowledged
    yield* waitUntil("all hosts are there", areReady)
    yield* waitUntil("the clients go on", () => counts.acknowledged > before + 20)
    yield* Effect.sleep(random.below(200))
    const struck = leader()
    const epoch = epochOf(struck)
    const isKill = number % 2 === 1
    const began = performance.now()
    struck.process.kill(isKill ? "SIGKILL" : "SIGSTOP")
    yield* Effect.repeat(Effect.sleep(5), { until: () => epochOf(leader()) > epoch })
    const times = isKill ? killed : frozen
    times.push(performance.now() - began)
    if (isKill) return yield* replace(struck)
    yield* Effect.sleep(number === 2 ? longMs : random.below(leaseMs))
    struck.process.kill("SIGCONT")
    yield* waitUntil("it is refused", () => struck.output().includes(`epoch ${epoch} of "${realm}" has ended`))
    refused++
  })

  // The audit steps the log as its leaders did: what is done twice is found by what clients were told.
  if (mutant === "repeating") yield* Effect.acquireRelease(Effect.sync(repeat), (undo) => Effect.sync(undo))
  const grace = mutant === undefined ? "1 minute" : "5 seconds"
  const { calls, counts, wrong } = yield* audit(
    { realm, key, log, clients: Array.from({ length: clients }, () => log), grace },
    (counts) =>
      Effect.forEach(Array.from({ length: strikes }, (_, i) => i + 1), (number) => strike(number, counts), {
        discard: true
      })
  )
  yield* Console.log(
    `${calls} calls, ${counts.added} added, ${counts.holds} holds; ${killed.length} leaders killed, ` +
      `${frozen.length} frozen, ${refused} refused; until another one led: ${medianOf(killed)} ms after a kill, ` +
      `${medianOf(frozen)} ms after a freeze`
  )
  return { wrong, killed, frozen, refused } satisfies RealmReport
}, Effect.scoped)

/** The median of some times, rounded. */
export const medianOf = (times: ReadonlyArray<number>): number =>
  Math.round([...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0)
