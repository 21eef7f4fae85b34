/** Objects without their schemas: what a tool reads, writes and watches is what the programs of the objects see. */
import { checksOf } from "#core/proxy/conforms.ts"
import { fingerprint } from "#core/proxy/fingerprint.ts"
import { make as codecOf } from "#core/proxy/ValueCodec.ts"
import {
  Manager,
  SharedList,
  SharedLock,
  SharedMap,
  SharedNamespace,
  SharedObject,
  SharedOpenNamespace,
  SharedQueue,
  SharedRef,
  Untyped
} from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Option, Schema, Stream } from "effect"
import { Stack } from "../../support/ownKinds.ts"

const layer = Manager.layerMemoryWith({ kinds: [Stack] })

/** The message of a failed effect. */
const issueOf = <A, E extends Error, R>(effect: Effect.Effect<A, E, R>) => Effect.map(Effect.flip(effect), String)

/** The changes of an object while something else goes on, which ends with a change that has this text. */
const changesUntil = <E>(
  changes: Stream.Stream<Schema.Json, E>,
  last: string,
  work: Effect.Effect<unknown, unknown>
) =>
  Stream.runCollect(changes.pipe(
    // Watched from here on: the first element is there.
    Stream.zipWithIndex,
    Stream.tap(([, i]) => i === 0 ? work : Effect.void),
    Stream.map(([change]) => change),
    Stream.takeUntil((change) => JSON.stringify(change) === last)
  ))

