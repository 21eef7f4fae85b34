/**
 * The engine under random inputs: sessions open, lose their links and end, call everything with good and bad arguments, cancel,
 * acknowledge, drop, watch; time passes. `EngineHarness` judges every step by the five invariants.
 */
import { assert, describe, it } from "@effect/vitest"
import { budget } from "../../support/budget.ts"
import { commands, run } from "../../support/RandomProgram.ts"
import { reachable } from "../../support/reachable.ts"

const arbitrary = { runs: budget(60), size: 600 }

describe("any sequence of inputs", () => {
  it.prop("keeps I1 to I5 at every step, and nobody overtakes a waiter (S-13)", [commands], ([list]) => {
    run(list)
  }, { arbitrary })

  it.prop("gives an equal state and equal outputs when it is replayed (I1, S-1)", [commands], ([list]) => {
    const { harness } = run(list)
    const { hash, outputs } = harness.replay()
    assert.strictEqual(hash, harness.hash)
    assert.deepStrictEqual(outputs, harness.outputs)
  }, { arbitrary: { ...arbitrary, runs: budget(8) } })

  it.prop(
    "throws nowhere when a session uses its sequences twice, and the state stays sound (I3)",
    [commands],
    ([list]) => {
      const program = run(list, true)
      program.endAll()
      const { counts, sessions } = program.harness.engine.state
      assert.strictEqual(sessions.size, 0)
      assert.deepStrictEqual(counts, { waiters: 0, holders: 0 })
    },
    { arbitrary }
  )

  it.prop("leaves nothing behind once every session has ended (I3, S-11, S-24)", [commands], ([list]) => {
    const program = run(list)
    program.endAll()
    const { counts, deadlines, objects, sessions, unlinked } = program.harness.engine.state
    assert.strictEqual(sessions.size, 0)
    assert.deepStrictEqual(counts, { waiters: 0, holders: 0 })
    assert.strictEqual(deadlines.length, 0)
    assert.strictEqual(unlinked.length, 0)
    for (const object of objects.values()) {
      assert.strictEqual(object.waiting, 0, "a call waits for a session that has ended")
      assert.strictEqual(object.grants.size, 0)
      assert.strictEqual(object.watchers.size, 0)
    }
    const reached = reachable(program.harness.engine.state)
    assert.deepStrictEqual([...objects.keys()].filter((id) => !reached.has(id)), [])
  }, { arbitrary })
})
