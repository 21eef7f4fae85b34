import { SharedNamespace, SharedOpenNamespace } from "@effect-multiprocessing/core"
import { assert } from "@effect/vitest"
import { Effect, Fiber, Option, Schema, Stream } from "effect"
import { programs, suite } from "../suite.ts"

const make = SharedOpenNamespace.make({ value: Schema.Int })

const names = ["main", "_item", "__proto__", "9"]

/** `SharedOpenNamespace`. */
export const openNamespaceSuite = suite("SharedOpenNamespace", (it, runs) => {
  it.effect.prop(
    "behaves as names and their values do, whatever the names are",
    [programs("set", "both", "get", "field", "remove", "modify", "add", "names", "clear")],
    ([program]) =>
      Effect.gen(function*() {
        const namespace = yield* make
        const model = new Map<string, number>()
        const values = () => Object.fromEntries(model)
        for (const [what, n] of program) {
          const name = names[Math.abs(n) % 4]!
          const field = namespace.field(name)
          if (what === "set") {
            yield* field.set(n)
            model.set(name, n)
          } else if (what === "both") {
            yield* namespace.set(Object.fromEntries([["main", n], [name, n + 1]]))
            for (const [key, value] of [["main", n], [name, n + 1]] as const) model.set(key, value)
          } else if (what === "get") assert.deepStrictEqual(yield* namespace.get, values())
          else if (what === "field") {
            const value = yield* Effect.result(field.get)
            if (value._tag === "Success") assert.strictEqual(value.success, model.get(name))
            else assert.deepStrictEqual([value.failure._tag, model.has(name)], ["FieldNotSet", false])
          } else if (what === "remove") assert.strictEqual(yield* field.remove, model.delete(name))
          else if (what === "modify") {
            const before = Option.fromUndefinedOr(model.get(name))
            const next = n > 0 ? Option.some(n) : Option.none()
            assert.deepStrictEqual(yield* field.modify((now) => [now, next]), before)
            if (n > 0) model.set(name, n)
            else model.delete(name)
          } else if (what === "add") {
            model.set(name, (model.get(name) ?? 0) + n)
            assert.strictEqual(yield* field.add(n), model.get(name))
          } else if (what === "clear") {
            yield* namespace.clear
            model.clear()
          } else assert.deepStrictEqual(yield* namespace.names, [...model.keys()].sort())
        }
        assert.deepStrictEqual(yield* namespace.get, values())
      }).pipe(Effect.scoped),
    runs
  )

  it.effect("shows a name with an underscore to everybody, as any other (SEED-7, SEED-45, SEED-46)", () =>
    Effect.gen(function*() {
      const open = SharedOpenNamespace.make({ name: "underscore", value: Schema.String })
      const [one, other] = [yield* open, yield* open]
      yield* one.field("_item").set("empty")
      assert.strictEqual(yield* other.field("_item").get, "empty")
      assert.strictEqual(SharedNamespace.render(yield* other.get), `Namespace(_item="empty")`)
      yield* one.clear
    }).pipe(Effect.scoped))

  it.effect("gives a field's `changes` only that field, also its removal", () =>
    Effect.gen(function*() {
      const namespace = yield* make
      const field = namespace.field("n")
      const reading = yield* Effect.forkChild(
        Stream.runCollect(Stream.takeUntil(field.changes, Option.exists((n) => n === 3)))
      )
      for (const n of [1, 2, 3]) {
        yield* namespace.set({ other: n, n })
        if (n < 3) yield* n === 1 ? field.remove : namespace.clear
      }
      const seen = yield* Fiber.join(reading)
      assert.deepStrictEqual(seen.at(-1), Option.some(3))
      assert.isTrue(seen.every((n) => Option.isNone(n) || n.value <= 3))
    }).pipe(Effect.scoped))

  it.effect("gives `changes` and `until` all values, also after removals", () =>
    Effect.gen(function*() {
      const namespace = yield* make
      const waiting = yield* Effect.forkChild(namespace.until(({ a, b }) => a === undefined && b === 2))
      yield* namespace.set({ a: 1, b: 1 })
      yield* namespace.clear
      yield* namespace.set({ a: 1, b: 2 })
      yield* namespace.field("a").remove
      assert.deepStrictEqual(yield* Fiber.join(waiting), { b: 2 })
    }).pipe(Effect.scoped))

  it.effect("waits in the manager for a field that is set, changed and removed at once (S-29)", () =>
    Effect.gen(function*() {
      const { field } = yield* make
      const waiting = yield* Effect.forkChild(
        Effect.all([
          field("a").untilSet,
          field("a").untilEquals(2),
          field("a").untilAtLeast(2),
          field("a").untilAtMost(0),
          field("b").untilRemoved
        ], { concurrency: "unbounded" }),
        { startImmediately: true }
      )
      for (const n of [1, 2, 0]) yield* field("a").set(n)
      yield* field("a").remove
      assert.deepStrictEqual(yield* Fiber.join(waiting), [1, undefined, 2, 0, undefined])
    }).pipe(Effect.scoped))

  it.effect("counts every addition of many fibers to a name that was not set (S-25)", () =>
    Effect.gen(function*() {
      const { field } = yield* make
      yield* Effect.all(Array.from({ length: 50 }, () => field("hits").increment), { concurrency: "unbounded" })
      assert.strictEqual(yield* field("hits").get, 50)
    }).pipe(Effect.scoped))
})
