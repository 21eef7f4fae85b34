/** Lists on the engine: bounds, equality, reservations and scans side by side, and steps of any size. */
import type { Argument } from "#core/engine/Value.ts"
import { Random } from "#core/testing/Random.ts"
import { certify } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { budget } from "../../support/budget.ts"
import { EngineHarness, handleOf, texts, value } from "../../support/EngineHarness.ts"

const values = (length: number) => Array.from({ length }, (_, n) => value(n))

const setUp = (...initial: ReadonlyArray<number>) => {
  const harness = new EngineHarness()
  const [main, other] = [harness.open(), harness.open()]
  const list = main.make("List", "list", { order: "number" }, ...initial.map(value))
  const items = () => texts(main.get(list, "slice", [0, 1e9])).join()
  return { harness, main, other, list, items }
}

describe("a list", () => {
  it("takes bounds outside of it for its ends, and an end before its start for its start, as Python does", () => {
    const { harness, items, list, main } = setUp(0, 1, 2)
    assert.deepStrictEqual(main.get(list, "splice", [9, 12, value(3)]), [4])
    assert.deepStrictEqual(main.get(list, "splice", [-9, -8, value(-1)]), [5])
    assert.deepStrictEqual(main.get(list, "splice", [3, 1, value(7)]), [6])
    assert.strictEqual(items(), "-1,0,1,7,2,3")
    const { index } = harness.engine.state
    assert.deepStrictEqual(main.get(list, "splice", [4, 4]), [6])
    assert.strictEqual(harness.engine.state.index, index)
  })

  it("adds and removes any number of values in one step", () => {
    const { harness, list, main } = setUp(7)
    const watch = main.watch(list, 9)
    const many = 250_000
    assert.deepStrictEqual(main.get(list, "splice", [0, 0, ...values(many)]), [many + 1])
    assert.deepStrictEqual(texts(main.get(list, "slice", [many - 2, many + 1])), [
      String(many - 2),
      String(many - 1),
      "7"
    ])
    assert.strictEqual(harness.outputs.filter(({ _tag }) => _tag === "Event").length, 1)
    assert.deepStrictEqual(main.get(list, "splice", [1, many]), [2])
    assert.strictEqual(main.events(watch)[1], `change splice 1 ${many - 1}`)
  })

  it("compares the item itself, wherever it has come from: an equal one is as good (S-28)", () => {
    const { items, list, main, other } = setUp(5, 6, 5)
    other.get(list, "removeAt", [0])
    assert.deepStrictEqual(texts(main.get(list, "compareAndSet", [0, value(5), value(1), 0])), ["6"])
    other.get(list, "reverse")
    assert.deepStrictEqual(main.get(list, "compareAndSet", [0, value(5), value(1), 0]), [])
    assert.strictEqual(items(), "1,6")
  })

  it("refuses to reserve for an item that is gone when the reservation comes", () => {
    const { list, main, other } = setUp(1)
    const [reservation] = main.get(list, "reserve", [0]) as ReadonlyArray<number>
    const waiting = other.call(list, "reserve", [0])
    main.get(list, "splice", [0, 1])
    main.get(list, "endReservation", [reservation!])
    assert.strictEqual(other.answer(waiting), "IndexOutOfRange 0")
  })

  it("grants reservations and scans to one session side by side, and takes neither for the other", () => {
    const { harness, list, main } = setUp(1, 2, 3)
    const [reservation] = main.get(list, "reserve", [0]) as ReadonlyArray<number>
    const [scan] = main.get(list, "scan", [1]) as ReadonlyArray<number>
    assert.strictEqual(main.get(list, "endReservation", [scan!]), `NotHeld ${scan}`)
    assert.strictEqual(main.get(list, "endScan", [reservation!]), `NotHeld ${reservation}`)
    harness.time(10_000)
    assert.deepStrictEqual(texts(main.get(list, "page", [scan!, 1, 1])), [1, "2"])
    main.end()
    assert.strictEqual(harness.engine.state.counts.holders, 0)
  })

  it("tells its watchers what was done, with positions counted from the start", () => {
    const { list, main } = setUp(3, 1, 2)
    const watch = main.watch(list, 9)
    main.get(list, "set", [-1, value(5)])
    main.get(list, "removeAt", [-2])
    main.get(list, "remove", [value(3)])
    main.get(list, "splice", [9, 9, value(4), value(4)])
    main.get(list, "sort", [1])
    main.get(list, "reverse")
    assert.deepStrictEqual(main.events(watch), [
      "change splice 2 1 5",
      "change splice 1 1",
      "change splice 0 1",
      "change splice 1 0 4 4",
      "change sort 1",
      "change reverse"
    ])
  })

  it("survives being sorted whatever stands in it (S-2)", () => {
    for (const order of ["number", "bigint", "string"]) {
      const { main } = setUp()
      const list = main.make("List", order, { order })
      const nonsense = ["", "\"", "\"\\u00\"", "{", "\"\\", "null", "\"-\"", "\"1e9\"", "0x1", "\"\\q\""]
      main.get(list, "splice", [0, 0, ...nonsense.map((text) => ({ text, handles: [] }))])
      assert.deepStrictEqual(main.get(list, "sort", [0]), [])
      assert.strictEqual(main.get(list, "size")[0], nonsense.length)
    }
  })

  it("is made with an order that there is, or with none", () => {
    const { main } = setUp()
    assert.strictEqual(
      main.get(0, "open", ["List", "", null, 1, "order", "constructor"]),
      "InvalidOptions there is no order constructor"
    )
    const list = main.make("List", null, { order: "" }, value(2), value(1))
    assert.strictEqual(main.get(list, "sort", [0]), "NotOrdered")
  })

  it("is forgotten with its name when it is empty and nobody uses it (S-27)", () => {
    const { harness, main } = setUp()
    const named = main.make("List", "named", { order: "" })
    main.get(named, "splice", [0, 0, value(1)])
    main.drop(named)
    assert.isTrue(harness.exists(named))
    assert.strictEqual(main.make("List", "named", { order: "" }), named)
    main.get(named, "splice", [0, 1])
    main.drop(named)
    assert.isFalse(harness.exists(named))
  })
})

