import { assert, describe, it } from "@effect/vitest"
import { EngineHarness, texts, value } from "../../support/EngineHarness.ts"

const setUp = () => {
  const harness = new EngineHarness()
  const [a, b, c] = [harness.open(), harness.open(), harness.open()]
  const ref = a.make("Ref", "ref", { value: "integer" }, value(0))
  return { harness, a, b, c, ref }
}

describe("a turn (S-28)", () => {
  it("lets only its holder's compare-and-set succeed, whatever number another session shows", () => {
    const { a, b, ref } = setUp()
    const [turn, , version] = a.get(ref, "turn", ["value"]) as ReadonlyArray<number>
    for (const shown of [0, turn!]) {
      assert.strictEqual(b.get(ref, "compareAndSet", ["value", version!, value(7), shown])[0], 0)
    }
    assert.strictEqual(a.get(ref, "compareAndSet", ["value", version!, value(1), turn!])[0], 1)
    assert.strictEqual(texts(b.get(ref, "get", ["value"]))[0], "1")
  })

  it("ends with the successful compare-and-set, and passes to the next in order", () => {
    const { a, b, c, ref } = setUp()
    const [turn, , version] = a.get(ref, "turn", ["value"]) as ReadonlyArray<number>
    const [second, third] = [b.call(ref, "turn", ["value"]), c.call(ref, "turn", ["value"])]
    a.get(ref, "compareAndSet", ["value", version!, value(1), turn!])
    assert.deepStrictEqual([b.waits(second), c.waits(third)], [false, true])
    b.get(ref, "endTurn", [Number(b.answer(second)[0])])
    assert.isFalse(c.waits(third))
  })

  it("holds no plain set up: its holder conflicts once more, and its turn goes on", () => {
    const { a, b, ref } = setUp()
    const [turn, , version] = a.get(ref, "turn", ["value"]) as ReadonlyArray<number>
    b.get(ref, "set", ["value", value(5)])
    const [done, , now] = a.get(ref, "compareAndSet", ["value", version!, value(1), turn!]) as ReadonlyArray<number>
    assert.strictEqual(done, 0)
    assert.strictEqual(a.get(ref, "compareAndSet", ["value", now!, value(6), turn!])[0], 1)
  })

  it("passes on when its holder's session ends", () => {
    const { a, b, ref } = setUp()
    a.call(ref, "turn", ["value"])
    const waiting = b.call(ref, "turn", ["value"])
    a.end()
    assert.isFalse(b.waits(waiting))
  })

  it("passes on at its deadline, and what its late holder then tries is refused", () => {
    const { a, b, harness, ref } = setUp()
    harness.time(100)
    const [turn, , version] = a.get(ref, "turn", ["value"]) as ReadonlyArray<number>
    const waiting = b.call(ref, "turn", ["value"])
    assert.strictEqual(harness.engine.nextDeadline, 5_100)
    harness.time(5_099)
    assert.isTrue(b.waits(waiting))
    harness.time(5_100)
    assert.isFalse(b.waits(waiting))
    assert.strictEqual(a.get(ref, "compareAndSet", ["value", version!, value(1), turn!])[0], 0)
    assert.strictEqual(a.get(ref, "endTurn", [turn!]), `NotHeld ${turn}`)
  })

  it("keeps its deadline when time is told to run backwards (S-1)", () => {
    const { a, harness, ref } = setUp()
    harness.time(1_000)
    a.call(ref, "turn", ["value"])
    harness.time(-1_000)
    assert.strictEqual(harness.engine.state.now, 1_000)
    assert.strictEqual(harness.engine.nextDeadline, 6_000)
  })

  it("has no deadline left once it was given back", () => {
    const { a, harness, ref } = setUp()
    a.get(ref, "endTurn", [Number(a.get(ref, "turn", ["value"])[0])])
    assert.isUndefined(harness.engine.nextDeadline)
  })
})
