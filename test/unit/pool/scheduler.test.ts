/** Who runs what, under random lives of jobs and workers: the decisions of a pool without any process. */
import { assert, describe, it } from "vitest"
import { Dice } from "../../support/Dice.ts"
import { Yard } from "./SchedulerHarness.ts"

const seeds = Array.from({ length: 100 }, (_, i) => i + 1)

/** Jobs come, are cancelled, workers freeze, wake, die and are replaced; then all of it calms down. */
const live = (seed: number): Yard => {
  const dice = new Dice(seed)
  const yard = new Yard()
  const size = 1 + dice.roll(4)
  for (let i = 0; i < size; i++) yard.hire()
  for (let step = 0; step < 250; step++) {
    if (dice.chance(40)) yard.submit(dice.pick(["short", "long", "yielding"]), dice.chance(90) ? 1 : 1 + dice.roll(60))
    if (dice.chance(10)) {
      const job = dice.pick(yard.jobs)
      if (job !== undefined) yard.cancel(job)
    }
    const worker = dice.pick(yard.workers)
    if (worker !== undefined) {
      if (dice.chance(2)) worker.frozen = !worker.frozen
      if (dice.chance(2)) worker.dead = true
    }
    while (yard.workers.length < size && dice.chance(30)) yard.hire()
    yard.tick(dice)
  }
  for (let step = 0; step < 5_000 && yard.jobs.some(({ ends }) => ends.length === 0); step++) {
    for (const worker of yard.workers) worker.frozen = false
    while (yard.workers.length < size) yard.hire()
    yard.tick(dice)
  }
  return yard
}

describe("a board", () => {
  it("ends every job once, starts it at most once, and kills no worker for somebody else's job (P1 to P6)", () => {
    for (const seed of seeds) {
      const yard = live(seed)
      const open = yard.jobs.filter(({ ends }) => ends.length !== 1).map(({ id, place }) => `${id} is ${place}`)
      assert.deepStrictEqual(open, [], `seed ${seed}`)
    }
  })

  it("loses only the job that a dead worker had begun: the others run, in their order", () => {
    const dice = new Dice(1)
    const yard = new Yard()
    yard.hire()
    const known = yard.submit("short", 1)
    while (known.ends.length === 0) yard.tick(dice)
    const [worker] = yard.workers
    const jobs = Array.from({ length: 8 }, () => yard.submit("short", 1))
    while (worker!.running === undefined) yard.tick(dice)
    worker!.dead = true
    while (yard.workers.length > 0) yard.tick(dice)
    yard.hire()
    for (let step = 0; step < 200; step++) yard.tick(dice)
    assert.deepStrictEqual(jobs.map(({ ends: [end] }) => end), [
      "Crashed",
      ...Array.from({ length: 7 }, () => "Done" as const)
    ])
  })

  it("takes back what waits behind a long job, when another worker has nothing to do", () => {
    const dice = new Dice(1)
    const yard = new Yard()
    yard.hire()
    const known = yard.submit("yielding", 1)
    while (known.ends.length === 0) yard.tick(dice)
    const long = yard.submit("yielding", 1_000)
    const behind = Array.from({ length: 5 }, () => yard.submit("yielding", 1))
    assert.isTrue(behind.every(({ place }) => place === "Sent"))
    yard.hire()
    for (let step = 0; step < 200; step++) yard.tick(dice)
    assert.isEmpty(long.ends)
    assert.isTrue(behind.every(({ ends: [end] }) => end === "Done"))
  })

  it("sends nothing ahead of what was never measured, nor to a worker that takes longer than was thought", () => {
    const dice = new Dice(1)
    const yard = new Yard()
    yard.hire()
    const [first, second] = [yard.submit("short", 1), yard.submit("short", 1)]
    assert.deepStrictEqual([first.place, second.place], ["Sent", "Queued"])
    while (second.ends.length === 0) yard.tick(dice)
    const long = yard.submit("short", 1_000)
    for (let step = 0; step < 60; step++) yard.tick(dice)
    assert.strictEqual(long.place, "Started")
    assert.strictEqual(yard.submit("short", 1).place, "Queued")
  })

  it("lets the caller of a job go that waits behind somebody else's, without killing their worker", () => {
    const dice = new Dice(1)
    const yard = new Yard()
    const worker = yard.hire()
    const known = yard.submit("short", 1)
    while (known.ends.length === 0) yard.tick(dice)
    const blocking = yard.submit("short", 200)
    const behind = yard.submit("short", 1)
    while (blocking.place !== "Started") yard.tick(dice)
    yard.cancel(behind)
    while (behind.ends.length === 0) yard.tick(dice)
    assert.isFalse(worker.dead)
    while (blocking.ends.length === 0) yard.tick(dice)
    assert.deepStrictEqual([blocking.ends, behind.ends, behind.starts], [["Done"], ["Cancelled"], 0])
  })

  it("that is stopped ends what waits at once, and what runs with its worker", () => {
    const dice = new Dice(1)
    const yard = new Yard()
    const worker = yard.hire()
    const [running, waiting] = [yard.submit("long", 100), yard.submit("long", 100)]
    while (running.place !== "Started") yard.tick(dice)
    yard.board.stop()
    assert.deepStrictEqual([running.ends, waiting.ends], [[], ["Stopped"]])
    worker.dead = true
    while (yard.workers.length > 0) yard.tick(dice)
    assert.deepStrictEqual(running.ends, ["Stopped"])
  })
})
