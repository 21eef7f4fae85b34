/**
 * Simulated programs whose manager has a log: its operations are late, fail, or fail though they were done; other hosts
 * claim its realm; its processes are killed, frozen, and replaced while they run. `npm run sim -- --log` takes more seeds.
 */
import { hostFaultNames } from "@effect-multiprocessing/core/testing"
import { assert, it } from "vitest"
import { budget } from "../support/budget.ts"
import { draw, run } from "./Plan.ts"

it("programs pass, whatever becomes of their managers and of the log", () => {
  let managers = 0
  for (let seed = 1; seed <= budget(6); seed++) {
    const simulation = run(draw(seed, { hosts: hostFaultNames }))
    assert.deepStrictEqual(simulation.violations, [], `seed ${seed}: npm run sim -- --log --seeds 1 --from ${seed}`)
    managers += simulation.managers
  }
  assert.isAbove(managers, budget(6))
})

it("a program runs the same way for the same seed", () => {
  const [first, second] = [1, 1].map((seed) => run(draw(seed, { hosts: hostFaultNames })))
  assert.strictEqual(first!.trace, second!.trace)
  assert.deepStrictEqual(first!.history, second!.history)
})
