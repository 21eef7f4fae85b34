import { SharedNamespace } from "@effect-multiprocessing/core"
import { assert } from "@effect/vitest"
import { Effect, Fiber, Schema, Stream } from "effect"
import { programs, suite } from "../suite.ts"

const make = SharedNamespace.make({
  fields: { text: Schema.String, left: Schema.Int, right: Schema.Int },
  initial: { text: "", left: 0, right: 0 }
})

/** `SharedNamespace`. */
export const namespaceSuite = suite("SharedNamespace", (it, runs) => {
  it.effect.prop(
    "behaves as an object does",
    [programs("set", "field", "add", "both", "get")],
    ([program]) =>
      Effect.gen(function*() {
        const namespace = yield* make
        let model = { text: "", left: 0, right: 0 }
        for (const [what, n] of program) {
          if (what === "set") {
            yield* namespace.set({ text: `${n}` })
            model = { ...model, text: `${n}` }
          } else if (what === "field") {
            yield* namespace.fields.left.set(n)
            model = { ...model, left: n }
          } else if (what === "add") {
            model = { ...model, right: model.right + n }
            assert.strictEqual(yield* namespace.fields.right.add(n), model.right)
          } else if (what === "both") {
            yield* namespace.set({ left: n, right: 0 - n })
            model = { ...model, left: n, right: 0 - n }
          } else assert.deepStrictEqual(yield* namespace.get, model)
        }
        assert.deepStrictEqual(yield* namespace.get, model)
      }).pipe(Effect.scoped),
    runs
  )

  it.effect("begins with the defaults of its schemas where it is given nothing else", () =>
    Effect.gen(function*() {
      const zero = Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(0)))
      const titled = yield* SharedNamespace.make({
        fields: { done: zero, failed: zero, title: Schema.String },
        initial: { failed: 3, title: "census" }
      })
      assert.deepStrictEqual(yield* titled.get, { done: 0, failed: 3, title: "census" })
      const counters = yield* SharedNamespace.make({ fields: { a: zero, b: zero } })
      assert.deepStrictEqual(yield* counters.get, { a: 0, b: 0 })
    }).pipe(Effect.scoped))

  it.effect("never shows a part of fields that were set together: not to `get`, not to `changes`, not to `until`", () =>
    Effect.gen(function*() {
      const namespace = yield* make
      const watched = yield* Effect.forkChild(
        Stream.runCollect(Stream.takeUntil(namespace.changes, ({ left }) => left === 100))
      )
      const torn = yield* Effect.forkChild(namespace.until(({ left, right }) => left !== right))
      const seen = yield* Effect.forkChild(Effect.forEach(Array.from({ length: 100 }), () => namespace.get))
      for (let n = 1; n <= 100; n++) yield* namespace.set({ left: n, right: n })
      for (const { left, right } of [...yield* Fiber.join(watched), ...yield* Fiber.join(seen)]) {
        assert.strictEqual(left, right)
      }
      assert.isUndefined(torn.pollUnsafe())
      yield* Fiber.interrupt(torn)
    }).pipe(Effect.scoped))

  it.effect("gives a field's `changes` only that field", () =>
    Effect.gen(function*() {
      const namespace = yield* make
      const reading = yield* Effect.forkChild(
        Stream.runCollect(Stream.takeUntil(namespace.fields.left.changes, (n) => n === 3))
      )
      for (const n of [1, 2, 3]) {
        yield* namespace.fields.right.set(n * 100)
        yield* namespace.set({ text: "other" })
        yield* namespace.fields.left.set(n)
      }
      const seen = yield* Fiber.join(reading)
      assert.strictEqual(seen.at(-1), 3)
      assert.isTrue(seen.every((n) => n <= 3))
    }).pipe(Effect.scoped))

  it.effect("`until` waits for its fields together", () =>
    Effect.gen(function*() {
      const namespace = yield* make
      const waiting = yield* Effect.forkChild(namespace.until(({ left, right }) => left === 1 && right === 1))
      yield* namespace.fields.left.set(1)
      yield* namespace.fields.right.set(1)
      assert.deepStrictEqual(yield* Fiber.join(waiting), { text: "", left: 1, right: 1 })
    }).pipe(Effect.scoped))

  it.effect("is shown by its names in order, with their values (SEED-17)", () =>
    Effect.gen(function*() {
      const namespace = yield* SharedNamespace.make({
        fields: { task1: Schema.Number, main: Schema.Int, _text: Schema.String },
        initial: { task1: 0.8444218515250481, main: 55, _text: "an ordinary name" }
      })
      assert.strictEqual(
        SharedNamespace.render(yield* namespace.get),
        `Namespace(_text="an ordinary name", main=55, task1=0.8444218515250481)`
      )
    }).pipe(Effect.scoped))

  it.effect("keeps each value with its name, however an object would order them", () =>
    Effect.gen(function*() {
      const initial = { b: 1, 10: 2, 9: 3, a: 4 }
      const namespace = yield* SharedNamespace.make({
        fields: { b: Schema.Int, 10: Schema.Int, 9: Schema.Int, a: Schema.Int },
        initial
      })
      assert.deepStrictEqual(yield* namespace.get, initial)
    }).pipe(Effect.scoped))
})
