/** Random recursive schemas of handles: each has a fingerprint, equal ones the same, and their values come back (S-23, S-26). */
import { fingerprint } from "#core/proxy/fingerprint.ts"
import * as ValueCodec from "#core/proxy/ValueCodec.ts"
import { Random } from "#core/testing/Random.ts"
import { Manager, SharedList, SharedMap, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { assert, it } from "@effect/vitest"
import { Effect, Option, Schema, type Scope } from "effect"
import { budget } from "../../support/budget.ts"

/** A schema as data. A `to` names a definition, which may be the one that it stands in. */
type Shape =
  | { readonly _tag: "Int" | "String" }
  | { readonly _tag: "List" | "Queue" | "Map" | "Ref"; readonly to: number }
  | { readonly _tag: "Option" | "Array" | "Union"; readonly to: number }
  | { readonly _tag: "Struct" | "Tuple"; readonly parts: ReadonlyArray<Shape> }

const leaf = { _tag: "Int" } as const

const draw = (random: Random, definitions: number, depth: number): Shape => {
  const _tag = random.pick(
    [
      "Int",
      "String",
      "List",
      "Queue",
      "Map",
      "Ref",
      "Option",
      "Array",
      "Union",
      "Struct",
      "Tuple"
    ] as const
  )
  if (_tag === "Int" || _tag === "String") return { _tag }
  if (_tag !== "Struct" && _tag !== "Tuple") return { _tag, to: random.below(definitions) }
  if (depth === 0) return leaf
  return { _tag, parts: Array.from({ length: 1 + random.below(3) }, () => draw(random, definitions, depth - 1)) }
}

type Codec = Schema.Codec<unknown, unknown, Manager.Manager>

/** The schemas of a system of definitions, each referred to by the others through a suspension. */
const build = (shapes: ReadonlyArray<Shape>): ReadonlyArray<Codec> => {
  const of = (shape: Shape): Schema.Top => {
    switch (shape._tag) {
      case "Int":
        return Schema.Int
      case "String":
        return Schema.String
      case "Struct":
        return Schema.Struct(Object.fromEntries(shape.parts.map((part, i) => [`p${i}`, of(part)])))
      case "Tuple":
        return Schema.Tuple(shape.parts.map(of))
    }
    const inner = Schema.suspend((): Codec => schemas[shape.to]!)
    switch (shape._tag) {
      case "List":
        return Schema.suspend(() => SharedList.schema(schemas[shape.to]!) as unknown as Codec)
      case "Queue":
        return SharedQueue.schema(inner)
      case "Map":
        return SharedMap.schema({ key: Schema.String, value: inner })
      case "Ref":
        return SharedRef.schema(Schema.Option(inner))
      case "Option":
        return Schema.Option(inner)
      case "Array":
        return Schema.Array(inner)
      case "Union":
        return Schema.Union([Schema.Null, inner])
    }
  }
  // Their values are made below: their types are known at run time only.
  const schemas: ReadonlyArray<Codec> = shapes.map((shape) => of(shape) as Codec)
  return schemas
}

/** A value of a shape, of at most that depth where the shape lets it end. */
const valueOf = (
  shapes: ReadonlyArray<Shape>,
  schemas: ReadonlyArray<Codec>,
  shape: Shape,
  depth: number
): Effect.Effect<unknown, unknown, Manager.Manager | Scope.Scope> => {
  const inner = (to: number) => valueOf(shapes, schemas, shapes[to]!, depth - 1)
  switch (shape._tag) {
    case "Int":
      return Effect.succeed(1)
    case "String":
      return Effect.succeed("text")
    case "List":
      return SharedList.make({ item: schemas[shape.to]! })
    case "Queue":
      return SharedQueue.make({ item: schemas[shape.to]! })
    case "Map":
      return SharedMap.make({ key: Schema.String, value: schemas[shape.to]! })
    case "Ref":
      return SharedRef.make({ schema: Schema.Option(schemas[shape.to]!), initial: Option.none() })
    case "Option":
      return depth <= 0 ? Effect.succeed(Option.none()) : Effect.map(inner(shape.to), Option.some)
    case "Array":
      return depth <= 0 ? Effect.succeed([]) : Effect.map(inner(shape.to), (value) => [value, value])
    case "Union":
      return depth <= 0 ? Effect.succeed(null) : inner(shape.to)
    case "Tuple":
      return Effect.forEach(shape.parts, (part) => valueOf(shapes, schemas, part, depth))
    case "Struct":
      return Effect.map(
        Effect.forEach(shape.parts, (part) => valueOf(shapes, schemas, part, depth)),
        (values) => Object.fromEntries(values.map((value, i) => [`p${i}`, value]))
      )
  }
}

const check = (shapes: ReadonlyArray<Shape>, depth: number) =>
  Effect.gen(function*() {
    const [schemas, again] = [build(shapes), build(shapes)]
    for (const [i, schema] of schemas.entries()) {
      assert.strictEqual(fingerprint([schema]), fingerprint([again[i]!]))
      const value = yield* valueOf(shapes, schemas, shapes[i]!, depth)
      const codec = yield* ValueCodec.make(schema)
      const encoded = yield* codec.encodeCanonical(value)
      // A program with a schema of its own, equal to this one, opens the same name and reads the value.
      const name = `queue ${i}`
      yield* Effect.flatMap(SharedQueue.make({ name, item: schema }), (queue) => queue.offer(value))
      const other = yield* SharedQueue.make({ name, item: again[i]! })
      const { handles, text } = yield* (yield* ValueCodec.make(again[i]!)).encodeCanonical(yield* other.take)
      assert.deepStrictEqual([text, handles], [encoded.text, encoded.handles])
    }
  }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory))

const seeds = budget(20)

it.live(`${seeds} systems of schemas that refer to each other`, () =>
  Effect.forEach(Array.from({ length: seeds }, (_, seed) => seed + 1), (seed) =>
    Effect.suspend(() => {
      const random = new Random(seed)
      const definitions = 1 + random.below(5)
      return check(Array.from({ length: definitions }, () => draw(random, definitions, 2)), 2)
    }).pipe(Effect.onError(() => Effect.logError(`seed ${seed}`))), { discard: true }))

it.live("options of each other, whose codec makes its parts anew without end", () =>
  check([{ _tag: "Option", to: 1 }, { _tag: "Option", to: 0 }], 4))

it.live("a long circle of schemas", () => {
  const size = 100
  return check(
    Array.from({ length: size }, (_, i) => ({ _tag: i % 2 === 0 ? "List" : "Option", to: (i + 1) % size })),
    1
  )
})
