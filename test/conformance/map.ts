import { SharedLock, SharedMap } from "@effect-multiprocessing/core"
import { assert } from "@effect/vitest"
import { Effect, Fiber, Option, Schema, Stream } from "effect"
import { programs, suite } from "./suite.ts"

const make = SharedMap.make({ key: Schema.String, value: Schema.Int })

const folded = <K, V>(changes: Iterable<SharedMap.MapChange<K, V>>): ReadonlyMap<K, V> => {
  let map = new Map<K, V>()
  for (const change of changes) {
    if (change._tag === "Snapshot") map = new Map(change.entries)
    else if (change._tag === "Set") { for (const [key, value] of change.entries) map.set(key, value) }
    else if (change._tag === "Removed") { for (const key of change.keys) map.delete(key) }
    else map.clear()
  }
  return map
}

/** `SharedMap`. */
export const mapSuite = suite("SharedMap", (it, runs) => {
  it.effect.prop(
    "behaves as a Map does, in order of insertion too",
    [programs("set", "get", "has", "remove", "getOrSet", "add", "drop", "clear", "size", "entries")],
    ([program]) =>
      Effect.gen(function*() {
        const map = yield* make
        const model = new Map<string, number>()
        for (const [what, n] of program) {
          const key = `key ${Math.abs(n) % 4}`
          const before = Option.fromUndefinedOr(model.get(key))
          if (what === "set") {
            yield* map.set(key, n)
            model.set(key, n)
          } else if (what === "get") assert.deepStrictEqual(yield* map.get(key), before)
          else if (what === "has") assert.strictEqual(yield* map.has(key), model.has(key))
          else if (what === "remove") {
            assert.deepStrictEqual(yield* map.remove(key), before)
            model.delete(key)
          } else if (what === "getOrSet") {
            if (!model.has(key)) model.set(key, n)
            assert.strictEqual(yield* map.getOrSet(key, n), model.get(key))
          } else if (what === "add") {
            assert.deepStrictEqual(
              yield* map.modify(key, (now) => [now, Option.some(Option.getOrElse(now, () => 0) + n)]),
              before
            )
            model.set(key, (model.get(key) ?? 0) + n)
          } else if (what === "drop") {
            assert.deepStrictEqual(yield* map.modify(key, (now) => [now, Option.none()]), before)
            model.delete(key)
          } else if (what === "clear") {
            yield* map.clear
            model.clear()
          } else if (what === "size") assert.strictEqual(yield* map.size, model.size)
          else assert.deepStrictEqual(yield* map.entries, [...model])
        }
        assert.deepStrictEqual(yield* map.entries, [...model])
      }).pipe(Effect.scoped),
    runs
  )

  it.effect.prop(
    "folding its changes gives its entries (S-29)",
    [programs("set", "remove", "modify", "clear")],
    ([program]) =>
      Effect.gen(function*() {
        const map = yield* make
        const reading = yield* Effect.forkChild(Stream.runCollect(
          Stream.takeUntil(map.changes, (change) => change._tag === "Set" && change.entries[0]![0] === "end")
        ))
        for (const [what, n] of program) {
          const key = `key ${Math.abs(n) % 4}`
          if (what === "set") yield* map.set(key, n)
          else if (what === "remove") yield* map.remove(key)
          else if (what === "modify") yield* map.modify(key, (now) => [0, n > 0 ? now : Option.none()])
          else yield* map.clear
        }
        // Whoever reads may begin late, and must see this one.
        yield* Effect.forkScoped(Effect.forever(Effect.andThen(map.set("end", 0), Effect.yieldNow)))
        const seen = folded(yield* Fiber.join(reading))
        assert.deepStrictEqual([...seen].sort(), [...yield* map.entries].sort())
      }).pipe(Effect.scoped),
    runs
  )

  it.effect("loses no modification of any number of fibers, of one entry or of several", () =>
    Effect.gen(function*() {
      const map = yield* make
      const add = (key: string) => map.modify(key, (n) => [0, Option.some(Option.getOrElse(n, () => 0) + 1)])
      const fibers = Array.from({ length: 60 }, (_, n) => add(n % 3 === 0 ? "some" : "many"))
      yield* Effect.all(fibers, { concurrency: "unbounded", discard: true })
      assert.deepStrictEqual([yield* map.get("some"), yield* map.get("many")], [Option.some(20), Option.some(40)])
    }).pipe(Effect.scoped))

  it.effect("sets once what many get or set", () =>
    Effect.gen(function*() {
      const map = yield* make
      const got = yield* Effect.forEach(Array.from({ length: 20 }, (_, n) => n), (n) => map.getOrSet("key", n), {
        concurrency: "unbounded"
      })
      assert.strictEqual(new Set(got).size, 1)
    }).pipe(Effect.scoped))

  it.effect("takes keys for equal when their encodings are, in whatever order their fields were written (S-25)", () =>
    Effect.gen(function*() {
      const map = yield* SharedMap.make({ key: Schema.Struct({ x: Schema.Int, y: Schema.Int }), value: Schema.String })
      yield* map.set({ x: 1, y: -0 }, "first")
      yield* map.set({ y: 0, x: 1 }, "second")
      assert.deepStrictEqual(yield* map.entries, [[{ x: 1, y: 0 }, "second"]])
    }).pipe(Effect.scoped))

  it.effect("`until` waits for entries", () =>
    Effect.gen(function*() {
      const map = yield* make
      const waiting = yield* Effect.forkChild(map.until((entries) => entries.size === 2))
      yield* map.set("a", 1)
      yield* map.set("b", 2)
      assert.deepStrictEqual([...yield* Fiber.join(waiting)], [["a", 1], ["b", 2]])
    }).pipe(Effect.scoped))

  it.effect("refuses a key that holds a handle: nothing would keep its object alive (S-23)", () =>
    Effect.gen(function*() {
      const map = yield* SharedMap.make({ key: SharedLock.schema, value: Schema.Int })
      const error = yield* Effect.flip(map.set(yield* SharedLock.make(), 1))
      assert.include(error.message, "a key cannot hold a handle")
      assert.strictEqual(yield* map.size, 0)
    }).pipe(Effect.scoped))
})
