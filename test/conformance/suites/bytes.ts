import { SharedList, SharedMap, SharedNamespace, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { assert } from "@effect/vitest"
import { Arbitrary, Effect, Option, Schema, SchemaTransformation, Stream } from "effect"
import { suite } from "../suite.ts"

/** Numbers as bytes, eight for each, as they are in memory. */
const Numbers = Schema.Uint8Array.pipe(
  Schema.decodeTo(
    Schema.instanceOf(Float64Array),
    SchemaTransformation.transform({
      decode: (bytes) => new Float64Array(Uint8Array.from(bytes).buffer),
      encode: (numbers: Float64Array) => new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)
    })
  )
)

const bytes = Arbitrary.schema(Schema.Uint8Array)
const byte = Arbitrary.map(
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 }))),
  (n) => Uint8Array.of(n)
)

/** Values whose encoded form is bytes, through every kind that holds values. */
export const bytesSuite = suite("Bytes", (it, runs) => {
  it.effect.prop(
    "go through a queue and a ref as they are",
    [Arbitrary.array(bytes)],
    ([values]) =>
      Effect.gen(function*() {
        const queue = yield* SharedQueue.make({ item: Schema.Uint8Array })
        const ref = yield* SharedRef.make({ schema: Schema.Uint8Array, initial: new Uint8Array(0) })
        assert.strictEqual((yield* ref.get).length, 0)
        yield* queue.offerAll(values)
        for (const value of values) {
          const taken = yield* queue.take
          assert.deepStrictEqual(taken, value)
          yield* ref.set(taken)
          assert.deepStrictEqual(yield* ref.get, value)
          assert.deepStrictEqual(
            yield* Effect.map(Stream.runHead(ref.changes), (head) => head),
            yield* Effect.asSome(ref.get)
          )
        }
      }).pipe(Effect.scoped),
    runs
  )

  it.effect.prop(
    "are equal when their content is",
    [Arbitrary.array(byte, { maxLength: 8 }), byte],
    ([values, wanted]) =>
      Effect.gen(function*() {
        const list = yield* SharedList.make({ item: Schema.Uint8Array, initial: values })
        const same = (value: Uint8Array) => value[0] === wanted[0]
        assert.strictEqual(yield* list.count(wanted), values.filter(same).length)
        assert.strictEqual(yield* list.remove(wanted), values.some(same))
        assert.strictEqual(yield* list.count(wanted), Math.max(0, values.filter(same).length - 1))
        const ref = yield* SharedRef.make({ schema: Schema.Uint8Array, initial: wanted })
        yield* ref.untilEquals(Uint8Array.from(wanted))
        yield* list.append(wanted)
        const next = Uint8Array.of(wanted[0]! + 1)
        assert.strictEqual(yield* list.modifyAt(-1, (last) => [last[0], next]), wanted[0])
        assert.deepStrictEqual(yield* list.get(-1), Option.some(next))
      }).pipe(Effect.scoped),
    runs
  )

  it.effect("have the type that a schema gives them", () =>
    Effect.gen(function*() {
      const numbers = Float64Array.of(0.1, -0, NaN, Infinity)
      const namespace = yield* SharedNamespace.make({
        fields: { numbers: Numbers, note: Schema.String },
        initial: { numbers, note: "" }
      })
      assert.deepStrictEqual((yield* namespace.get).numbers, numbers)
      // The last two of four numbers in memory.
      yield* namespace.set({ numbers: numbers.subarray(2) })
      assert.deepStrictEqual((yield* namespace.get).numbers, Float64Array.of(NaN, Infinity))
    }).pipe(Effect.scoped))

  it.effect("may be keys, which are text", () =>
    Effect.gen(function*() {
      const map = yield* SharedMap.make({ key: Schema.Uint8Array, value: Schema.Uint8Array })
      yield* map.set(Uint8Array.of(1), Uint8Array.of(2))
      yield* map.set(Uint8Array.of(1), Uint8Array.of(3))
      assert.deepStrictEqual(yield* map.entries, [[Uint8Array.of(1), Uint8Array.of(3)]])
    }).pipe(Effect.scoped))
})
