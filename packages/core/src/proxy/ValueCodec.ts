/**
 * Values of one schema, as cells: canonical JSON text and the handles in it (S-23, S-25), or bytes.
 *
 * A schema whose encoded side is `Schema.Uint8Array` makes bytes, every other one makes text.
 *
 * Codecs run in the turn in which they are called: a reply is decoded where its frame is read (S-9). A codec that is
 * asynchronous fails.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import { bytesCell, type Cell, cell, type ObjectId, type TextCell } from "../engine/Value.ts"
import { foreignIssue } from "./copies.ts"
import { jsonCodec } from "./jsonCodec.ts"

/** Where a handle's schema leaves the id of what it encodes (`collect`). */
const HandleCollector = Context.Reference<Array<ObjectId> | undefined>(
  "@effect-multiprocessing/core/HandleCollector",
  { defaultValue: () => undefined }
)

/** What keeps the objects alive whose handles are in a list. A call may wait long before it is sent. */
const keepers = new WeakMap<ReadonlyArray<ObjectId>, Array<object>>()

/** Adds a handle to the value that is being encoded. `keeper` stays reachable while the encoded value is. */
export const collect = (context: Context.Context<never>, id: ObjectId, keeper: object): void => {
  const handles = Context.get(context, HandleCollector)
  if (handles === undefined) return
  handles.push(id)
  const kept = keepers.get(handles)
  if (kept === undefined) keepers.set(handles, [keeper])
  else kept.push(keeper)
}

/** The list of handles of the value that is being decoded. A decoded handle refers to it (`client/Received.ts`). */
export const HandleOrigin = Context.Reference<ReadonlyArray<ObjectId> | undefined>(
  "@effect-multiprocessing/core/HandleOrigin",
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
  // Not before it is needed: the schema of a handle may stand in the schemas of its own values.
  Effect.suspend(() =>
    foreignIssue(schema) === undefined && isOfBytes(schema) ? compile<S, Cell>(schema, bytesForm) : makeText(schema)
  )

/** As `make`, of a codec whose cells are text, whatever the schema is. */
export const makeText = <S extends Schema.Top>(
  schema: S
): Effect.Effect<TextCodec<S["Type"]>, never, Services<S>> =>
  Effect.suspend(() => {
    const issue = foreignIssue(schema)
    if (issue !== undefined) return Effect.die(new Error(issue))
    const codec = compile<S, TextCell>(jsonCodec(schema), textForm)
    return isOfAnyText(schema) ? Effect.map(codec, withoutParser) : codec
  })

/** Whether a schema is `Schema.String`, with whatever annotations. */
const isOfAnyText = ({ ast }: Schema.Top): boolean =>
  SchemaAST.isString(ast) && ast.checks === undefined && ast.encoding === undefined

/** A longer text may become a JSON text that is too long to be one. */
const shortTextMax = 1_000_000

/** The codec of `Schema.String`, which most keys have: a short text needs no parser. All else is for the other codec. */
const withoutParser = <A>(codec: TextCodec<A>): TextCodec<A> => {
  const encodeBy = (encode: TextCodec<A>["encode"]): TextCodec<A>["encode"] => (value) =>
    typeof value === "string" && value.length <= shortTextMax
      ? Exit.succeed(cell(JSON.stringify(value)))
      : encode(value)
  return { encode: encodeBy(codec.encode), encodeCanonical: encodeBy(codec.encodeCanonical), decode: codec.decode }
}

/** How the encoded side of a schema is a cell. */
interface Form<C extends Cell> {
  readonly write: (encoded: unknown, handles: ReadonlyArray<ObjectId>) => C
  readonly writeCanonical: (encoded: unknown, handles: ReadonlyArray<ObjectId>) => C
  readonly read: (cell: Cell) => Exit.Exit<unknown, Schema.SchemaError>
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
    const run = <A, E, T>(effect: Effect.Effect<A, E, Services<S>>, key: Context.Key<never, T>, handles: T) =>
      Exit.isExit(effect)
        // An effect that is an Exit is its own outcome.
        ? effect as Exit.Exit<A, E>
        : Effect.runSyncExitWith(Context.add(context, key, handles))(effect)
    const encodeBy = (write: Form<C>["write"]) => (value: S["Type"]) =>
      orIssue(() => {
        const effect = encode(value)
        const handles = Exit.isExit(effect) ? undefined : []
        const exit = run(effect, HandleCollector, handles)
        return Exit.isSuccess(exit) ? Exit.succeed(write(exit.value, handles ?? noHandles)) : Exit.failCause(exit.cause)
      }, true)
    return {
      encode: encodeBy(form.write),
      encodeCanonical: encodeBy(form.writeCanonical),
      decode: (cell) =>
        orIssue(() => {
          const encoded = form.read(cell)
          return Exit.isSuccess(encoded)
            ? run(decode(encoded.value), HandleOrigin, cell.handles)
            : Exit.failCause(encoded.cause)
        }, false)
    }
  })

const invalid = (message: string): Exit.Exit<never, Schema.SchemaError> =>
  Exit.fail(new Schema.SchemaError(new SchemaIssue.InvalidValue({ message })))

/**
 * Codecs and `JSON` recurse by the nesting of a value, so its overflow of the stack is an issue of the value, and so is a
 * codec that is asynchronous. What a codec throws otherwise is an issue of the value that it was given to encode, and the
 * program's defect when it decodes.
 */
const orIssue = <A>(
  run: () => Exit.Exit<A, Schema.SchemaError>,
  isEncoding: boolean
): Exit.Exit<A, Schema.SchemaError> => {
  const ran = Result.try(run)
  const exit = Result.isSuccess(ran) ? ran.success : Exit.die(ran.failure)
  if (Exit.isSuccess(exit) || !Cause.hasDies(exit.cause)) return exit
  const defect = Cause.squash(exit.cause)
  if (defect instanceof RangeError) return invalid("it is nested too deeply")
  if (Cause.isAsyncFiberError(defect)) return invalid("the codec of its schema is asynchronous")
  return isEncoding ? invalid(`its schema has thrown ${defect}`) : exit
}

const textForm: Form<TextCell> = {
  write: (json, handles) => ({ text: JSON.stringify(json), handles }),
  writeCanonical: (json, handles) => ({ text: canonicalText(json), handles }),
  // Another program may have stored text that this codec would not write.
  read: ({ text }) => {
    if (text === undefined) return invalid("it is bytes, not text")
    const parsed = Result.try((): unknown => JSON.parse(text))
    return Result.isSuccess(parsed) ? Exit.succeed(parsed.success) : invalid(`it is no JSON (${parsed.failure})`)
  }
}

/** Bytes are copied: the program may write to them before they are sent. */
const writeBytes = (bytes: unknown): Cell => bytesCell(new Uint8Array(bytes as Uint8Array))

const bytesForm: Form<Cell> = {
  write: writeBytes,
  writeCanonical: writeBytes,
  read: ({ bytes }) => bytes === undefined ? invalid("it is text, not bytes") : Exit.succeed(bytes)
}

/** Whether the encoded side of a schema is `Schema.Uint8Array`, with whatever checks and annotations. */
const isOfBytes = (schema: Schema.Top): boolean => {
  const { annotations } = SchemaAST.toEncoded(schema.ast)
  return Predicate.hasProperty(annotations?.["representation"], "id") &&
    annotations["representation"].id === "effect/schema/Uint8Array"
}

/** The canonical text of a JSON value, as a codec writes it: a key of a map. */
export const canonicalText = (json: unknown): string => JSON.stringify(canonical(json))

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
