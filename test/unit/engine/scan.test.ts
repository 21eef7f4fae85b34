/** Scans on the engine: one instant, whole groups, references counted, nothing left (S-11, S-23). */
import * as References from "#core/engine/References.ts"
import { type Argument, certify } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { bag, makeBag } from "../../support/bag.ts"
import { budget } from "../../support/budget.ts"
import { type Client, EngineHarness, handleOf, texts, value } from "../../support/EngineHarness.ts"

const setUp = (size = 0) => {
  const harness = new EngineHarness({}, [bag])
  const [main, other] = [harness.open(), harness.open()]
  const object = main.make("Bag", "bag")
  for (let n = 0; n < size; n++) main.get(object, "put", [`key ${n}`, value(n)])
  return { harness, main, other, object }
}

/** What is left of a scan after its first page, read to the end. */
const rest = (client: Client, object: number, scan: number, start: number, size: number) => {
  const found: Array<Argument> = []
  for (let more: Argument = 1; more === 1;) {
    const [next, ...page] = client.get(object, "page", [scan, start + found.length, size]) as ReadonlyArray<Argument>
    found.push(...page)
    more = next!
  }
  return found
}

describe("a scan", () => {
  it("of what fits into one page is answered at once, and changes nothing", () => {
    const { harness, main, object } = setUp(2)
    const before = harness.engine.state.index
    assert.deepStrictEqual(texts(main.get(object, "scan", [1_000])), [0, "key 0", "0", "key 1", "1"])
    assert.strictEqual(harness.engine.state.index, before)
    assert.strictEqual(harness.object(object).grants.size, 0)
  })

  it("goes on with what was there when it began, whatever happens to the object (S-29)", () => {
    const { main, object, other } = setUp(9)
    const [scan, ...first] = main.get(object, "scan", [100]) as ReadonlyArray<Argument>
    other.get(object, "empty")
    other.get(object, "put", ["new", value(1)])
    const found = [...first, ...rest(main, object, Number(scan), first.length, 100)]
    assert.deepStrictEqual(texts(found), Array.from({ length: 9 }, (_, n) => [`key ${n}`, String(n)]).flat())
  })

  it("tears no group apart, and lets a large one pass alone", () => {
    const { main, object } = setUp(3)
    const [scan, ...first] = main.get(object, "scan", [1]) as ReadonlyArray<Argument>
    assert.deepStrictEqual(texts(first), ["key 0", "0"])
    assert.deepStrictEqual(texts(main.get(object, "page", [Number(scan), 2, 60])), [1, "key 1", "1"])
    assert.deepStrictEqual(texts(main.get(object, "page", [Number(scan), 4, 0])), [0, "key 2", "2"])
    assert.deepStrictEqual(main.get(object, "page", [Number(scan), 6, 0]), [0])
  })

  it("answers any number of parts to who asks for so many", () => {
    const { harness, main, object } = setUp()
    const { parts } = harness.object(object).state
    for (let n = 0; n < 200_000; n++) {
      const part = value(n)
      References.retain(harness.engine.state, part)
      parts.push("key", part)
    }
    assert.strictEqual(main.get(object, "scan", [Number.MAX_SAFE_INTEGER]).length, 400_001)
  })

  it("keeps the objects alive whose handles it will tell, until it is given back (S-23)", () => {
    const { harness, main, object } = setUp(3)
    const lock = main.make("Lock")
    main.get(object, "put", ["lock", handleOf(lock)])
    main.drop(lock)
    const [scan] = main.get(object, "scan", [1]) as ReadonlyArray<number>
    main.get(object, "empty")
    assert.isTrue(harness.exists(lock))
    main.get(object, "endScan", [scan!])
    assert.isFalse(harness.exists(lock))
  })

  it("is read and given back by nobody else, and once", () => {
    const { main, object, other } = setUp(3)
    const [scan] = main.get(object, "scan", [1]) as ReadonlyArray<number>
    assert.strictEqual(other.get(object, "page", [scan!, 2, 1]), `NotHeld ${scan}`)
    assert.strictEqual(other.get(object, "endScan", [scan!]), `NotHeld ${scan}`)
    assert.deepStrictEqual(main.get(object, "endScan", [scan!]), [])
    assert.strictEqual(main.get(object, "endScan", [scan!]), `NotHeld ${scan}`)
    assert.strictEqual(main.get(object, "page", [scan!, 2, 1]), `NotHeld ${scan}`)
  })

  it("ends when its call is cancelled, with its session, and with its object (S-10, S-11, S-27)", () => {
    const { harness, main, object, other } = setUp(3)
    const { state } = harness.object(object)
    const sequence = main.call(object, "scan", [1])
    assert.strictEqual(main.cancel(sequence), "compensated")
    assert.strictEqual(state.scans.size, 0)
    other.call(object, "scan", [1])
    other.end()
    assert.strictEqual(state.scans.size, 0)
    main.call(object, "scan", [1])
    main.get(0, "delete", [object])
    assert.strictEqual(harness.engine.state.counts.holders, 0)
  })
})

const step = Schema.Tuple([
  Schema.Literals(["put", "put", "empty", "scan", "scan", "page", "endScan", "cancel", "end"]),
  Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 99 }))
])

describe("any sequence of scans", () => {
  it.prop("is what the model says (S-31)", [Arbitrary.array(Arbitrary.schema(step), { maxLength: 60 })], ([list]) => {
    const { harness, main, object } = setUp()
    let client = harness.open()
    for (const [what, n] of list) {
      const held = [...harness.object(object).grants.keys()][0] ?? n
      if (what === "put") client.call(object, what, [String(n), n % 3 === 0 ? handleOf(object) : value(n)])
      else if (what === "cancel") client.cancel(n)
      else if (what === "end") {
        client.end()
        client = harness.open()
      } else {
        const args = { empty: [], scan: [n], page: [held, n % 8, n * 2], endScan: [held] }[what]
        client.call(object, what, args)
        main.call(object, what, args)
      }
    }
    assert.deepStrictEqual(certify(harness.history, { models: { Bag: () => makeBag() } }), [])
  }, { arbitrary: { runs: budget(100), size: 60 } })
})
