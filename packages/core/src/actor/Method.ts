/**
 * The contract of an actor: its methods with their schemas, and the codecs that follow from them.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { causeOf } from "../proxy/infrastructure.ts"
import { Manager } from "../proxy/Manager.ts"
import * as ValueCodec from "../proxy/ValueCodec.ts"
import * as SharedQueue from "../SharedQueue.ts"

/** The declaration of a method. What it does is said by the host. */
export interface Method<
  out Streams extends boolean,
  out Payload extends Schema.Top,
  out Success extends Schema.Top,
  out Error extends Schema.Top
> {
  /** Whether it returns a stream of successes. */
  readonly streams: Streams
  readonly payload: Payload
  readonly success: Success
  readonly error: Error
}

/** Any method. */
export interface Any extends Method<boolean, Schema.Top, Schema.Top, Schema.Top> {}

/** Methods by name. */
export type Methods = Readonly<Record<string, Any>>

/** The services that the codecs of methods need. */
export type Services<M extends Methods> = M[keyof M]["payload" | "success" | "error"][
  "DecodingServices" | "EncodingServices"
]

/** The parts of a method that travel, as one schema: programs that open an actor must have the same. */
export const schemaOf = (methods: Methods): Schema.Top =>
  Schema.Struct(
    Object.fromEntries(
      Object.entries(methods).map(([name, { error, payload, streams, success }]) => [
        name,
        Schema.Tuple([Schema.Literal(streams), payload, success, error])
      ])
    )
  )

/** A method with the name of a part of every object is a mistake of the definition. */
export const checkNames = (methods: Methods): void => {
  const taken = Object.keys(methods).find((name) => /^(?:toJSON|toString|__proto__)$/.test(name))
  if (taken !== undefined) throw new Error(`a method of an actor cannot have the name ${taken}`)
}

/** The codecs of one method. */
export interface Codecs {
  readonly payload: ValueCodec.ValueCodec<unknown>
  readonly success: ValueCodec.ValueCodec<unknown>
  readonly failure: ValueCodec.ValueCodec<Cause.Cause<unknown>>
}

/** A streaming call: its payload, and the queue that gets the elements in groups. */
export interface Streaming {
  readonly payload: unknown
  readonly out: SharedQueue.SharedQueue<ReadonlyArray<unknown>>
}

/** The items of the queue of a stream: elements in groups. */
export const groupOf = ({ success }: Any) => Schema.Array(success as Schema.Codec<unknown>)

/** What is compiled of methods for a manager. */
export interface Compiled {
  /** By the name of a method. Each is compiled when it is first needed: most handles are not called by all. */
  readonly codecsOf: (name: string) => Codecs
  readonly manager: Manager["Service"]
}

/** Compiles methods, with the services that their codecs need. */
export const compile = <M extends Methods>(methods: M): Effect.Effect<Compiled, never, Services<M> | Manager> =>
  Effect.map(Effect.context<Services<M> | Manager>(), (context) => {
    const compiled = new Map<string, Codecs>()
    // The services of one method are among those of all.
    const compileOne = (name: string): Codecs =>
      Effect.runSyncWith(context as Context.Context<unknown>)(codecsOfMethod(methods[name]!))
    return {
      manager: Context.get(context as Context.Context<Manager>, Manager),
      codecsOf: (name) => {
        const known = compiled.get(name)
        if (known !== undefined) return known
        const codecs = compileOne(name)
        compiled.set(name, codecs)
        return codecs
      }
    }
  })

const codecsOfMethod = (method: Any) => {
  const { error, payload, streams, success } = method
  return Effect.all({
    payload: ValueCodec.make(
      streams ? Schema.Struct({ payload, out: SharedQueue.schema(groupOf(method)) }) : payload
    ),
    success: ValueCodec.make(streams ? Schema.Void : success),
    failure: ValueCodec.make(causeOf(error))
  })
}
