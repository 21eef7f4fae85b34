/** Arrays on the engine: what they hold, and that nothing which a client says can break it. */
import type { Argument } from "#core/engine/Value.ts"
import { Random } from "#core/testing/Random.ts"
import { certify } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { budget } from "../../support/budget.ts"
import { EngineHarness } from "../../support/EngineHarness.ts"

const setUp = (type = "int8", length = 4) => {
  const harness = new EngineHarness()
  const [main, other] = [harness.open(), harness.open()]
  return { harness, main, other, array: main.make("Array", "array", { type, length }) }
}

describe("an array", () => {
  it("is written as a whole or not at all", () => {
    const { array, harness, main } = setUp()
    const { index } = harness.engine.state
    assert.strictEqual(main.get(array, "set", [2, 1, 2, 3]), "IndexOutOfRange 4")
    assert.strictEqual(main.get(array, "set", [1, 1, 2, 128]), "OutOfBounds 128")
    assert.strictEqual(main.get(array, "add", [-5, 1]), "IndexOutOfRange 4")
    assert.deepStrictEqual(main.get(array, "set", [4]), [])
    assert.strictEqual(harness.engine.state.index, index)
    assert.deepStrictEqual(main.get(array, "add", [-2, 1, 2]), [1, 2])
    assert.deepStrictEqual(main.get(array, "slice", [0, 9]), [0, 0, 1, 2])
  })

  it("is made of the first value only if that is an array of numbers that fit", () => {
    const { main } = setUp()
    const open = (text: string) =>
      main.get(0, "open", ["Array", "", null, 2, "type", "int8", "length", 2, { text, handles: [] }])
    for (const text of ["", "[", "{}", "[1]", "[1,2,3]", "[1,null]", "[1,\"a\"]", "[1,300]", "[1,0.5]", "nonsense"]) {
      assert.match(String(open(text)), /^InvalidOptions/, text)
    }
    assert.notMatch(String(open("[1,-2]")), /^InvalidOptions/)
    assert.strictEqual(
      main.get(0, "open", ["Array", "", null, 2, "type", "constructor", "length", 2]),
      "InvalidOptions there is no type constructor"
    )
  })

  it("is forgotten with its name when all is 0 and nobody uses it (S-27)", () => {
    const { array, harness, main } = setUp()
    main.get(array, "set", [3, 1])
    main.drop(array)
    assert.isTrue(harness.exists(array))
    assert.strictEqual(main.make("Array", "array", { type: "int8", length: 4 }), array)
    main.get(array, "fill", [0, -1, 9])
    main.drop(array)
    assert.isFalse(harness.exists(array))
  })
})

const names = [
  "size",
  "get",
  "slice",
  "set",
  "set",
  "fill",
  "add",
  "add",
  "compareAndSet",
  "reserve",
  "endReservation"
] as const

const seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0xffff_ffff }))

describe("any sequence of calls to an array", () => {
  it.prop("is what the model says (S-31)", [
    Arbitrary.schema(Schema.Literals(["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"])),
    Arbitrary.array(Arbitrary.schema(seed), { maxLength: 80 })
  ], ([type, seeds]) => {
    const { array, harness, main, other } = setUp(type)
    for (const seed of seeds) {
      const random = new Random(seed)
      const client = random.pick([main, other])
      const index = () => random.below(12) - 6
      const number = () => random.pick([1, 2, 0, -1, 100, 0.5, 127, 255, 2 ** 16, -(2 ** 31), 2 ** 32 - 1, 3e38, 1e308])
      const more = () => Array.from({ length: random.below(4) }, number)
      const held = () => random.pick([...harness.object(array).grants.keys(), 0])!
      const operation = random.pick(names)
      const args: ReadonlyArray<Argument> = {
        size: () => [],
        get: () => [index()],
        slice: () => [index(), index()],
        set: () => [index(), ...more()],
        fill: () => [number(), index(), index()],
        add: () => [index(), ...more()],
        compareAndSet: () => [index(), number(), number(), random.pick([0, held()])],
        reserve: () => [index()],
        endReservation: () => [held()]
      }[operation]()
      const sequence = client.call(array, operation, args)
      if (random.chance(0.1)) client.cancel(sequence)
    }
    assert.deepStrictEqual(certify(harness.history), [])
  }, { arbitrary: { runs: budget(200), size: 80 } })
})
