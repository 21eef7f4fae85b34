/**
 * Every action of every kind is interrupted at many steps of the simulated processes, one in each run. It leaves
 * nothing behind, and the run is certified (S-9, S-10, S-31).
 */
import { specimens } from "#core/testing/kinds/index.ts"
import { assert, describe, it } from "vitest"
import { run } from "../../simulation/Plan.ts"
import { actionsOf } from "../../simulation/workloads.ts"
import { budget, sample } from "../../support/budget.ts"

const interruptedAt = (action: string, seed: number, at: number) =>
  run({
    seed,
    clients: 1,
    graceMs: undefined,
    hosts: undefined,
    inFlightMax: 3,
    steps: [{ client: 1, fiber: 0, action, way: "kept", choice: 1 }],
    faults: [{ fault: "cancel", at, client: 1, moment: "at once", milliseconds: 1, server: false }]
  }, { options: { yields: 1 / 3 } })

/** The first seed with which an action can be interrupted, and the step from which on: with some it runs in one step. */
const firstStep = (action: string, seed = 1): { readonly seed: number; readonly first: number } => {
  const [first] = interruptedAt(action, seed, 0).faultsAt
  return first === undefined ? firstStep(action, seed + 1) : { seed, first }
}

/** The next age at which an action is interrupted, in steps: all of the first ages, then fewer and fewer. */
const next = (age: number): number => age + Math.max(1, Math.floor(age / budget(1 / 2)))

describe.each(specimens.map(({ kind: { name } }) => name))("%s", (kind) => {
  it.each(sample(actionsOf(kind)))("%s leaves nothing behind where it is interrupted", (action) => {
    const { first, seed } = firstStep(action)
    for (let age = 0;; age = next(age)) {
      const { faults, violations } = interruptedAt(action, seed, first + age)
      assert.deepStrictEqual(violations, [], `seed ${seed}, interrupted before step ${first + age}`)
      if (faults.cancel > 0) continue
      return assert.isAbove(age, 0)
    }
  })
})
