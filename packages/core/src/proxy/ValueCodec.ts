/**
 * Values of one schema, as cells: canonical JSON text and the handles in it (S-23, S-25).
 *
 * Codecs run in the turn in which they are called: a reply is decoded where its frame is read (S-9). A schema whose
 * codec is asynchronous is a defect of the program.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaRepresentation from "effect/SchemaRepresentation"
import type { Cell, ObjectId } from "../engine/Value.ts"

/** Where a handle's schema leaves the id of what it encodes. */
export const HandleCollector = Context.Reference<Array<ObjectId> | undefined>(
  "@effect-multiprocessing/core/HandleCollector",
  { defaultValue: () => undefined }
)

/** A schema, compiled; its services are captured. */
export interface ValueCodec<A> {
  readonly encode: (value: A) => Exit.Exit<Cell, Schema.SchemaError>
  readonly decode: (cell: Cell) => Exit.Exit<A, Schema.SchemaError>
  /** As `encode`, but equal values are equal texts: object keys sorted, no -0 (S-25). */
  readonly encodeCanonical: (value: A) => Exit.Exit<Cell, Schema.SchemaError>
}

const noHandles: ReadonlyArray<ObjectId> = []

/** Compiles a schema, with the services it needs now. */
export const make = <S extends Schema.Top>(
  schema: S
): Effect.Effect<ValueCodec<S["Type"]>, never, S["DecodingServices"] | S["EncodingServices"]> =>
  Effect.map(Effect.context<S["DecodingServices"] | S["EncodingServices"]>(), (context) => {
    const codec = Schema.toCodecJson(schema)
    const encode = Schema.encodeUnknownEffect(codec)
    const decode = Schema.decodeUnknownEffect(codec)
    // Plain schemas return an Exit at once. Schemas with services or handles need a run, still in this turn.
    const run = <A, E>(
      effect: Effect.Effect<A, E, S["DecodingServices"] | S["EncodingServices"]>,
      collected?: Array<ObjectId>
    ): Exit.Exit<A, E> =>
      Exit.isExit(effect)
        // What is an Exit already is the effect's own outcome.
        ? effect as Exit.Exit<A, E>
        : Effect.runSyncExitWith(Context.add(context, HandleCollector, collected))(effect)
    const encodeWith = (textOf: (json: unknown) => string) => (value: S["Type"]) => {
      const effect = encode(value)
      const handles = Exit.isExit(effect) ? undefined : []
      return Exit.map(run(effect, handles), (json): Cell => ({ text: textOf(json), handles: handles ?? noHandles }))
    }
    return {
      encode: encodeWith(JSON.stringify),
      encodeCanonical: encodeWith((json) => JSON.stringify(canonical(json))),
      decode: (cell) => {
        // Another program may have stored text that this codec would not write.
        const json = Result.try((): unknown => JSON.parse(cell.text))
        return Result.isSuccess(json) ? run(decode(json.success)) : Exit.fail(notJson(json.failure))
      }
    }
  })

const notJson = (error: unknown): Schema.SchemaError =>
  new Schema.SchemaError(new SchemaIssue.InvalidValue({ message: `it is no JSON (${String(error)})` }))

/** Sorts the keys of objects, so that equal values are equal text. JSON knows no -0. */
const canonical = (json: unknown): unknown => {
  if (typeof json !== "object" || json === null) return json
  if (Array.isArray(json)) return json.map(canonical)
  const sorted: Record<string, unknown> = {}
  for (const key of Object.keys(json).sort()) {
    const value = canonical((json as Record<string, unknown>)[key])
    // An assignment would set the prototype.
    if (key === "__proto__") Object.defineProperty(sorted, key, { value, enumerable: true })
    else sorted[key] = value
  }
  return sorted
}

/** How much of a schema's canonical form stands in an error message. */
const readableLength = 240

/**
 * The canonical form of a schema, texts stripped (S-26). A custom filter has no form that another process could
 * compare: it counts as an opaque one. Long forms are cut and end with a hash of the whole.
 */
export const fingerprint = (schema: Schema.Top): string => {
  const { references, representation } = SchemaRepresentation.toRepresentation(schema.ast)
  const text = JSON.stringify(stripped([representation, Object.values(references)]))
  return text.length <= readableLength ? text : `${text.slice(0, readableLength)}… #${hash(text)}`
}

const stripped = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(stripped)
  if (typeof node === "bigint") return `${node}n`
  if (typeof node !== "object" || node === null) return node
  return Object.fromEntries(
    Object.entries(node)
      .filter(([key, value]) => key !== "annotations" && typeof value !== "function")
      .sort(([a], [b]) => a < b ? -1 : 1)
      .map(([key, value]) => [key, stripped(value)])
  )
}

/** FNV-1a over the text's code units. */
const hash = (text: string): string => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, "0")
}
