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

  it.live.each(["unfenced", "early", "repeating"])(
    "do so by what a candidate is spoiled of: %s",
    (mutant) =>
      Effect.gen(function*() {
        const { wrong } = yield* chaos(6, mutant)
        assert.isAbove(wrong.length, 0)
      })
  )
})
