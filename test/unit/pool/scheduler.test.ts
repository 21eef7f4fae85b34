/** Who runs what, under random lives of jobs and workers: the decisions of a pool without any process. */
import { Random } from "#core/testing/Random.ts"
import { assert, describe, it } from "vitest"
import { SchedulerHarness } from "./SchedulerHarness.ts"

const seeds = Array.from({ length: 100 }, (_, i) => i + 1)

/** Jobs come, are cancelled, workers freeze, wake, die and are replaced; then all of it calms down. */
const live = (seed: number): SchedulerHarness => {
  const random = new Random(seed)
  const harness = new SchedulerHarness()
  const size = 1 + random.below(4)
  for (let i = 0; i < size; i++) harness.hire()
  for (let step = 0; step < 250; step++) {
    if (random.chance(0.4)) {
      harness.submit(random.pick(["short", "long", "yielding"]), random.chance(0.9) ? 1 : 1 + random.below(60))
    }
    if (random.chance(0.1)) {
      const job = random.pick(harness.jobs)
      if (job !== undefined) harness.cancel(job)
    }
    const worker = random.pick(harness.workers)
    if (worker !== undefined) {
      if (random.chance(0.02)) worker.frozen = !worker.frozen
      if (random.chance(0.02)) worker.dead = true
    }
    while (harness.workers.length < size && random.chance(0.3)) harness.hire()
    harness.tick(random)
  }
  for (let step = 0; step < 5_000 && harness.jobs.some(({ ends }) => ends.length === 0); step++) {
    for (const worker of harness.workers) worker.frozen = false
    while (harness.workers.length < size) harness.hire()
    harness.tick(random)
  }
  return harness
}

describe("a scheduler", () => {
  it("ends every job once, starts it at most once, and kills no worker for somebody else's job (P1 to P6)", () => {
    for (const seed of seeds) {
      const harness = live(seed)
      const open = harness.jobs.filter(({ ends }) => ends.length !== 1).map(({ id, place }) => `${id} is ${place}`)
      assert.deepStrictEqual(open, [], `seed ${seed}`)
    }
  })

  it("loses only the job that a dead worker had begun: the others run, in their order", () => {
    const random = new Random(1)
    const harness = new SchedulerHarness()
    harness.hire()
    const known = harness.submit("short", 1)
    while (known.ends.length === 0) harness.tick(random)
    const [worker] = harness.workers
    const jobs = Array.from({ length: 8 }, () => harness.submit("short", 1))
    while (worker!.running === undefined) harness.tick(random)
    worker!.dead = true
    while (harness.workers.length > 0) harness.tick(random)
    harness.hire()
    for (let step = 0; step < 200; step++) harness.tick(random)
    assert.deepStrictEqual(jobs.map(({ ends: [end] }) => end), [
      "Crashed",
      ...Array.from({ length: 7 }, () => "Done" as const)
    ])
  })

  it("takes back what waits behind a long job, when another worker has nothing to do", () => {
    const random = new Random(1)
    const harness = new SchedulerHarness()
    harness.hire()
    const known = harness.submit("yielding", 1)
    while (known.ends.length === 0) harness.tick(random)
    const long = harness.submit("yielding", 1_000)
    const behind = Array.from({ length: 5 }, () => harness.submit("yielding", 1))
    assert.isTrue(behind.every(({ place }) => place === "Sent"))
    harness.hire()
    for (let step = 0; step < 200; step++) harness.tick(random)
    assert.isEmpty(long.ends)
    assert.isTrue(behind.every(({ ends: [end] }) => end === "Done"))
  })

  it("sends nothing ahead of what was never measured, nor to a worker that takes longer than was thought", () => {
    const random = new Random(1)
    const harness = new SchedulerHarness()
    harness.hire()
    const [first, second] = [harness.submit("short", 1), harness.submit("short", 1)]
    assert.deepStrictEqual([first.place, second.place], ["Sent", "Queued"])
    while (second.ends.length === 0) harness.tick(random)
    const long = harness.submit("short", 1_000)
    for (let step = 0; step < 60; step++) harness.tick(random)
    assert.strictEqual(long.place, "Started")
    assert.strictEqual(harness.submit("short", 1).place, "Queued")
  })

  it("lets the caller of a job go that waits behind somebody else's, without killing their worker", () => {
    const random = new Random(1)
    const harness = new SchedulerHarness()
    const worker = harness.hire()
    const known = harness.submit("short", 1)
    while (known.ends.length === 0) harness.tick(random)
    const blocking = harness.submit("short", 200)
    const behind = harness.submit("short", 1)
    while (blocking.place !== "Started") harness.tick(random)
    harness.cancel(behind)
    while (behind.ends.length === 0) harness.tick(random)
    assert.isFalse(worker.dead)
    while (blocking.ends.length === 0) harness.tick(random)
    assert.deepStrictEqual([blocking.ends, behind.ends, behind.starts], [["Done"], ["Cancelled"], 0])
  })

  it("that is stopped ends what waits at once, and what runs with its worker", () => {
    const random = new Random(1)
    const harness = new SchedulerHarness()
    const worker = harness.hire()
    const [running, waiting] = [harness.submit("long", 100), harness.submit("long", 100)]
    while (running.place !== "Started") harness.tick(random)
    harness.scheduler.stop()
    assert.deepStrictEqual([running.ends, waiting.ends], [[], ["Stopped"]])
    worker.dead = true
    while (harness.workers.length > 0) harness.tick(random)
    assert.deepStrictEqual(running.ends, ["Stopped"])
  })
})
