import { SharedArray } from "@effect-multiprocessing/core"
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { programs, suite } from "../suite.ts"

const numbers = (length: number) => Array.from({ length }, (_, n) => n)

/** Values that each type holds, and values that it does not hold. */
const examples: ReadonlyArray<
  readonly [type: SharedArray.ElementType, fits: ReadonlyArray<number>, fitsNot: ReadonlyArray<number>]
> = [
  ["float64", [5e-324, -Number.MAX_VALUE, 0.1, 2 ** 53 + 2], []],
  ["float32", [Math.fround(0.1), -3.4028234663852886e38, 2 ** -149], [3.5e38]],
  ["int8", [-128, 127], [-129, 128, 0.5]],
  ["uint8", [0, 255], [-1, 256, 1e300]],
  ["int16", [-(2 ** 15), 2 ** 15 - 1], [2 ** 15, -(2 ** 15) - 1]],
  ["uint16", [0, 2 ** 16 - 1], [2 ** 16, -1]],
  ["int32", [-(2 ** 31), 2 ** 31 - 1], [2 ** 31, -(2 ** 31) - 1]],
  ["uint32", [0, 2 ** 32 - 1], [2 ** 32, -1, 1.5]]
]

/** `SharedArray`. */
export const arraySuite = suite("SharedArray", (it, runs) => {
  it.effect.prop(
    "behaves as a typed array of its length does, and refuses values that a typed array would cut or ignore",
    [programs("get", "set", "add", "modifyAt", "setSlice", "addSlice", "fill", "slice")],
    ([program]) =>
      Effect.gen(function*() {
        const array = yield* SharedArray.make({ type: "int8", length: 6, initial: [1, 2, 3, 4, 5, 6] })
        const model = Int8Array.of(1, 2, 3, 4, 5, 6)
        for (const [what, n] of program) {
          const big = n * 15
          const start = n < 0 ? 6 + n : n
          const old = model.at(n) ?? 0
          const changes: Record<
            string,
            readonly [Effect.Effect<unknown, { readonly _tag: string }>, unknown, Array<number>]
          > = {
            get: [array.get(n), old, [old]],
            set: [array.set(n, big), undefined, [big]],
            add: [array.add(n, big), old + big, [old + big]],
            modifyAt: [array.modifyAt(n, (now) => [`was ${now}`, now * 3]), `was ${old}`, [old * 3]],
            setSlice: [array.setSlice(n, [big, 1]), undefined, [big, 1]],
            addSlice: [
              array.addSlice(n, [big, 1]),
              Int8Array.of(old + big, model[start + 1]! + 1),
              [old + big, model[start + 1]! + 1]
            ]
          }
          const change = changes[what]
          if (what === "fill") {
            yield* array.fill(n, n, n + 2)
            model.fill(n, n, n + 2)
          } else if (change === undefined) {
            assert.deepStrictEqual(yield* array.slice(n, n + 3), model.slice(n, n + 3))
          } else {
            const [effect, answer, written] = change
            const result = yield* Effect.result(effect)
            if (result._tag === "Success") {
              assert.deepStrictEqual(result.success, answer)
              model.set(written, start)
              assert.deepStrictEqual([...model.subarray(start, start + written.length)], written)
            } else {
              const expected = start < 0 || start + written.length > 6 ? "IndexOutOfRange" : "OutOfBounds"
              assert.strictEqual(result.failure._tag, expected)
              if (expected === "OutOfBounds") assert.isTrue(written.some((n) => n < -128 || n > 127))
            }
          }
        }
        assert.deepStrictEqual(yield* array.toArray, model)
      }).pipe(Effect.scoped),
    runs
  )

  it.effect.each(examples)(
    "of %s holds every value of its type exactly, and refuses others",
    ([type, fits, fitsNot]) =>
      Effect.gen(function*() {
        const array = yield* SharedArray.make({ type, length: fits.length })
        yield* array.setSlice(0, fits)
        const items: Iterable<number> = yield* array.toArray
        assert.deepStrictEqual([...items], fits)
        for (const wrong of [...fitsNot, NaN, Infinity, -Infinity]) {
          for (const write of [array.set(0, wrong), array.setSlice(0, [1, wrong]), array.fill(wrong)]) {
            const error = yield* Effect.flip(write)
            assert.strictEqual(error._tag, "OutOfBounds")
            assert.include(error.message, `would become ${wrong}`)
          }
        }
        assert.strictEqual(
          (yield* Effect.flip(array.addSlice(0, fits.map(() => -Number.MAX_VALUE))))._tag,
          "OutOfBounds"
        )
        const after: Iterable<number> = yield* array.toArray
        assert.deepStrictEqual([...after], fits)
      }).pipe(Effect.scoped)
  )

  it.effect("rounds to the precision of its type, sums too", () =>
    Effect.gen(function*() {
      const array = yield* SharedArray.make({ type: "float32", length: 1 })
      yield* array.set(0, 0.1)
      assert.strictEqual(yield* array.get(0), Math.fround(0.1))
      assert.strictEqual(yield* array.add(0, 0.2), Math.fround(Math.fround(0.1) + 0.2))
      assert.strictEqual(yield* array.modifyAt(0, (n) => [n, 0.7]), Math.fround(Math.fround(0.1) + 0.2))
    }).pipe(Effect.scoped))

  it.effect("loses no addition or modification of any number of fibers", () =>
    Effect.gen(function*() {
      const array = yield* SharedArray.make({ type: "uint32", length: 3 })
      const changes = numbers(30).flatMap((n): ReadonlyArray<Effect.Effect<unknown, unknown>> => [
        array.add(n % 3, 1),
        array.addSlice(0, [1, 1, 1]),
        array.modifyAt(n % 3, (now) => [now, now + 2])
      ])
      yield* Effect.all(changes, { concurrency: "unbounded", discard: true })
      assert.deepStrictEqual(yield* array.toArray, Uint32Array.of(60, 60, 60))
    }).pipe(Effect.scoped))

  it.effect("returns the typed array of its type", () =>
    Effect.gen(function*() {
      const array = yield* SharedArray.make({ type: "float64", length: 3, initial: [0.1, -0.5, 1e300] })
      const items: Float64Array = yield* array.toArray
      assert.deepStrictEqual(items, Float64Array.of(0.1, -0.5, 1e300))
      // @ts-expect-error -- of another type
      const wrong: Int8Array = yield* array.slice(1)
      assert.strictEqual(wrong.length, 2)
      assert.strictEqual(yield* array.length, 3)
    }).pipe(Effect.scoped))

  it.effect("refuses initial values outside its type, another length, and a length that is too large", () =>
    Effect.gen(function*() {
      const refused = (options: SharedArray.Options<"uint8">) =>
        Effect.map(Effect.flip(SharedArray.make(options)), ({ message }) => message)
      assert.include(yield* refused({ type: "uint8", length: 1, initial: [256] }), "256 is no uint8")
      assert.include(yield* refused({ type: "uint8", length: 1, initial: [NaN] }), "is no uint8")
      assert.include(yield* refused({ type: "uint8", length: 2, initial: [1] }), "1 initial numbers for a length of 2")
      assert.include(yield* refused({ type: "uint8", length: 2 ** 40 }), "length must be at most 16777216")
      assert.include(yield* refused({ type: "uint8", length: 0.5 }), "length must be a whole number")
      const empty = yield* SharedArray.make({ type: "uint8", length: 0, initial: [] })
      assert.strictEqual((yield* empty.toArray).length, 0)
      yield* SharedArray.make({ name: "array", type: "uint8", length: 1 })
      const error = yield* Effect.flip(SharedArray.make({ name: "array", type: "int8", length: 1 }))
      assert.strictEqual(error._tag, "SchemaMismatch")
    }).pipe(Effect.scoped))
})
