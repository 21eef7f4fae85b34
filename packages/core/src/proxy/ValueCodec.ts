/**
 * Values of one schema, as cells: canonical JSON text and the handles in it (S-23, S-25), or bytes.
 *
 * A schema whose encoded side is `Schema.Uint8Array` makes bytes, every other one makes text.
 *
 * Codecs run in the turn in which they are called: a reply is decoded where its frame is read (S-9). A schema whose
 * codec is asynchronous is a defect of the program.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import { bytesCell, type Cell, type ObjectId, type TextCell } from "../engine/Value.ts"

/** Where a handle's schema leaves the id of what it encodes. */
export const HandleCollector = Context.Reference<Array<ObjectId> | undefined>(
  "@effect-multiprocessing/core/HandleCollector",
  { defaultValue: () => undefined }
)

/** A schema, compiled; its services are captured. */
export interface ValueCodec<A, C extends Cell = Cell> {
  readonly encode: (value: A) => Exit.Exit<C, Schema.SchemaError>
  readonly decode: (cell: Cell) => Exit.Exit<A, Schema.SchemaError>
  /** As `encode`, but equal values are equal cells: in a text, object keys are sorted, and there is no -0 (S-25). */
  readonly encodeCanonical: (value: A) => Exit.Exit<C, Schema.SchemaError>
}

/** A codec whose cells are always text: what is a key, or part of another text. */
export type TextCodec<A> = ValueCodec<A, TextCell>

/** The services that a schema's codec needs. */
type Services<S extends Schema.Top> = S["DecodingServices"] | S["EncodingServices"]

/** Compiles a schema, with the services it needs now. */
export const make = <S extends Schema.Top>(
  schema: S
): Effect.Effect<ValueCodec<S["Type"]>, never, Services<S>> =>
  isOfBytes(schema) ? compile<S, Cell>(schema, bytesForm) : makeText(schema)

/** As `make`, of a codec whose cells are text, whatever the schema is. */
export const makeText = <S extends Schema.Top>(
  schema: S
): Effect.Effect<TextCodec<S["Type"]>, never, Services<S>> => compile<S, TextCell>(Schema.toCodecJson(schema), textForm)

/** How the encoded side of a schema is a cell. */
interface Form<C extends Cell> {
  readonly write: (encoded: unknown, handles: ReadonlyArray<ObjectId>) => C
  readonly writeCanonical: (encoded: unknown, handles: ReadonlyArray<ObjectId>) => C
  readonly read: (cell: Cell) => Result.Result<unknown, Schema.SchemaError>
}

const noHandles: ReadonlyArray<ObjectId> = []

const compile = <S extends Schema.Top, C extends Cell>(
  codec: Schema.Codec<S["Type"], unknown, S["DecodingServices"], S["EncodingServices"]>,
  form: Form<C>
): Effect.Effect<ValueCodec<S["Type"], C>, never, Services<S>> =>
  Effect.map(Effect.context<Services<S>>(), (context) => {
    const encode = Schema.encodeUnknownEffect(codec)
    const decode = Schema.decodeUnknownEffect(codec)
    // Plain schemas return an Exit at once. Schemas with services or handles need a run, still in this turn.
    const run = <A, E>(effect: Effect.Effect<A, E, Services<S>>, collected?: Array<ObjectId>): Exit.Exit<A, E> =>
      Exit.isExit(effect)
        // An effect that is an Exit is its own outcome.
        ? effect as Exit.Exit<A, E>
        : Effect.runSyncExitWith(Context.add(context, HandleCollector, collected))(effect)
    const encodeBy = (write: Form<C>["write"]) => (value: S["Type"]) => {
      const effect = encode(value)
      const handles = Exit.isExit(effect) ? undefined : []
      return Exit.map(run(effect, handles), (encoded) => write(encoded, handles ?? noHandles))
    }
    return {
      encode: encodeBy(form.write),
      encodeCanonical: encodeBy(form.writeCanonical),
      decode: (cell) => {
        const encoded = form.read(cell)
        return Result.isSuccess(encoded) ? run(decode(encoded.success)) : Exit.fail(encoded.failure)
      }
    }
  })

const invalid = (message: string): Schema.SchemaError =>
  new Schema.SchemaError(new SchemaIssue.InvalidValue({ message }))

const textForm: Form<TextCell> = {
  write: (json, handles) => ({ text: JSON.stringify(json), handles }),
  writeCanonical: (json, handles) => ({ text: JSON.stringify(canonical(json)), handles }),
  // Another program may have stored text that this codec would not write.
  read: ({ text }) =>
    text === undefined
      ? Result.fail(invalid("it is bytes, not text"))
      : Result.try({ try: (): unknown => JSON.parse(text), catch: (error) => invalid(`it is no JSON (${error})`) })
}

/** Bytes are copied: the program may write to them before they are sent. */
const writeBytes = (bytes: unknown): Cell => bytesCell(new Uint8Array(bytes as Uint8Array))

const bytesForm: Form<Cell> = {
  write: writeBytes,
  writeCanonical: writeBytes,
  read: ({ bytes }) => bytes === undefined ? Result.fail(invalid("it is text, not bytes")) : Result.succeed(bytes)
}

/** Whether the encoded side of a schema is `Schema.Uint8Array`, with whatever checks and annotations. */
const isOfBytes = (schema: Schema.Top): boolean => {
  const { annotations } = SchemaAST.toEncoded(schema.ast)
  return Predicate.hasProperty(annotations?.["representation"], "id") &&
    annotations["representation"].id === "effect/schema/Uint8Array"
}

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
