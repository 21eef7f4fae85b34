import { isCell } from "#core/engine/Value.ts"
import { Manager, SharedLock, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import {
  type CallRecord,
  type History,
  linearizable,
  models,
  type Program,
  simulateSeed,
  type Simulation
} from "@effect-multiprocessing/core/testing"
import { Effect, Schema } from "effect"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { mutants } from "./mutants.ts"
import { draw, run } from "./Plan.ts"

const seeds = (count: number, from = 1) => Array.from({ length: count }, (_, i) => from + i)

const failures = (runs: Iterable<Simulation>): ReadonlyArray<string> =>
  Array.from(runs).flatMap(({ seed, violations }) => violations.map((violation) => `seed ${seed}: ${violation}`))

describe("simulated programs", () => {
  it("pass, whatever goes wrong", () => {
    assert.deepStrictEqual(failures(seeds(100).map((seed) => run(draw(seed)))), [])
  })

  it("run the same way for the same seed", () => {
    for (const seed of seeds(10)) {
      const first = run(draw(seed))
      const second = run(draw(seed))
      assert.strictEqual(first.trace, second.trace)
      assert.deepStrictEqual(first.history, second.history)
    }
    assert.strictEqual(new Set(seeds(10).map((seed) => run(draw(seed)).trace)).size, 10)
  })

  for (const [name, mutant] of Object.entries(mutants)) {
    it(`find the bug ${name}: ${mutant.bug}`, () => {
      assert.isDefined(seeds(300).find((seed) => run(draw(seed, mutant), mutant).violations.length > 0))
    })
  }

  it("are linearizable where no session took anything back", () => {
    let judged = 0
    for (const seed of seeds(60)) {
      for (const { calls, model } of calmObjects(run(draw(seed)).history)) {
        judged++
        assert.isTrue(linearizable(calls, model), `seed ${seed}`)
      }
    }
    assert.isAbove(judged, 100)
  })
})

/** Longer histories would be searched for too long. */
const callsMax = 40

/** The calls of each object that nothing was revoked on: revoking is no call of anybody. */
const calmObjects = ({ journal, records }: Required<History>) =>
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

describe("simulateSeed", () => {
  /** Every client adds ten under a lock, one by one; the first says what became of it. */
  const counting: Program = (client) =>
    Effect.gen(function*() {
      const gate = yield* SharedLock.make({ name: "gate" })
      const total = yield* SharedRef.make({ name: "total", schema: Schema.Int, initial: 0 })
      const addOne = gate.withLock(Effect.flatMap(total.get, (n) => total.set(n + 1)))
      yield* Effect.repeat(addOne, { times: 9 })
      if (client.number > 0) return
      const sum = yield* total.until((n) => n >= 10 * (1 + client.others()))
      if (sum > 30) return yield* Effect.die(new Error(`${sum} after thirty additions`))
    })

  it("runs a program of one's own", () => {
    const runs = seeds(20).map((seed) => simulateSeed(counting, { seed, faults: [] }))
    assert.deepStrictEqual(failures(runs), [])
    assert.isAbove(new Set(runs.map(({ steps }) => steps)).size, 1)
  })

  it("says who waits for ever", () => {
    const { violations } = simulateSeed(
      () => Effect.flatMap(SharedQueue.make({ item: Schema.Int }), ({ take }) => take),
      {
        seed: 1,
        clients: 1
      }
    )
    assert.deepStrictEqual(violations, ["client 0 waits for ever: take on #1 (waits in the manager)"])
  })

  it("says that a program died", () => {
    const { violations } = simulateSeed(() => Effect.die(new Error("a bug")), { seed: 1, clients: 1 })
    assert.match(violations.join("\n"), /^client 0 failed: Error: a bug/)
  })

  it("says that a run does not end", () => {
    const forever = Effect.flatMap(Manager.Manager, ({ inspect }) => Effect.forever(inspect))
    const { violations } = simulateSeed(() => forever, { seed: 1, clients: 1, stepsMax: 1_000 })
    assert.deepStrictEqual(violations, ["the run is not over after 1000 tasks"])
  })
})

describe("npm run sim", () => {
  const root = join(import.meta.dirname, "../..")
  const sim = (...args: ReadonlyArray<string>) => {
    const main = join(root, "test/simulation/main.ts")
    const { status, stderr, stdout } = spawnSync(process.execPath, [...process.execArgv, main, ...args], {
      encoding: "utf8"
    })
    return { status, stderr: stderr.trim().split("\n"), stdout: stdout.trim().split("\n") }
  }

  it("counts what passed", () => {
    const { status, stdout } = sim("--seeds", "50", "--from", "7")
    assert.strictEqual(stdout.at(-1), "50 passed, 0 failed")
    assert.strictEqual(status, 0)
  })

  it("names the mutants, and fails on one", () => {
    assert.deepStrictEqual(sim("--list-mutants").stdout, Object.keys(mutants))
    const { status, stdout } = sim("--mutant", "token-reused", "--seeds", "100")
    assert.match(stdout.at(-1)!, /^\d+ passed, 1 failed$/)
    assert.strictEqual(status, 1)
  })

  it("answers a bad option with one line", () => {
    for (const args of [["--seeds", "many"], ["--seeds", "0"], ["--from", "-1"], ["--mutant", "none"], ["--speed"]]) {
      const { status, stderr } = sim(...args)
      assert.deepStrictEqual([status, stderr.length], [1, 1], stderr.join("\n"))
    }
  })
})
