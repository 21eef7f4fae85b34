import { assert, describe, it } from "@effect/vitest"
import { EngineHarness, texts, value } from "../../support/EngineHarness.ts"

const setUp = () => {
  const harness = new EngineHarness()
  const [a, b, c] = [harness.open(), harness.open(), harness.open()]
  const ref = a.make("Ref", "ref", { value: "integer" }, value(0))
  return { harness, a, b, c, ref }
}

describe("a reservation (S-28)", () => {
  it("lets only its holder's compare-and-set succeed, whatever number another session shows", () => {
    const { a, b, ref } = setUp()
    const [reservation, , version] = a.get(ref, "reserve", ["value"]) as ReadonlyArray<number>
    for (const shown of [0, reservation!]) {
      assert.deepStrictEqual(b.get(ref, "compareAndSet", ["value", version!, value(7), shown]), [value(0), version!])
    }
    assert.deepStrictEqual(a.get(ref, "compareAndSet", ["value", version!, value(1), reservation!]), [])
    assert.strictEqual(texts(b.get(ref, "get", ["value"]))[0], "1")
  })

  it("ends with the successful compare-and-set, and passes to the next in order", () => {
    const { a, b, c, ref } = setUp()
    const [reservation, , version] = a.get(ref, "reserve", ["value"]) as ReadonlyArray<number>
    const [second, third] = [b.call(ref, "reserve", ["value"]), c.call(ref, "reserve", ["value"])]
    a.get(ref, "compareAndSet", ["value", version!, value(1), reservation!])
    assert.deepStrictEqual([b.waits(second), c.waits(third)], [false, true])
    b.get(ref, "endReservation", [Number(b.answer(second)[0])])
    assert.isFalse(c.waits(third))
  })

  it("holds no plain set up: its holder conflicts once more, and keeps the reservation", () => {
    const { a, b, ref } = setUp()
    const [reservation, , version] = a.get(ref, "reserve", ["value"]) as ReadonlyArray<number>
    b.get(ref, "set", ["value", value(5)])
    const [current, now] = a.get(ref, "compareAndSet", ["value", version!, value(1), reservation!])
    assert.deepStrictEqual(current, value(5))
    assert.deepStrictEqual(a.get(ref, "compareAndSet", ["value", now!, value(6), reservation!]), [])
  })

  it("passes on when its holder's session ends", () => {
    const { a, b, ref } = setUp()
    a.call(ref, "reserve", ["value"])
    const waiting = b.call(ref, "reserve", ["value"])
    a.end()
    assert.isFalse(b.waits(waiting))
  })

  it("passes on at its deadline, and what its late holder then tries is refused", () => {
    const { a, b, harness, ref } = setUp()
    harness.time(100)
    const [reservation, , version] = a.get(ref, "reserve", ["value"]) as ReadonlyArray<number>
    const waiting = b.call(ref, "reserve", ["value"])
    assert.strictEqual(harness.engine.nextDeadline, 5_100)
    harness.time(5_099)
    assert.isTrue(b.waits(waiting))
    harness.time(5_100)
    assert.isFalse(b.waits(waiting))
    assert.deepStrictEqual(a.get(ref, "compareAndSet", ["value", version!, value(1), reservation!]), [
      value(0),
      version!
    ])
    assert.strictEqual(a.get(ref, "endReservation", [reservation!]), `NotHeld ${reservation}`)
  })

  it("keeps its deadline when time is told to run backwards (S-1)", () => {
    const { a, harness, ref } = setUp()
    harness.time(1_000)
    a.call(ref, "reserve", ["value"])
    harness.time(-1_000)
    assert.strictEqual(harness.engine.state.now, 1_000)
    assert.strictEqual(harness.engine.nextDeadline, 6_000)
  })

  it("has no deadline left once it was given back", () => {
    const { a, harness, ref } = setUp()
    a.get(ref, "endReservation", [Number(a.get(ref, "reserve", ["value"])[0])])
    assert.isUndefined(harness.engine.nextDeadline)
  })
})
