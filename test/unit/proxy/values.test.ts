/** Every value of every schema comes back as it was, or is refused with a typed error; the connection lives on (S-25). */
import * as Codecs from "#core/pool/Codecs.ts"
import * as ValueCodec from "#core/proxy/ValueCodec.ts"
import { Manager, SharedList, SharedMap, SharedQueue, SharedRef, Task } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Cause, Effect, Exit, Option, Schema, SchemaGetter, type Scope } from "effect"
import { sample } from "../../support/budget.ts"

/** Schemas of Effect's module that need no parameter, and one or more of every form that takes schemas. */
const schemas: Readonly<Record<string, Schema.Codec<unknown, unknown>>> = {
  // Effect's schemas of plain values need no services.
  ...Object.fromEntries(sample(Object.entries(Schema).filter(([, value]) => Schema.isSchema(value)))) as {},
  struct: Schema.Struct({ a: Schema.optional(Schema.Int), b: Schema.optionalKey(Schema.NullOr(Schema.String)) }),
  tuple: Schema.Tuple([Schema.Date, Schema.UndefinedOr(Schema.BigInt)]),
  array: Schema.Array(Schema.Number),
  record: Schema.Record(Schema.String, Schema.Number),
  union: Schema.Union([Schema.Symbol, Schema.Number, Schema.Literal(1n)]),
  option: Schema.Option(Schema.Any),
  hashMap: Schema.HashMap(Schema.Number, Schema.Number),
  map: Schema.ReadonlyMap(Schema.String, Schema.Number),
  set: Schema.ReadonlySet(Schema.Number),
  exit: Schema.Exit(Schema.Any, Schema.Number, Schema.Defect()),
  cause: Schema.Cause(Schema.Number, Schema.Defect()),
  result: Schema.Result(Schema.Number, Schema.Undefined)
}

const nested = (depth: number) => {
  let value: unknown = 1
  for (let i = 0; i < depth; i++) value = [value]
  return value
}
const loop: Array<unknown> = []
loop.push(loop)

/** Values that JSON drops or changes. */
const notJson: ReadonlyArray<unknown> = [
  undefined,
  () => 1,
  Symbol("symbol"),
  1n,
  Number.NaN,
  Infinity,
  new Map([[1, 2]]),
  new Set([1]),
  new Date(0),
  new Date(Number.NaN),
  new Error("an error"),
  /expression/,
  new Uint8Array(2),
  Object(1),
  { property: undefined },
  [undefined],
  // oxlint-disable-next-line no-sparse-arrays -- a value of a program's mistake
  [, 1],
  { toJSON: () => 1 },
  loop
]

/** Values at the edge of JSON. */
const odd: ReadonlyArray<unknown> = [-0, JSON.parse(`{"__proto__":1}`), "\ud800"]

/** The value as it comes back. */
type Way = (value: unknown) => Effect.Effect<unknown, unknown>

const ways = (
  schema: Schema.Codec<unknown, unknown>
): Effect.Effect<Readonly<Record<string, Way>>, unknown, Manager.Manager | Scope.Scope> =>
  Effect.gen(function*() {
    const queue = yield* SharedQueue.make({ item: schema })
    const list = yield* SharedList.make({ item: schema })
    const map = yield* SharedMap.make({ key: schema, value: schema })
    const { failure, payloads, values } = yield* Codecs.make(
      Task.make("Task", { payload: schema, success: schema, error: schema })
    )
    return {
      item: (value) => Effect.andThen(queue.offer(value), queue.take),
      element: (value) => Effect.andThen(list.append(value), Effect.map(list.pop, Option.getOrThrow)),
      "key and value": (value) =>
        Effect.andThen(map.set(value, value), Effect.map(map.removeLast, (entry) => Option.getOrThrow(entry)[1])),
      payload: (value) => Effect.map(Effect.flatMap(payloads.encode([value]), payloads.decode), ([value]) => value),
      result: (value) => Effect.map(Effect.flatMap(values.encode([value]), values.decode), ([value]) => value),
      error: (value) => Effect.map(Effect.flatMap(failure.encode(Cause.fail(value)), failure.decode), Cause.squash)
    }
  })

/** Checks each way of each value; `isRefused`: none may be accepted. */
const check = (schema: Schema.Codec<unknown, unknown>, all: ReadonlyArray<unknown>, isRefused = false) =>
  Effect.gen(function*() {
    const other = yield* SharedRef.make({ schema: Schema.Int, initial: 0 })
    const { decode, encode, encodeCanonical } = yield* ValueCodec.make(schema)
    for (const [name, way] of Object.entries(yield* ways(schema))) {
      for (const [i, value] of all.entries()) {
        const exit = yield* Effect.exit(way(value))
        if (Exit.isSuccess(exit)) {
          assert.isFalse(isRefused, `${name} ${i}`)
          // A schema may itself lose something, such as the milliseconds of a date, and the order of properties is none.
          const expected = yield* Effect.flatMap(encode(value), decode)
          assert.deepStrictEqual(yield* encodeCanonical(exit.value), yield* encodeCanonical(expected), `${name} ${i}`)
        } else {
          const tag = Option.map(
            Cause.findErrorOption(exit.cause),
            (error) => (error as { readonly _tag: string })._tag
          )
          assert.include(["ManagerError", "SchemaError"], Option.getOrElse(tag, () => Cause.pretty(exit.cause)), name)
        }
      }
    }
    assert.strictEqual(yield* other.increment, 1)
  }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory))

