import { SharedList, SharedLock } from "@effect-multiprocessing/core"
import { assert } from "@effect/vitest"
import { Array as Arr, Effect, Fiber, Option, Order, Schema, Stream } from "effect"
import { programs, suite } from "../suite.ts"

const make = SharedList.make({ item: Schema.Int })

const numbers = (length: number) => Array.from({ length }, (_, n) => n)

const folded = (changes: Iterable<SharedList.ListChange<number>>): ReadonlyArray<number> => {
  let items: Array<number> = []
  for (const change of changes) {
    if (change._tag === "Snapshot") items = [...change.items]
    else if (change._tag === "Spliced") items.splice(change.start, change.removed, ...change.items)
    else if (change._tag === "Reversed") items.reverse()
    else items.sort((a, b) => change.descending ? b - a : a - b)
  }
  return items
}

/** The position of an index that may count from the end, as in Python: 0 if it is before the first item. */
const bound = (list: ReadonlyArray<unknown>, index: number) => index < 0 ? Math.max(0, index + list.length) : index

/** `SharedList`. */
export const listSuite = suite("SharedList", (it, runs) => {
  it.effect.prop(
    "behaves as an array does, or as Python's list where an array would not fail",
    [
      programs(
        "append",
        "append",
        "appendAll",
        "insert",
        "set",
        "modifyAt",
        "pop",
        "removeAt",
        "remove",
        "replaceSlice",
        "removeSlice",
        "get",
        "slice",
        "search",
        "reverse",
        "sort",
        "sortDescending",
        "clear"
      )
    ],
    ([program]) =>
      Effect.gen(function*() {
        const list = yield* make
        let model: Array<number> = []
        const outOfRange = (n: number) => n >= model.length || n < -model.length
        for (const [what, n] of program) {
          const there = Option.fromUndefinedOr(model.at(n))
          if (what === "append") assert.strictEqual(yield* list.append(n), model.push(n))
          else if (what === "appendAll") {
            model.push(n, 0, n)
            assert.strictEqual(yield* list.appendAll([n, 0, n]), model.length)
          } else if (what === "insert") {
            yield* list.insert(n, n)
            model.splice(n, 0, n)
          } else if (what === "set" || what === "modifyAt" || what === "removeAt") {
            const change = {
              set: list.set(n, 7),
              modifyAt: list.modifyAt(n, (item) => [item, item + 1]),
              removeAt: list.removeAt(n)
            }[what]
            const done = yield* Effect.option(Effect.catchTag(change, "IndexOutOfRange", () => Effect.fail("none")))
            assert.strictEqual(Option.isNone(done), outOfRange(n))
            if (outOfRange(n)) continue
            if (what !== "set") assert.deepStrictEqual<unknown>(done, there)
            const position = bound(model, n)
            if (what === "removeAt") model.splice(position, 1)
            else model[position] = what === "set" ? 7 : model[position]! + 1
          } else if (what === "pop") assert.deepStrictEqual(yield* list.pop, Option.fromUndefinedOr(model.pop()))
          else if (what === "remove") {
            assert.strictEqual(yield* list.remove(n), model.includes(n))
            if (model.includes(n)) model.splice(model.indexOf(n), 1)
          } else if (what === "replaceSlice") {
            yield* list.replaceSlice(n, n + 2, [8, 9])
            const start = Math.min(bound(model, n), model.length)
            model.splice(start, Math.max(0, bound(model, n + 2) - start), 8, 9)
          } else if (what === "removeSlice") {
            yield* list.removeSlice(n)
            model.splice(bound(model, n))
          } else if (what === "get") assert.deepStrictEqual(yield* list.get(n), there)
          else if (what === "slice") {
            assert.deepStrictEqual(yield* list.slice(n, n + 3), model.slice(n, n + 3))
            assert.deepStrictEqual(yield* list.slice(n), model.slice(n))
          } else if (what === "search") {
            const position = model.indexOf(n)
            assert.deepStrictEqual(yield* list.indexOf(n), position < 0 ? Option.none() : Option.some(position))
            assert.strictEqual(yield* list.includes(n), model.includes(n))
            assert.strictEqual(yield* list.count(n), model.filter((item) => item === n).length)
            const later = model.slice(2, -1).indexOf(n)
            assert.deepStrictEqual(yield* list.indexOf(n, 2, -1), later < 0 ? Option.none() : Option.some(later + 2))
          } else if (what === "reverse") {
            yield* list.reverse
            model.reverse()
          } else if (what === "clear") {
            yield* list.clear
            model = []
          } else {
            yield* list[what]
            model.sort((a, b) => what === "sort" ? a - b : b - a)
          }
        }
        assert.deepStrictEqual(yield* list.toArray, model)
        assert.deepStrictEqual(yield* Stream.runCollect(list.stream), model)
        assert.strictEqual(yield* list.size, model.length)
      }).pipe(Effect.scoped),
    runs
  )

  it.effect.prop(
    "folding its changes gives its items (S-29)",
    [programs("append", "appendAll", "set", "removeAt", "modifyAt", "reverse", "sort", "sortDescending", "clear")],
    ([program]) =>
      Effect.gen(function*() {
        const list = yield* make
        const reading = yield* Effect.forkChild(Stream.runCollect(
          Stream.takeUntil(list.changes, (change) => "items" in change && change.items.includes(100))
        ))
        for (const [what, n] of program) {
          if (what === "append") yield* list.append(n)
          else if (what === "appendAll") yield* list.appendAll([n, 0, n])
          else if (what === "set") yield* Effect.ignore(list.set(n, 7))
          else if (what === "removeAt") yield* Effect.ignore(list.removeAt(n))
          else if (what === "modifyAt") yield* Effect.ignore(list.modifyAt(n, (item) => [0, item + 1]))
          else yield* list[what]
        }
        const items = [...yield* list.toArray, 100]
        yield* list.append(100)
        // A reader may begin late, and must see this change.
        yield* Effect.forkScoped(Effect.forever(Effect.andThen(list.set(-1, 100), Effect.yieldNow)))
        assert.deepStrictEqual(folded(yield* Fiber.join(reading)), items)
      }).pipe(Effect.scoped),
    runs
  )

  it.effect("keeps all items that 50 fibers append at once, each batch together (SEED-25 to SEED-28)", () =>
    Effect.gen(function*() {
      const list = yield* SharedList.make({ item: Schema.Tuple([Schema.Int, Schema.Number]) })
      yield* Effect.forEach(numbers(50), (n) => list.appendAll([[n, n / 7], [n, n / 9]]), { concurrency: "unbounded" })
      const items = yield* list.toArray
      assert.deepStrictEqual(items.map(([n]) => n).toSorted((a, b) => a - b), numbers(50).flatMap((n) => [n, n]))
      for (let i = 0; i < items.length; i += 2) {
        const [[n, first], [m, second]] = [items[i]!, items[i + 1]!]
        assert.deepStrictEqual([m, first, second], [n, n / 7, n / 9])
      }
    }).pipe(Effect.scoped))

  it.effect("loses no modification of any number of fibers, though items move (S-28)", () =>
    Effect.gen(function*() {
      const list = yield* SharedList.make({ item: Schema.Int, initial: [0, 0, 0] })
      const add = (index: number) => list.modifyAt(index, (n) => [n, n + 1])
      yield* Effect.all(numbers(60).map((n) => n % 10 === 9 ? Effect.as(list.reverse, 0) : add(n % 3)), {
        concurrency: "unbounded"
      })
      assert.strictEqual((yield* list.toArray).reduce((sum, n) => sum + n), 54)
    }).pipe(Effect.scoped))

  it.effect("streams the items of one instant, also more than fit into a frame, while they change", () =>
    Effect.gen(function*() {
      const list = yield* SharedList.make({ item: Schema.String })
      const text = "x".repeat(1_000_000)
      yield* Effect.forEach(numbers(20), (n) => list.append(`${n} ${text}`), { concurrency: 4 })
      const before = yield* Effect.forEach(numbers(20), (n) => Effect.map(list.get(n), Option.getOrThrow))
      const [error] = yield* Effect.all([Effect.flip(list.toArray)])
      assert.strictEqual(error.reason._tag, "LimitExceeded")
      let seen = 0
      yield* Stream.runForEach(list.stream, (item) =>
        Effect.suspend(() => {
          assert.strictEqual(item, before[seen++])
          return seen === 1 ? list.clear : Effect.void
        }))
      assert.strictEqual(seen, 20)
      assert.strictEqual(yield* list.size, 0)
    }).pipe(Effect.scoped))

  it.effect("sorts numbers by size, bigints by size, strings by code unit, as Effect's orders do (S-25)", () =>
    Effect.gen(function*() {
      const sorted = <A>(list: SharedList.OrderedList<A>, items: ReadonlyArray<A>, order: Order.Order<A>) =>
        Effect.gen(function*() {
          yield* list.appendAll(items)
          yield* list.sort
          assert.deepStrictEqual(yield* list.toArray, Arr.sort(items, order))
          yield* list.sortDescending
          assert.deepStrictEqual(yield* list.toArray, Arr.sort(items, Order.flip(order)))
        })
      const values = [3, -1, NaN, 1e21, Infinity, 0.5, -Infinity, 10, 9, NaN, 5e-324]
      yield* sorted(yield* SharedList.make({ item: Schema.Number }), values, Order.Number)
      yield* sorted(
        yield* SharedList.make({ item: Schema.BigInt }),
        [10n ** 30n, -5n, 9n, 10n, -(10n ** 30n)],
        Order.BigInt
      )
      const texts = [
        "b",
        "a",
        "",
        "B",
        "10",
        "9",
        "é",
        "\uffff",
        "🙂",
        "\n",
        "\u0001",
        "\\",
        "\"",
        "\ud800",
        "aa",
        "a\tb"
      ]
      yield* sorted(yield* SharedList.make({ item: Schema.String }), texts, Order.String)
    }).pipe(Effect.scoped))

  it.effect("does not sort items whose order the manager cannot know: neither by its type nor at run time", () =>
    Effect.gen(function*() {
      const dates = yield* SharedList.make({ item: Schema.Date })
      const texts = yield* SharedList.make({ item: Schema.NumberFromString })
      // @ts-expect-error -- a date is an object, and text on the wire
      const first = yield* Effect.flip(dates.sort as Effect.Effect<void, Error>)
      // @ts-expect-error -- a number, but text on the wire
      const second = yield* Effect.flip(texts.sort as Effect.Effect<void, Error>)
      for (const { message } of [first, second]) assert.include(message, "not exactly a number, bigint or string")
    }).pipe(Effect.scoped))

  it.effect("compares items by their encodings, whatever the order of their fields (S-25)", () =>
    Effect.gen(function*() {
      const item = Schema.Struct({ x: Schema.Int, y: Schema.Int })
      const list = yield* SharedList.make({ item, initial: [{ x: 1, y: -0 }] })
      yield* list.append({ y: 0, x: 1 })
      assert.strictEqual(yield* list.count({ y: 0, x: 1 }), 2)
      assert.isTrue(yield* list.remove({ x: 1, y: 0 }))
      assert.deepStrictEqual(yield* list.toArray, [{ x: 1, y: 0 }])
    }).pipe(Effect.scoped))

  it.effect("keeps the objects alive whose handles it holds (S-23)", () =>
    Effect.gen(function*() {
      const list = yield* SharedList.make({ item: SharedLock.schema })
      yield* Effect.scoped(Effect.flatMap(SharedLock.make(), list.append))
      const lock = Option.getOrThrow(yield* list.get(0))
      assert.strictEqual(yield* lock.withLock(Effect.succeed(1)), 1)
      assert.isTrue(yield* list.includes(lock))
    }).pipe(Effect.scoped))

  it.effect("`until` waits for items, whatever operation changes them", () =>
    Effect.gen(function*() {
      const list = yield* make
      const waiting = yield* Effect.forkChild(list.until((items) => items.join() === "3,2,1"))
      yield* list.appendAll([2, 1])
      yield* list.sort
      yield* list.append(3)
      yield* list.reverse
      assert.deepStrictEqual(yield* Fiber.join(waiting), [3, 2, 1])
    }).pipe(Effect.scoped))

  it.effect("refuses indexes out of range, and changes nothing", () =>
    Effect.gen(function*() {
      const list = yield* SharedList.make({ item: Schema.Int, initial: [1] })
      const error = yield* Effect.flip(list.set(1, 5))
      assert.strictEqual(error._tag, "IndexOutOfRange")
      assert.match(error.message, /^List #\d+ has nothing at 1: its size is 1\. Nothing was changed$/)
      assert.strictEqual((yield* Effect.flip(list.modifyAt(-2, (n) => [n, n])))._tag, "IndexOutOfRange")
      assert.include((yield* Effect.flip(list.get(0.5))).message, "a whole number")
      assert.deepStrictEqual(yield* list.toArray, [1])
    }).pipe(Effect.scoped))

  it.effect("adds nothing of a batch of which one item does not encode", () =>
    Effect.gen(function*() {
      const list = yield* make
      assert.strictEqual((yield* Effect.flip(list.appendAll([1, 0.5]))).reason._tag, "ValueNotEncoded")
      assert.strictEqual(yield* list.size, 0)
    }).pipe(Effect.scoped))
})