it.layer(layer)("an object of unknown schema", (it) => {
  it.effect("is found by its name, with its type and schema", () =>
    Effect.gen(function*() {
      yield* SharedRef.make({ name: "found", schema: Schema.Int, initial: 1 })
      const found = yield* Untyped.find("found")
      assert.deepStrictEqual(found, {
        id: found.id,
        kind: "Ref",
        name: "found",
        references: 1,
        watchers: 0,
        waiting: 0,
        held: 0,
        schema: "Number & isInt"
      })
      for (const name of ["found ", "", "__proto__"]) {
        const error = yield* Effect.flip(Untyped.open(name))
        assert.strictEqual(error._tag, "NoSuchObject")
      }
    }))

  it.effect("is not kept alive, nor made", () =>
    Effect.gen(function*() {
      const opened = yield* Effect.scoped(
        Effect.andThen(SharedLock.make({ name: "passing" }), Untyped.open("passing"))
      )
      assert.strictEqual((yield* Effect.flip(Untyped.open("passing")))._tag, "NoSuchObject")
      assert.match(
        yield* issueOf(Effect.andThen(Manager.Manager, ({ remove }) => remove(opened))),
        /ObjectNotFound|no longer exists/
      )
    }))

  it.effect("of the type ref is read, written and watched", () =>
    Effect.gen(function*() {
      const typed = yield* SharedRef.make({
        name: "ref",
        schema: Schema.Struct({ b: Schema.Number, a: Schema.optionalKey(Schema.String) }),
        initial: { b: 1 }
      })
      const { changes, entry, get, set } = yield* Untyped.open("ref")
      assert.deepStrictEqual(yield* get, { b: 1 })
      yield* set({ b: 2, a: "x" })
      // Equal values are equal text, whoever wrote them.
      yield* typed.untilEquals({ a: "x", b: 2 })
      const seen = yield* changesUntil(changes, `{"b":3}`, set({ b: 3 }))
      assert.deepStrictEqual(seen, [{ a: "x", b: 2 }, { b: 3 }])
      assert.match(yield* issueOf(set({ b: "2" })), /does not conform to its schema: \{ a\?: String, b: Number \}/)
      assert.match(yield* issueOf(set(1, "b")), /no keys/)
      assert.match(yield* issueOf(entry("b")), /no keys/)
      assert.deepStrictEqual(yield* typed.get, { b: 3 })
    }))

  it.effect("of the type map is read and written by key", () =>
    Effect.gen(function*() {
      const typed = yield* SharedMap.make({ name: "map", key: Schema.String, value: Schema.Number })
      const { changes, entry, get, set } = yield* Untyped.open("map")
      yield* set(1, "a")
      yield* set(2, "7")
      assert.deepStrictEqual(yield* typed.entries, [["a", 1], ["7", 2]])
      assert.deepStrictEqual(yield* get, { a: 1, 7: 2 })
      assert.deepStrictEqual([yield* entry("7"), yield* entry("b")], [Option.some(2), Option.none()])
      const seen = yield* changesUntil(
        changes,
        `{"all":{}}`,
        set(3, "b").pipe(Effect.andThen(typed.remove("a")), Effect.andThen(typed.clear))
      )
      assert.deepStrictEqual(seen.slice(1), [{ set: { b: 3 } }, { removed: ["a"] }, { all: {} }])
      assert.match(yield* issueOf(set("x", "a")), /does not conform/)
      assert.match(yield* issueOf(set(1)), /name one of its keys/)
    }))

  it.effect("of the type map has keys that are JSON, unless they are strings", () =>
    Effect.gen(function*() {
      const key = Schema.Struct({ x: Schema.Int, y: Schema.Int })
      const typed = yield* SharedMap.make({ name: "points", key, value: Schema.String })
      const { entry, get, set } = yield* Untyped.open("points")
      yield* set("here", `{"y":2,"x":1}`)
      assert.deepStrictEqual(yield* typed.get({ x: 1, y: 2 }), Option.some("here"))
      assert.deepStrictEqual(yield* entry(`{ "x": 1, "y": 2 }`), Option.some("here"))
      assert.deepStrictEqual(yield* get, [[{ x: 1, y: 2 }, "here"]])
      assert.match(yield* issueOf(set("there", "1")), /does not conform/)
    }))

  it.effect("of the types of namespaces is read and written by name", () =>
    Effect.gen(function*() {
      yield* SharedNamespace.make({
        name: "board",
        fields: { main: Schema.Int, title: Schema.String },
        initial: { main: 1, title: "t" }
      })
      const board = yield* Untyped.open("board")
      yield* board.set(2, "main")
      assert.deepStrictEqual(yield* board.get, { main: 2, title: "t" })
      assert.deepStrictEqual(yield* board.entry("title"), Option.some("t"))
      assert.match(yield* issueOf(board.set(2, "title")), /does not conform/)
      assert.match(yield* issueOf(board.set(2, "other")), /no field other/)
      const open = yield* SharedOpenNamespace.make({ name: "open", value: Schema.Number })
      const untyped = yield* Untyped.open("open")
      yield* untyped.set(5, "five")
      assert.deepStrictEqual(yield* untyped.get, { five: 5 })
      assert.deepStrictEqual(yield* open.get, { five: 5 })
    }))

  it.effect("of the type list is read and written by index", () =>
    Effect.gen(function*() {
      const typed = yield* SharedList.make({ name: "list", item: Schema.Number })
      yield* typed.appendAll([1, 2, 3])
      const { changes, entry, get, set } = yield* Untyped.open("list")
      yield* set(9, "-1")
      assert.deepStrictEqual(yield* get, [1, 2, 9])
      assert.deepStrictEqual([yield* entry("0"), yield* entry("3")], [Option.some(1), Option.none()])
      const seen = yield* changesUntil(
        changes,
        `{"sort":0}`,
        set(5, "1").pipe(
          Effect.andThen(typed.append(6)),
          Effect.andThen(typed.reverse),
          Effect.andThen(typed.sort)
        )
      )
      assert.deepStrictEqual(seen, [
        { all: [1, 2, 9] },
        { splice: [1, 1, 5] },
        { splice: [3, 0, 6] },
        { reverse: true },
        { sort: 0 }
      ])
      assert.match(yield* issueOf(set(5, "7")), /out of range.* 4/)
      assert.match(yield* issueOf(set(5)), /name the index/)
      assert.match(yield* issueOf(entry("x")), /name the index/)
    }))

  it.effect("of an own kind shows its state, and is changed by its operations only", () =>
    Effect.gen(function*() {
      const stack = yield* SharedObject.make(Stack, { name: "stack", options: { first: [1] } })
      yield* stack.push(2)
      const { get, set } = yield* Untyped.open("stack")
      assert.deepStrictEqual(yield* get, [1, 2])
      assert.match(yield* issueOf(set([])), /by its operations only/)
    }))

  it.effect("whose values a tool cannot reach says so", () =>
    Effect.gen(function*() {
      yield* SharedLock.make({ name: "lock" })
      yield* SharedRef.make({ name: "bytes", schema: Schema.Uint8Array, initial: Uint8Array.of(1) })
      yield* SharedRef.make({ name: "date", schema: Schema.Date, initial: new Date(0) })
      const lock = yield* Untyped.open("lock")
      for (const effect of [lock.get, lock.entry("x"), lock.set(1), Stream.runDrain(lock.changes)]) {
        assert.match(yield* issueOf<unknown, Error, never>(effect), /cannot reach the values of this type/)
      }
      const bytes = yield* Untyped.open("bytes")
      assert.match(yield* issueOf(bytes.get), /it is bytes, not text/)
      assert.match(yield* issueOf(bytes.set("x")), /only a program that has the schema.*Uint8Array/)
      const date = yield* Untyped.open("date")
      assert.deepStrictEqual(yield* date.get, "1970-01-01T00:00:00.000Z")
      assert.match(yield* issueOf(date.set("1970-01-01T00:00:00.000Z")), /only a program that has the schema.*Date/)
    }))

  it.effect("of the type queue is polled, and its dead letters are retried and dropped", () =>
    Effect.gen(function*() {
      const typed = yield* SharedQueue.make({ name: "queue", item: Schema.Number, attempts: 1 })
      yield* typed.offerAll([1, 2, 3])
      for (let i = 0; i < 2; i++) yield* Effect.exit(typed.process(() => Effect.fail(`bad ${i}`)))
      const { drop, letters, poll, retry } = yield* Untyped.openQueue("queue")
      const [first, second] = yield* Stream.runCollect(letters)
      assert.deepStrictEqual([first?.item, second?.item, first?.attempts], [1, 2, 1])
      assert.deepStrictEqual([yield* retry(first!.id), yield* retry(first!.id)], [true, false])
      assert.deepStrictEqual([yield* drop(second!.id), yield* drop(second!.id)], [true, false])
      assert.deepStrictEqual([yield* poll, yield* poll, yield* poll], [Option.some(3), Option.some(1), Option.none()])
      yield* SharedLock.make({ name: "no queue" })
      assert.match(yield* issueOf(Untyped.openQueue("no queue")), /it is not a queue/)
    }))

  it.effect("of the type queue loses no item that cannot be shown", () =>
    Effect.gen(function*() {
      const typed = yield* SharedQueue.make({ name: "bytes queue", item: Schema.Uint8Array })
      yield* typed.offer(Uint8Array.of(1))
      assert.match(yield* issueOf(Untyped.openQueue("bytes queue")), /its items are bytes/)
      assert.strictEqual(yield* typed.size, 1)
    }))
})