describe("values of", () => {
  for (const [name, schema] of Object.entries(schemas)) {
    it.effect(name, () =>
      Effect.gen(function*() {
        // Some schemas have no values, or need an arbitrary of their own.
        const values = Effect.suspend(() => Arbitrary.sampleEffect(Arbitrary.schema(schema), { count: 5, seed: name }))
        yield* check(schema, yield* Effect.catchCause(values, () => Effect.succeed([])))
        yield* check(schema, [...notJson, ...odd])
      }))
  }
})

/** Schemas that take any value, or any object. */
const open = {
  Any: Schema.Any,
  Unknown: Schema.Unknown,
  Json: Schema.Json,
  MutableJson: Schema.MutableJson,
  ObjectKeyword: Schema.ObjectKeyword,
  "Struct({})": Schema.Struct({})
}

describe("what is no JSON is refused by", () => {
  for (const [name, schema] of Object.entries(open)) {
    it.effect(name, () => check(schema as Schema.Codec<unknown>, notJson, true))
  }
})

class Point {
  readonly x = 1
}

interface Tree {
  readonly data: object
  readonly parts: ReadonlyArray<Tree>
}
const Tree: Schema.Codec<Tree> = Schema.Struct({
  data: Schema.ObjectKeyword,
  parts: Schema.Array(Schema.suspend(() => Tree))
})

/** Schemas with an object somewhere, and their values of one object. */
const around: Readonly<Record<string, readonly [Schema.Codec<unknown>, (object: object) => unknown]>> = Object
  .fromEntries(
    ([
      ["object", Schema.ObjectKeyword, (object) => object],
      [
        "struct",
        Schema.Struct({ a: Schema.ObjectKeyword, b: Schema.optionalKey(Schema.ObjectKeyword) }),
        (a) => ({ a })
      ],
      [
        "optional",
        Schema.Struct({ a: Schema.optional(Schema.ObjectKeyword), on: Schema.Date }),
        (a) => ({ a, on: new Date(0) })
      ],
      ["record", Schema.Record(Schema.String, Schema.ObjectKeyword), (a) => ({ a })],
      ["array", Schema.Array(Schema.ObjectKeyword), (a) => [a, a]],
      ["tuple", Schema.Tuple([Schema.BigInt, Schema.ObjectKeyword]), (a) => [1n, a]],
      ["union", Schema.Union([Schema.Int, Schema.ObjectKeyword]), (a) => a],
      ["option", Schema.Option(Schema.ObjectKeyword), Option.some],
      ["recursion", Tree, (data) => ({ data, parts: [{ data, parts: [] }] })],
      [
        "transformation",
        Schema.toType(Schema.ObjectKeyword).pipe(Schema.encodeTo(Schema.ObjectKeyword, {
          decode: SchemaGetter.transform((a: object) => a),
          encode: SchemaGetter.transform((a: object) => a)
        })),
        (a) => a
      ]
    ] as ReadonlyArray<readonly [string, Schema.Codec<unknown>, (object: object) => unknown]>).map((
      [name, ...rest]
    ) => [
      name,
      rest
    ])
  )

describe("an object of any type is JSON, or refused:", () => {
  for (const [name, [schema, valueOf]] of Object.entries(around)) {
    it.effect(name, () =>
      Effect.gen(function*() {
        for (const object of [new Map(), new Set(), new Date(0), new Point(), /a/, new Error("a"), { a: undefined }]) {
          yield* check(schema, [valueOf(object)], true)
        }
        for (const object of [{}, { a: [1, null, { b: "c" }] }, [1, "a"], Object.create(null) as object]) {
          const codec = yield* ValueCodec.make(schema)
          const value = valueOf(object)
          assert.deepStrictEqual(
            yield* codec.encodeCanonical(yield* Effect.flatMap(codec.encode(value), codec.decode)),
            yield* codec.encodeCanonical(value)
          )
          yield* check(schema, [value])
        }
      }))
  }
})

interface Deep extends ReadonlyArray<Deep | number> {}
const Deep: Schema.Codec<Deep> = Schema.Array(Schema.Union([Schema.Number, Schema.suspend(() => Deep)]))

describe("a value that is nested more deeply than a stack has room for is refused by", () => {
  for (const [name, schema] of Object.entries({ Any: Schema.Any, Json: Schema.Json, Deep })) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const list = yield* SharedList.make({ item: schema as Schema.Codec<unknown> })
        for (const depth of [5_000, 20_000, 100_000]) {
          const exit = yield* Effect.exit(list.append(nested(depth)))
          if (Exit.isSuccess(exit)) yield* Effect.exit(list.toArray)
          else {
            const error = Option.getOrThrow(Cause.findErrorOption(exit.cause))
            assert.strictEqual(error.reason._tag, "ValueNotEncoded")
            assert.include(error.message, "it is nested too deeply")
          }
        }
        yield* list.clear
      }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory)))
  }
})
