/** Which worker runs which job: random lives of a pool without processes, and examples. */
import { Random } from "#core/testing/Random.ts"
import { assert, describe, it } from "vitest"
import { mutants } from "./mutants.ts"
import { type LogEntry, SchedulerHarness } from "./SchedulerHarness.ts"
import { explain, replay, simulate } from "./simulate.ts"

/** The seed to replay, if one is given. */
const { SCHEDULER_SEED: given } = process.env

const seeds = (count: number) => given === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(given)]

const commandsOf = (log: ReadonlyArray<LogEntry>) => log.map(({ commands }) => commands)

describe("a scheduler", () => {
  it("ends every job once, starts it at most once, and kills no worker for somebody else's job (P1 to P8)", () => {
    for (const seed of seeds(150)) {
      const harness = simulate(seed)
      assert.isEmpty(harness.violations, explain(seed, harness))
    }
  })

  it("gives the same commands for the same events at the same times", () => {
    for (const seed of seeds(10)) {
      const harness = simulate(seed)
      const commands = commandsOf(harness.log)
      assert.deepStrictEqual(commandsOf(replay(harness)), commands)
      assert.deepStrictEqual(commandsOf(simulate(seed).log), commands)
    }
  })

  for (const [name, { bug, mutate }] of Object.entries(mutants)) {
    it(`that has the bug ${name} is found out: ${bug}`, () => {
      assert.isTrue(seeds(200).some((seed) => simulate(seed, mutate).violations.length > 0))
    })
  }
})

describe("a scheduler in a calm pool", () => {
  /** A pool of one worker, which knows how long its tasks take. */
  const measured = (task: string) => {
    const random = new Random(1)
    const harness = new SchedulerHarness()
    const worker = harness.addWorker()
    const known = harness.submit(task, 1)
    harness.tickUntil(random, () => known.end !== undefined)
    return { harness, random, worker }
  }

  it("loses only the job that a dead worker had begun: the others run, in their order", () => {
    const { harness, random, worker } = measured("short")
    const jobs = Array.from({ length: 8 }, () => harness.submit("short", 1))
    harness.tickUntil(random, () => worker.running !== undefined)
    worker.isDead = true
    harness.tickUntil(random, () => harness.workers.length === 0)
    harness.addWorker()
    harness.tickUntil(random, () => jobs.every(({ end }) => end !== undefined))
    const [crashed, ...others] = jobs
    assert.strictEqual(crashed!.end, "Crashed")
    assert.isTrue(others.every(({ end }) => end === "Finished"))
    const starts = others.map(({ starts: [start] }) => start!)
    assert.deepStrictEqual(starts, starts.toSorted((a, b) => a - b))
    assert.deepStrictEqual(harness.violations, [])
  })

  it("takes back what waits behind a long job, when another worker has nothing to do", () => {
    const { harness, random } = measured("yielding")
    const long = harness.submit("yielding", 1_000)
    const behind = Array.from({ length: 5 }, () => harness.submit("yielding", 1))
    assert.isTrue(behind.every((job) => harness.placeOf(job) === "Sent"))
    harness.addWorker()
    harness.tickUntil(random, () => behind.every(({ end }) => end === "Finished"))
    assert.isUndefined(long.end)
    assert.deepStrictEqual(harness.violations, [])
  })

  it("sends nothing ahead of what was never measured, nor to a worker that takes longer than was thought", () => {
    const random = new Random(1)
    const harness = new SchedulerHarness()
    harness.addWorker()
    const [first, second] = [harness.submit("short", 1), harness.submit("short", 1)]
    assert.deepStrictEqual([harness.placeOf(first), harness.placeOf(second)], ["Sent", "Queued"])
    harness.tickUntil(random, () => second.end !== undefined)
    const long = harness.submit("short", 1_000)
    for (let step = 0; step < 60; step++) harness.tick(random)
    assert.strictEqual(harness.placeOf(long), "Started")
    assert.strictEqual(harness.placeOf(harness.submit("short", 1)), "Queued")
    assert.deepStrictEqual(harness.violations, [])
  })

  it("lets the caller of a job go that waits behind somebody else's, without killing their worker", () => {
    const { harness, random, worker } = measured("short")
    const blocking = harness.submit("short", 200)
    const behind = harness.submit("short", 1)
    harness.tickUntil(random, () => harness.placeOf(blocking) === "Started")
    harness.cancel(behind)
    harness.tickUntil(random, () => behind.end !== undefined)
    assert.isFalse(worker.isKilled)
    assert.isUndefined(blocking.end)
    harness.tickUntil(random, () => blocking.end !== undefined)
    assert.deepStrictEqual([blocking.end, behind.end, behind.starts], ["Finished", "Cancelled", []])
    assert.deepStrictEqual(harness.violations, [])
  })

  it("kills a worker that freezes after the caller of a job behind another one has gone", () => {
    const { harness, random, worker } = measured("short")
    const blocking = harness.submit("short", 40)
    const behind = harness.submit("short", 1)
    harness.tickUntil(random, () => harness.placeOf(blocking) === "Started")
    harness.cancel(behind)
    harness.tickUntil(random, () => behind.end !== undefined)
    harness.tickUntil(random, () => blocking.isDone)
    worker.isFrozen = true
    harness.tickUntil(random, () => worker.isDead)
    assert.strictEqual(blocking.end, "Finished")
    assert.deepStrictEqual(harness.violations, [])
  })

  it("that is stopped ends what waits at once, and what runs with its worker", () => {
    const random = new Random(1)
    const harness = new SchedulerHarness()
    const worker = harness.addWorker()
    const [running, waiting] = [harness.submit("long", 100), harness.submit("long", 100)]
    harness.tickUntil(random, () => harness.placeOf(running) === "Started")
    harness.stop()
    assert.deepStrictEqual([running.end, waiting.end], [undefined, "Stopped"])
    worker.isDead = true
    harness.tickUntil(random, () => harness.workers.length === 0)
    assert.strictEqual(running.end, "Stopped")
    assert.deepStrictEqual(harness.violations, [])
  })
})
