import { SharedLock, SharedMap } from "@effect-multiprocessing/core"
import { assert } from "@effect/vitest"
import { Effect, Fiber, Option, Schema, Stream } from "effect"
import { programs, suite } from "../suite.ts"

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
    [programs(
      "set",
      "setAll",
      "get",
      "has",
      "remove",
      "removeAll",
      "removeLast",
      "getOrSet",
      "modify",
      "drop",
      "add",
      "clear",
      "size",
      "entries",
      "keys",
      "values",
      "stream"
    )],
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
          } else if (what === "setAll") {
            const entries = [["key 1", n], [key, n + 1], ["key 3", n]] as const
            yield* map.setAll(n % 5 === 0 ? [] : entries)
            if (n % 5 !== 0) { for (const [key, value] of entries) model.set(key, value) }
          } else if (what === "get") assert.deepStrictEqual(yield* map.get(key), before)
          else if (what === "has") assert.strictEqual(yield* map.has(key), model.has(key))
          else if (what === "remove") {
            assert.deepStrictEqual(yield* map.remove(key), before)
            model.delete(key)
          } else if (what === "removeAll") {
            const keys = [key, "key 2", key]
            const gone = keys.filter((key) => model.delete(key))
            assert.strictEqual(yield* map.removeAll(keys), gone.length)
          } else if (what === "removeLast") {
            const last = [...model].at(-1)
            assert.deepStrictEqual(yield* map.removeLast, Option.fromUndefinedOr(last))
            if (last !== undefined) model.delete(last[0])
          } else if (what === "getOrSet") {
            if (!model.has(key)) model.set(key, n)
            assert.strictEqual(yield* map.getOrSet(key, n), model.get(key))
          } else if (what === "modify") {
            assert.deepStrictEqual(
              yield* map.modify(key, (now) => [now, Option.some(Option.getOrElse(now, () => 0) + n)]),
              before
            )
            model.set(key, (model.get(key) ?? 0) + n)
          } else if (what === "drop") {
            assert.deepStrictEqual(yield* map.modify(key, (now) => [now, Option.none()]), before)
            model.delete(key)
          } else if (what === "add") {
            model.set(key, (model.get(key) ?? 0) + n)
            assert.strictEqual(yield* map.add(key, n), model.get(key))
          } else if (what === "clear") {
            yield* map.clear
            model.clear()
          } else if (what === "size") assert.strictEqual(yield* map.size, model.size)
          else if (what === "keys") assert.deepStrictEqual(yield* map.keys, [...model.keys()])
          else if (what === "values") assert.deepStrictEqual(yield* map.values, [...model.values()])
          else if (what === "stream") assert.deepStrictEqual(yield* Stream.runCollect(map.stream), [...model])
          else assert.deepStrictEqual(yield* map.entries, [...model])
        }
        assert.deepStrictEqual(yield* map.entries, [...model])
      }).pipe(Effect.scoped),
    runs
  )

  it.effect.prop(
    "folding its changes gives its entries (S-29)",
    [programs("set", "setAll", "remove", "removeAll", "removeLast", "modify", "clear")],
    ([program]) =>
      Effect.gen(function*() {
        const map = yield* make
        const reading = yield* Effect.forkChild(Stream.runCollect(
          Stream.takeUntil(map.changes, (change) => change._tag === "Set" && change.entries[0]![0] === "end")
        ))
        for (const [what, n] of program) {
          const key = `key ${Math.abs(n) % 4}`
          if (what === "set") yield* map.set(key, n)
          else if (what === "setAll") yield* map.setAll([[key, n], ["key 0", 0]])
          else if (what === "remove") yield* map.remove(key)
          else if (what === "removeAll") yield* map.removeAll([key, "key 1"])
          else if (what === "removeLast") yield* map.removeLast
          else if (what === "modify") yield* map.modify(key, (now) => [0, n > 0 ? now : Option.none()])
          else yield* map.clear
        }
        // A reader may begin late, and must see this change.
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

  it.effect("counts every addition of many fibers (S-25)", () =>
    Effect.gen(function*() {
      const map = yield* make
      const adds = Array.from({ length: 60 }, (_, n) => n % 2 === 0 ? map.increment("hits") : map.add("hits", 2))
      const sums = yield* Effect.all(adds, { concurrency: "unbounded" })
      assert.deepStrictEqual([new Set(sums).size, yield* map.get("hits")], [60, Option.some(90)])
    }).pipe(Effect.scoped))

  it.effect("never shows a part of entries that are set, removed or cleared together", () =>
    Effect.gen(function*() {
      const map = yield* make
      const sizes: Array<number> = []
      const watched = yield* Effect.forkChild(Stream.runForEach(
        Stream.takeUntil(map.changes, (change) => change._tag === "Set" && change.entries.length === 1),
        (change) =>
          Effect.sync(() => {
            if (change._tag === "Set" || change._tag === "Snapshot") sizes.push(change.entries.length)
            else if (change._tag === "Removed") sizes.push(change.keys.length)
          })
      ))
      const seen = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 50 }), () => Effect.map(map.entries, (entries) => entries.length))
      )
      for (let n = 0; n < 50; n++) {
        yield* map.setAll([["a", n], ["b", n], ["c", n]])
        if (n % 2 === 0) yield* map.removeAll(["a", "b", "c"])
        else yield* map.clear
      }
      yield* map.set("end", 0)
      yield* Fiber.join(watched)
      for (const size of [...sizes.slice(0, -1), ...yield* Fiber.join(seen)]) assert.include([0, 1, 3], size)
      assert.notInclude(sizes.slice(0, -1), 1)
    }).pipe(Effect.scoped))

  it.effect("streams all entries of one instant while they change", () =>
    Effect.gen(function*() {
      const map = yield* make
      const entries = Array.from({ length: 5_000 }, (_, n): readonly [string, number] => [`key ${n}`, n])
      yield* map.setAll(entries)
      const read = yield* Stream.runCollect(Stream.tap(map.stream, ([, n]) => n === 0 ? map.clear : Effect.void))
      assert.deepStrictEqual(read, entries)
      assert.strictEqual(yield* map.size, 0)
    }).pipe(Effect.scoped))

  it.effect("waits in the manager for an entry that exists for one change only (S-29)", () =>
    Effect.gen(function*() {
      const map = yield* make
      const waiting = yield* Effect.forkChild(
        Effect.all([
          map.untilHas("a"),
          map.untilEquals("a", 2),
          map.untilAtLeast("a", 3),
          map.untilAtMost("b", -1),
          map.untilSizeAtLeast(3),
          Effect.andThen(map.untilHas("z"), map.untilRemoved("z")),
          Effect.andThen(map.untilHas("z"), map.untilSizeAtMost(0))
        ], { concurrency: "unbounded" }),
        { startImmediately: true }
      )
      yield* map.set("a", 1)
      for (const n of [2, 3, 0]) yield* map.set("a", n)
      yield* map.set("b", -1)
      yield* map.set("b", 1)
      yield* map.set("c", 0)
      yield* map.clear
      yield* map.set("z", 0)
      // Fibers that have seen the entry then wait for its removal.
      yield* Effect.repeat(Effect.andThen(map.remove("z"), map.set("z", 0)), {
        until: () => waiting.pollUnsafe() !== undefined
      })
      assert.deepStrictEqual(yield* Fiber.join(waiting), [1, undefined, 3, -1, 3, undefined, 0])
    }).pipe(Effect.scoped))

  it.effect("sets an entry once when many fibers get or set it", () =>
    Effect.gen(function*() {
      const map = yield* make
      const got = yield* Effect.forEach(Array.from({ length: 20 }, (_, n) => n), (n) => map.getOrSet("key", n), {
        concurrency: "unbounded"
      })
      assert.strictEqual(new Set(got).size, 1)
    }).pipe(Effect.scoped))

  it.effect("compares keys by their encodings, whatever the order of their fields (S-25)", () =>
    Effect.gen(function*() {
      const map = yield* SharedMap.make({ key: Schema.Struct({ x: Schema.Int, y: Schema.Int }), value: Schema.String })
      yield* map.set({ x: 1, y: -0 }, "first")
      yield* map.set({ y: 0, x: 1 }, "second")
      assert.deepStrictEqual(yield* map.entries, [[{ x: 1, y: 0 }, "second"]])
    }).pipe(Effect.scoped))

  it.effect("keeps an entry while its scope lasts, for every reader and watcher", () =>
    Effect.gen(function*() {
      const map = yield* make
      yield* Effect.scoped(Effect.gen(function*() {
        yield* map.hold("a", 1)
        yield* map.set("a", 2)
        yield* map.hold("b", 3)
        yield* map.remove("b")
        yield* map.set("b", 4)
        assert.deepStrictEqual(yield* map.entries, [["a", 2], ["b", 4]])
        yield* Effect.scoped(Effect.andThen(map.hold("c", 5), map.hold("c", 6)))
        yield* map.untilRemoved("c")
      }))
      yield* map.untilRemoved("a")
      assert.deepStrictEqual(yield* map.entries, [["b", 4]])
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