describe("a fingerprint", () => {
  const schemas: ReadonlyArray<
    readonly [Schema.Top, fits: ReadonlyArray<Schema.Json>, not: ReadonlyArray<Schema.Json>]
  > = [
    [Schema.String, ["", "x"], [1, null]],
    [Schema.Int, [1, -7], [1.5, "1"]],
    [Schema.Finite, [1.5], ["1"]],
    [Schema.Boolean, [true], [0]],
    [Schema.NullOr(Schema.String), [null, "x"], [1]],
    [Schema.Literals(["a", "b) | ("]), ["a", "b) | ("], ["c"]],
    [Schema.Literals([1, -2.5]), [1, -2.5], [2.5]],
    [Schema.Array(Schema.Int), [[], [1]], [{}, [1.5], 1]],
    [Schema.Tuple([Schema.Int, Schema.String]), [[1, "x"]], [[1], [1, "x", 2], ["x", 1]]],
    [
      Schema.Struct({ "a b": Schema.Int, c: Schema.optionalKey(Schema.Boolean) }),
      [{ "a b": 1 }, { "a b": 1, c: true }],
      [
        {},
        { "a b": 1, c: 1 },
        null,
        [],
        1
      ]
    ],
    [Schema.Record(Schema.String, Schema.Int), [{}, { a: 1 }], [{ a: "x" }, []]],
    [Schema.Struct({ toString: Schema.Int }), [{ toString: 1 }], [{}]],
    [Schema.TaggedStruct("A", { x: Schema.Array(Schema.NullOr(Schema.Int)) }), [{ _tag: "A", x: [null] }], [{
      _tag: "B",
      x: []
    }]]
  ]

  for (const [schema, fits, not] of schemas) {
    const text = fingerprint([schema])
    it.effect(`of ${text} tells the values that its programs can decode`, () =>
      Effect.gen(function*() {
        const { decode } = yield* codecOf(schema as Schema.Codec<unknown>)
        const [check] = checksOf(text)!
        for (const [values, expected] of [[fits, true], [not, false]] as const) {
          for (const value of values) {
            assert.strictEqual(check!(value), expected, JSON.stringify(value))
            assert.strictEqual(Exit.isSuccess(decode({ text: JSON.stringify(value), handles: [] })), expected)
          }
        }
      }))
  }

  it("of values that it only names does not tell", () => {
    const named = [Schema.Date, Schema.Uint8Array, Schema.BigInt, Schema.NonEmptyString, Schema.Option(Schema.Int)]
    for (const schema of [...named, ...named.map((schema) => Schema.Array(schema)), Schema.Unknown, Schema.Any]) {
      assert.isUndefined(checksOf(fingerprint([schema])), fingerprint([schema]))
    }
    const wide = Schema.Struct(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`field${i}`, Schema.Number])))
    assert.isUndefined(checksOf(fingerprint([wide])))
    for (const text of ["", "(", "[", "{ a: Number", "Number &", "Array<Number", "Array<", "Number → ", "\"a"]) {
      assert.isUndefined(checksOf(text), text)
    }
  })
})
