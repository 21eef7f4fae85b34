/** The simulation with a small budget, in seeds: what `npm run sim` shows with a large one, and that it finds bugs. */
import { kinds } from "#core/engine/kinds/index.ts"
import { isCell } from "#core/engine/Value.ts"
import { type CallRecord, type History, linearizable, models } from "@effect-multiprocessing/core/testing"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import { budget, isWhole, sample } from "../support/budget.ts"
import { Coverage } from "./Coverage.ts"
import { genericMutants } from "./genericMutants.ts"
import { mutants } from "./mutants.ts"
import { draw, findingSeed, run } from "./Plan.ts"

/** Enough seeds for every kind, operation and fault to occur: ten are. */
const plain = Math.max(10, budget(12))

/** One of these seeds finds each mutant; most are found by the first three. */
const perMutant = 300

/** Kinds of which no earlier one has the same operations: `Ref` is a record like `Map`. */
const distinct = kinds.filter(({ operations }, i) =>
  !kinds.slice(0, i).some((earlier) => {
    const known = new Set<unknown>(Object.values(earlier.operations))
    return Object.values(operations).every((operation) => known.has(operation))
  })
)

const seeds = (count: number) => Array.from({ length: count }, (_, i) => 1 + i)

describe("simulated programs", () => {
  const coverage = new Coverage()
  const failures: Array<string> = []
  const calm: Array<Calm & { readonly seed: number }> = []

  beforeAll(() => {
    for (const seed of seeds(plain)) {
      const simulation = run(draw(seed))
      coverage.add(simulation)
      failures.push(...simulation.violations.map((violation) => `seed ${seed}: ${violation}`))
      calm.push(...calmObjects(simulation.history).map((object) => ({ seed, ...object })))
    }
  })

  it("pass, whatever goes wrong", () => {
    assert.deepStrictEqual(failures, [])
  })

  it("meet every kind and every fault", () => {
    assert.deepStrictEqual(coverage.missing, [])
  })

  it("are linearizable where no session took anything back", () => {
    assert.isAbove(calm.length, plain)
    const wrong = calm.filter(({ calls, model }) => !linearizable(calls, model))
    assert.deepStrictEqual(wrong.map(({ seed }) => seed), [])
  })

  it("run the same way for the same seed, and another way for another one", () => {
    const traces = seeds(Math.max(2, budget(1))).map((seed) => {
      const [first, second] = [run(draw(seed)), run(draw(seed))]
      assert.strictEqual(first.trace, second.trace)
      assert.deepStrictEqual(first.history, second.history)
      return first.trace
    })
    assert.strictEqual(new Set(traces).size, traces.length)
  })

  for (const [name, mutant] of sample(Object.entries(mutants))) {
    it(`find the bug ${name}: ${mutant.bug}`, () => {
      const known = isWhole || mutant.seed === undefined ? undefined : findingSeed(mutant, 1, mutant.seed)
      assert.isDefined(known ?? findingSeed(mutant, perMutant))
    })
  }

  // `npm run sim -- --mutants` takes every kind and every operation.
  it.each(sample(distinct).map((kind) => [kind.name, kind] as const))("find the bugs of any kind in %s", (_, kind) => {
    const bugs = new Map(
      Object.entries(genericMutants(kind, budget(1))).map((mutant) => [mutant[0].split("/")[1]!, mutant])
    )
    assert.isAbove(bugs.size, 3)
    const missed = sample([...bugs.values()]).filter(([, mutant]) => findingSeed(mutant, perMutant) === undefined)
    assert.deepStrictEqual(missed.map(([name]) => name), [])
  })
})

describe("npm run sim", () => {
  const sim = (...args: ReadonlyArray<string>) => {
    const main = join(import.meta.dirname, "main.ts")
    const { status, stderr, stdout } = spawnSync(process.execPath, [...process.execArgv, main, ...args], {
      encoding: "utf8"
    })
    return { status, stderr: stderr.trim().split("\n"), stdout: stdout.trim().split("\n") }
  }

  it("counts what passed", () => {
    const { status, stdout } = sim("--seeds", "2", "--from", "7")
    assert.strictEqual(stdout.at(-1), "2 passed, 0 failed")
    assert.strictEqual(status, 0)
  })

  it("names the mutants, and fails on one", () => {
    assert.include(sim("--list-mutants", "--kind", "Lock", "--seeds", "1").stdout, "Lock.acquire/does-not-wait")
    const { status, stdout } = sim("--mutant", "token-reused", "--seeds", "100")
    assert.match(stdout.at(-1)!, /^\d+ passed, 1 failed$/)
    assert.strictEqual(status, 1)
  })

  it("attacks a kind, and fails when a bug is not found", () => {
    const { status, stdout } = sim("--kind", "Latch", "--mutants", "--seeds", "1")
    assert.match(stdout.at(-1)!, /^\d+ found, [1-9]\d* not found$/)
    assert.strictEqual(status, 1)
  })

  it("prints one line for a bad option", () => {
    const numbers = [["--seeds", "many"], ["--seeds", "0"], ["--from", "-1"]]
    for (const args of [...numbers, ["--mutant", "none"], ["--kind", "Stack"], ["--speed"]]) {
      const { status, stderr } = sim(...args)
      assert.deepStrictEqual([status, stderr.length], [1, 1], stderr.join("\n"))
    }
  })
})

// internals

/** Longer histories would be searched for too long. */
const callsMax = 40

/** The calls of one object, and the sequential model that explains them. */
interface Calm {
  readonly calls: ReadonlyArray<CallRecord>
  readonly model: ReturnType<NonNullable<(typeof models)[string]>>
}

/** The objects of which nothing was revoked: a revocation is no client's call. */
const calmObjects = ({ journal, records }: Required<History>): ReadonlyArray<Calm> =>
  journal.flatMap(({ args, cause, kind, object: manager, operation, reply: [handle] }) => {
    if (cause !== "request" || manager !== 0 || operation !== "open" || !isCell(handle)) return []
    const object = handle.handles[0]!
    const [made, , , size] = args
    // What an open call wrote bears its index as version: only the journal knows it.
    const calls = records.filter((record) => record.object === object && record.fate === undefined).map((record) => ({
      ...record,
      index: record.index ??
        journal.find(({ call, sequence, session }) =>
          call === record.call && sequence === record.sequence && session === record.session
        )?.index
    }))
    const grants = new Set(journal.filter((entry) => entry.object === object).map(({ index }) => index))
    // A call that enters takes effect at two points: the search knows of one.
    const isCalm = journal.every((entry) =>
      entry.cause === "entered"
        ? entry.object !== object
        : entry.cause === "request" || entry.cause === "withdrawn" ||
          !entry.reply.some((part) => grants.has(Number(part)))
    )
    if (!isCalm || kind !== "Directory" || calls.length > callsMax || records.some(isBeyond(object))) return []
    // A call that waits takes effect at two points there: it begins to wait, and it is let through.
    if (made === "Latch" || made === "Barrier") return []
    const options: Record<string, (typeof args)[number]> = {}
    for (let i = 4; i < 4 + Number(size) * 2; i += 2) options[String(args[i])] = args[i + 1]!
    return [{ calls, model: models[String(made)]!(options, args.slice(4 + Number(size) * 2)) }]
  })

/** Of these calls the model of one object cannot tell: what became of a cancelled one, or of the object itself. */
const isBeyond = (object: number) => ({ fate, object: target, outcome }: CallRecord): boolean =>
  target === object &&
  (fate === "stands" || fate === "compensated" ||
    (outcome?._tag === "Failure" && /^Object|FencedOut|StaleHandle/.test(outcome.error)))
