/** Transactions in memory: reads, writes, conflicts, waiting, and what does not work. */
import { Manager, SharedMap, SharedRef, Transaction } from "@effect-multiprocessing/core"
import { Effect, Fiber, Option, Schema, type Scope } from "effect"
import { assert, describe, it } from "vitest"
import { untilWaiting } from "../../support/untilWaiting.ts"

const Int = { schema: Schema.Int, initial: 0 }

const run = <A, E>(effect: Effect.Effect<A, E, Manager.Manager | Scope.Scope>) =>
  Effect.runPromise(effect.pipe(Effect.scoped, Effect.provide(Manager.layerMemory)))

describe("a transaction", () => {
  it("writes all in one step, and its own reads see what it has written", () =>
    run(Effect.gen(function*() {
      const [a, b] = [yield* SharedRef.make(Int), yield* SharedRef.make(Int)]
      const seen = yield* Transaction.tx(Effect.gen(function*() {
        yield* a.tx.set(5)
        yield* b.tx.update((n) => n + 2)
        assert.deepStrictEqual(yield* Manager.atomic([a.get, b.get]), [0, 0])
        return [yield* a.tx.get, yield* b.tx.get]
      }))
      assert.deepStrictEqual(seen, [5, 2])
      assert.deepStrictEqual(yield* Manager.atomic([a.get, b.get]), [5, 2])
    })))

  it("that fails writes nothing", () =>
    run(Effect.gen(function*() {
      const a = yield* SharedRef.make(Int)
      const error = yield* Effect.flip(Transaction.tx(Effect.andThen(a.tx.set(5), Effect.fail("no"))))
      assert.deepStrictEqual([error, yield* a.get], ["no", 0])
    })))

  it("runs again when something that it has read was changed", () =>
    run(Effect.gen(function*() {
      const a = yield* SharedRef.make(Int)
      let runs = 0
      yield* Transaction.tx(Effect.gen(function*() {
        runs++
        const n = yield* a.tx.get
        if (runs === 1) yield* a.set(10)
        yield* a.tx.set(n + 1)
      }))
      assert.deepStrictEqual([runs, yield* a.get], [2, 11])
    })))

  it("never sees two reads that were not true together", () =>
    run(Effect.gen(function*() {
      const [a, b] = [yield* SharedRef.make(Int), yield* SharedRef.make(Int)]
      const seen: Array<readonly [number, number]> = []
      yield* Transaction.tx(Effect.gen(function*() {
        const first = yield* a.tx.get
        if (first === 0) yield* Manager.atomic([a.set(1), b.set(1)])
        seen.push([first, yield* b.tx.get])
      }))
      assert.deepStrictEqual(seen, [[1, 1]])
    })))

  it("that retries waits until something has changed that it has read", () =>
    run(Effect.gen(function*() {
      const [a, b] = [yield* SharedRef.make(Int), yield* SharedRef.make(Int)]
      const taken = yield* Effect.forkChild(Transaction.tx(Effect.gen(function*() {
        const n = yield* a.tx.get
        if (n === 0) return yield* Transaction.txRetry
        yield* b.tx.set(n)
      })))
      yield* untilWaiting(a, 1)
      yield* a.set(3)
      yield* Fiber.join(taken)
      assert.strictEqual(yield* b.get, 3)
    })))

  it("goes the other way if the first one retries, without what that was to write", () =>
    run(Effect.gen(function*() {
      const [a, b] = [yield* SharedRef.make(Int), yield* SharedRef.make(Int)]
      const first = Effect.andThen(a.tx.set(1), Effect.flatMap(b.tx.get, () => Transaction.txRetry))
      assert.strictEqual(yield* Transaction.tx(Transaction.orElse(first, a.tx.get)), 0)
      assert.strictEqual(yield* a.get, 0)
    })))

  it("reads and writes entries of a map", () =>
    run(Effect.gen(function*() {
      const map = yield* SharedMap.make({ key: Schema.String, value: Schema.Int })
      yield* map.setAll([["a", 1], ["b", 2]])
      const keys = yield* Transaction.tx(Effect.gen(function*() {
        yield* map.tx.remove("a")
        yield* map.tx.update("c", () => Option.some(3))
        assert.strictEqual(yield* map.tx.has("a"), false)
        return yield* map.tx.keys
      }))
      assert.deepStrictEqual(keys, ["b", "c"])
      assert.deepStrictEqual(yield* map.entries, [["b", 2], ["c", 3]])
    })))

  it("reads a map as a whole: as it was, with what the transaction has written", () =>
    run(Effect.gen(function*() {
      const map = yield* SharedMap.make({ key: Schema.String, value: Schema.Int })
      yield* map.setAll([["a", 1], ["b", 2], ["c", 3]])
      let runs = 0
      const { entries, found, values } = yield* Transaction.tx(Effect.gen(function*() {
        const { entries, getAll, remove, set, values } = map.tx
        yield* remove("a")
        yield* set("c", 4)
        yield* set("d", 5)
        const seen = { values: yield* values, entries: yield* entries, found: yield* getAll(["a", "b", "e"]) }
        // Whatever changes in the map, a body that has read all of it runs again.
        if (runs++ < 3) yield* [map.set("b", 6), map.set("z", 7), map.remove("z")][runs - 1]!
        return seen
      }))
      assert.deepStrictEqual([runs, values, entries], [4, [6, 4, 5], [["b", 6], ["c", 4], ["d", 5]]])
      assert.deepStrictEqual(found, [Option.none(), Option.some(6), Option.none()])
      assert.deepStrictEqual(yield* map.entries, entries)
    })))

  it("moves an entry to the end that it removes and sets again, as outside of one", () =>
    run(Effect.gen(function*() {
      const map = yield* SharedMap.make({ key: Schema.String, value: Schema.Int })
      yield* map.setAll([["a", 1], ["b", 2]])
      const moved = [["b", 2], ["c", 4], ["a", 3]]
      const seen = yield* Transaction.tx(Effect.gen(function*() {
        for (const key of ["a", "c"]) yield* map.tx.remove(key)
        yield* map.tx.set("c", 4)
        yield* map.tx.set("a", 3)
        return yield* map.tx.entries
      }))
      assert.deepStrictEqual([seen, yield* map.entries], [moved, moved])
    })))

  it("of 64 fibers that want the same needs at most 3 runs", () =>
    run(Effect.gen(function*() {
      const a = yield* SharedRef.make(Int)
      let runs = 0
      yield* Effect.forEach(
        Array.from({ length: 64 }),
        () =>
          Effect.forEach(Array.from({ length: 20 }), () =>
            Transaction.tx(Effect.suspend(() => {
              runs++
              return a.tx.update((n) => n + 1)
            }))),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(yield* a.get, 64 * 20)
      assert.isAtMost(runs, 3 * 64 * 20)
    })))
})
