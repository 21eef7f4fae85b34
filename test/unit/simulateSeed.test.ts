/** The violations that the simulation of one seed finds in a program. */
import { Manager, SharedLock, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { drawFaults, drawHostFaults, type Program, Random, simulateSeed } from "@effect-multiprocessing/core/testing"
import { Effect, Schema } from "effect"
import { assert, describe, it } from "vitest"
import { budget } from "../support/budget.ts"

describe("simulateSeed", () => {
  /** Every client adds ten under a lock, one by one. The first client checks the sum. */
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
    const runs = Array.from({ length: budget(12) }, (_, seed) => simulateSeed(counting, { seed, faults: [] }))
    assert.deepStrictEqual(runs.flatMap(({ violations }) => violations), [])
    assert.isAbove(new Set(runs.map(({ steps }) => steps)).size, 1)
  })

  it.each([
    ["", false],
    [", and the manager has a log that is late or fails, and is killed, frozen and replaced", true]
  ])("loses nothing and does nothing twice where sessions survive their links%s", (_, hasLog) => {
    const sums: Array<number> = []
    const exactly: Program = (client) =>
      Effect.gen(function*() {
        yield* counting(client)
        const total = yield* SharedRef.make({ name: "total", schema: Schema.Int, initial: 0 })
        const done = yield* SharedRef.make({ name: "done", schema: Schema.Int, initial: 0 })
        yield* done.increment
        yield* done.untilAtLeast(3)
        sums.push(yield* total.get)
      })
    const runs = Array.from({ length: budget(12) }, (_, seed) => {
      const faults = drawFaults(new Random(seed), 0, 3, 400, ["cut", "half", "delay", "split"])
        .map((fault) => ({ ...fault, milliseconds: Math.min(fault.milliseconds, 2_000) }))
      const hosts = hasLog
        ? drawHostFaults(new Random(seed), 400).map((fault) => ({
          ...fault,
          milliseconds: Math.min(fault.milliseconds, 2_000)
        }))
        : undefined
      return simulateSeed(exactly, { seed, faults, graceMs: 60_000, restarts: 0, hosts })
    })
    assert.deepStrictEqual(runs.flatMap(({ violations }) => violations), [])
    assert.isAbove(runs.reduce((sum, { faults }) => sum + faults.cut + faults.half, 0), runs.length)
    assert.deepStrictEqual([...new Set(sums)], [30])
    assert.strictEqual(sums.length, 3 * runs.length)
  })

  it("says which client waits for ever", () => {
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
    assert.strictEqual(violations[0], "the run is not over after 1000 tasks")
  })

  it("says, too, which calls wait meanwhile", () => {
    const forever = Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ item: Schema.Int })
      yield* Effect.forkChild(queue.take)
      return yield* Effect.forever(Effect.yieldNow)
    })
    const { violations } = simulateSeed(() => forever, { seed: 1, clients: 1, stepsMax: 1_000 })
    assert.deepStrictEqual(violations, [
      "the run is not over after 1000 tasks",
      "client 0 has called take on #1 (waits in the manager)"
    ])
  })
})
