/** `emp get`, `emp set` and `emp watch`: values as JSON, without the schemas of the program that shares them. */
import { type Manager, Untyped } from "@effect-multiprocessing/core"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { exitCodes, Failure, wrongUsage } from "./failure.ts"
import * as Output from "./output.ts"

/** Prints a whole value, or the entry of a key. */
export const get = (
  { key, name }: { readonly name: string; readonly key: Option.Option<string> }
): Effect.Effect<void, unknown, Manager.Manager> =>
  Effect.gen(function*() {
    const object = yield* Untyped.open(name)
    if (Option.isNone(key)) return yield* Output.printJson(yield* object.get)
    const entry = yield* object.entry(key.value)
    if (Option.isSome(entry)) return yield* Output.printJson(entry.value)
    return yield* new Failure({ code: exitCodes.notFound, message: `${name} has nothing at ${key.value}` })
  })

/** Replaces a value, or the entry of a key. The last argument is the value. */
export const set = (
  { keyAndValue, name }: { readonly name: string; readonly keyAndValue: ReadonlyArray<string> }
): Effect.Effect<void, unknown, Manager.Manager> =>
  Effect.gen(function*() {
    const value = yield* parse(keyAndValue.at(-1)!)
    const [key] = keyAndValue.slice(0, -1)
    yield* (yield* Untyped.open(name)).set(value, key)
  })

/** Prints what an object holds, and every change, a line each. */
export const watch = ({ name }: { readonly name: string }): Effect.Effect<void, unknown, Manager.Manager> =>
  Effect.flatMap(Untyped.open(name), ({ changes }) => Stream.runForEach(changes, Output.printJson))

const parse = (text: string): Effect.Effect<Schema.Json, Failure> =>
  Effect.try({
    try: (): Schema.Json => JSON.parse(text),
    catch: () => wrongUsage(`the value is no JSON: ${Output.shown(text)}. A text has quotes: '"text"'`)
  })
