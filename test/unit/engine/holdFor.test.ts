/** Holders that keep what they have for too long: their process may be frozen, and nobody else would ever get it. */
import { assert, describe, it } from "@effect/vitest"
import { EngineHarness, texts, value } from "../../support/EngineHarness.ts"

const setUp = () => {
  const harness = new EngineHarness()
  const [frozen, other] = [harness.open(), harness.open()]
  const revoked = () => harness.outputs.filter(({ _tag }) => _tag === "Revoked")
  return { harness, frozen, other, revoked }
}

describe("what is held for longer than `holdFor`", () => {
  for (const kind of ["Lock", "Condition"]) {
    it(`passes on, abandoned, and its holder is told and fenced out: a ${kind}`, () => {
      const { frozen, harness, other, revoked } = setUp()
      const lock = frozen.make(kind, "lock", { holdFor: 1_000 })
      const map = frozen.make("Map", "map")
      const [hold] = frozen.get(lock, "acquire") as ReadonlyArray<number>
      const waiting = other.call(lock, "acquire")
      harness.time(999)
      assert.isTrue(other.waits(waiting))
      harness.time(1_000)
      const [token, abandoned] = other.answer(waiting) as ReadonlyArray<number>
      assert.deepStrictEqual([token! > hold!, abandoned], [true, 1])
      assert.deepStrictEqual(revoked(), [{ _tag: "Revoked", session: frozen.session, grant: hold! }])
      assert.strictEqual(frozen.get(map, "set", ["a", value(1)], [hold!]), `FencedOut ${hold}`)
      assert.strictEqual(frozen.get(lock, "release", [hold!]), `NotHeld ${hold}`)
      other.get(lock, "release", [token!])
      // A hold that ends in time has no deadline any more; the next one has its own.
      harness.time(5_000)
      assert.deepStrictEqual((frozen.get(lock, "tryAcquire") as ReadonlyArray<number>)[1], 0)
      harness.time(5_999)
      assert.deepStrictEqual(other.get(lock, "isHeld"), [1])
      harness.time(6_000)
      assert.deepStrictEqual(other.get(lock, "isHeld"), [0])
    })
  }

  it("passes on when it is held again after a wait, and not while its holder waits: a Condition", () => {
    const { frozen, harness, other } = setUp()
    const bell = frozen.make("Condition", "bell", { holdFor: 1_000 })
    const [hold] = frozen.get(bell, "acquire") as ReadonlyArray<number>
    const wait = frozen.call(bell, "wait", [hold!])
    harness.time(60_000)
    const [ringer] = other.get(bell, "acquire") as ReadonlyArray<number>
    assert.deepStrictEqual(other.get(bell, "notify", [ringer!, 1]), [1])
    other.get(bell, "release", [ringer!])
    assert.isFalse(frozen.waits(wait))
    harness.time(61_000)
    assert.deepStrictEqual(other.get(bell, "isHeld"), [0])
  })

  it("is free again: permits, each with a time of its own", () => {
    const { frozen, harness, other } = setUp()
    const slots = frozen.make("Semaphore", "slots", { permits: 3, holdFor: 1_000 })
    frozen.get(slots, "acquire", [2])
    harness.time(600)
    other.get(slots, "tryAcquire", [1])
    const waiting = other.call(slots, "acquire", [2])
    harness.time(1_000)
    assert.isFalse(other.waits(waiting))
    assert.deepStrictEqual(other.get(slots, "available"), [0])
    harness.time(1_600)
    assert.deepStrictEqual(other.get(slots, "available"), [1])
  })

  it("goes to another worker, with one attempt more: the item of a lease", () => {
    const { frozen, harness, other } = setUp()
    const queue = frozen.make("Queue", "queue", { capacity: 9, attempts: 2, holdFor: 1_000 })
    frozen.get(queue, "offer", [value(7)])
    const [lease] = frozen.get(queue, "takeLease") as ReadonlyArray<number>
    const waiting = other.call(queue, "takeLease")
    harness.time(1_000)
    assert.deepStrictEqual(texts(other.answer(waiting)).slice(1), [2, "7", 1])
    assert.strictEqual(frozen.get(queue, "ack", [lease!]), `NotHeld ${lease}`)
    harness.time(2_000)
    assert.deepStrictEqual(texts(other.get(queue, "deadLetters", [0, 9, 999])).slice(4), [
      "the worker had it too long",
      "7"
    ])
    // What a plain take has delivered may have been read.
    frozen.get(queue, "offer", [value(8)])
    frozen.get(queue, "take")
    harness.time(9_000)
    assert.deepStrictEqual(other.get(queue, "poll"), [])
  })

  it("is told as lost when its object is removed: a lease, too", () => {
    const { frozen, other, revoked } = setUp()
    const queue = frozen.make("Queue", "queue", { capacity: 9, attempts: 2, holdFor: 1_000 })
    frozen.get(queue, "offer", [value(7)])
    const [lease] = frozen.get(queue, "takeLease") as ReadonlyArray<number>
    other.get(0, "delete", [queue])
    assert.deepStrictEqual(revoked(), [{ _tag: "Revoked", session: frozen.session, grant: lease! }])
  })

  it("is not held for ever by an option that makes no sense", () => {
    const { frozen } = setUp()
    for (const holdFor of [0, -1, 0.5, NaN, "long"]) {
      assert.throws(() => frozen.make("Lock", null, { holdFor }), /InvalidOptions holdFor must be/)
    }
  })
})
