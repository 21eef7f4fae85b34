/** The chaos of leaders in a short form; `npm run chaos -- --postgres` is the full one. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { inject } from "vitest"
import { chaosOfRealm } from "../chaos/realm.ts"
import { budget } from "../support/budget.ts"

let schemas = 0

const chaos = (strikes: number, mutant?: string) =>
  chaosOfRealm({
    strikes,
    clients: 2,
    seed: 1,
    leaseMs: 1_000,
    longMs: 1_500,
    url: `postgres://postgres@localhost/postgres?host=${inject("postgres")}`,
    schema: `chaos ${++schemas}`,
    mutant
  })

describe("leaders that are killed and frozen", () => {
  it.live("lose nothing, do nothing twice, and are refused when others lead", () =>
    Effect.gen(function*() {
      const strikes = budget(4)
      const { refused, wrong } = yield* chaos(strikes)
      assert.deepStrictEqual(wrong, [])
      assert.strictEqual(refused, Math.floor(strikes / 2))
    }))

  // The first two end a run; what was repeated is found at its end.
  it.live.each([["unfenced", 6], ["early", 6], ["repeating", 3]] as const)(
    "do so by what a candidate is spoiled of: %s",
    ([mutant, strikes]) =>
      Effect.gen(function*() {
        const { wrong } = yield* chaos(strikes, mutant)
        assert.isAbove(wrong.length, 0)
      })
  )
})