const names = [
  "size",
  "get",
  "slice",
  "indexOf",
  "count",
  "splice",
  "splice",
  "splice",
  "set",
  "removeAt",
  "remove",
  "reverse",
  "sort",
  "compareAndSet",
  "reserve",
  "endReservation",
  "scan",
  "page",
  "endScan"
] as const

const seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0xffff_ffff }))

describe("any sequence of calls to a list", () => {
  it.prop("is what the model says (S-31)", [Arbitrary.array(Arbitrary.schema(seed), { maxLength: 80 })], ([seeds]) => {
    const { harness, list, main, other } = setUp(2, 1)
    for (const seed of seeds) {
      const random = new Random(seed)
      const client = random.pick([main, other])
      const index = () => random.below(9) - 4
      const item = () => value(random.below(4))
      const held = () => random.pick([...harness.object(list).grants.keys(), 0])!
      const more = () => Array.from({ length: random.below(4) }, item)
      const operation = random.pick(names)
      const args: ReadonlyArray<Argument> = {
        size: () => [],
        get: () => [index()],
        slice: () => [index(), index()],
        indexOf: () => [item(), index(), index()],
        count: () => [item()],
        splice: () => [index(), index(), ...more(), ...random.chance(0.1) ? [handleOf(list)] : []],
        set: () => [index(), item()],
        removeAt: () => [index()],
        remove: () => [item()],
        reverse: () => [],
        sort: () => [random.below(2)],
        compareAndSet: () => [index(), item(), item(), random.pick([0, held()])],
        reserve: () => [index()],
        endReservation: () => [held()],
        scan: () => [random.below(60)],
        page: () => [held(), random.below(4), random.below(60)],
        endScan: () => [held()]
      }[operation]()
      const sequence = client.call(list, operation, args)
      if (random.chance(0.1)) client.cancel(sequence)
    }
    assert.deepStrictEqual(certify(harness.history), [])
  }, { arbitrary: { runs: budget(200), size: 80 } })
})
