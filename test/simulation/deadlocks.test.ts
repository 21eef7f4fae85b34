/** Deadlocks in simulated programs: each is found, and nothing else is taken for one. */
import { assert, describe, it } from "vitest"
import { budget } from "../support/budget.ts"
import { wrongWith, wrongWithout } from "./deadlocks.ts"

const firstWrong = (count: number, wrong: (seed: number) => ReadonlyArray<string>): string | undefined => {
  for (let seed = 1; seed <= count; seed++) {
    const sentences = wrong(seed)
    if (sentences.length > 0) return `seed ${seed}: ${sentences.join("\n")}`
  }
  return undefined
}

describe("random programs", () => {
  it("meet no deadlock where there is none", () => {
    assert.isUndefined(firstWrong(budget(30), wrongWithout))
  })

  it("are told of each deadlock, once, and all else goes on", () => {
    assert.isUndefined(firstWrong(budget(30), wrongWith))
  })
})
