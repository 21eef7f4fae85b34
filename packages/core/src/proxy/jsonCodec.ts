/**
 * The codec of a schema whose encoded side is JSON: what is no JSON is refused.
 *
 * Effect's own codec leaves a value of `Schema.Any` or `Schema.Struct({})` as it is, and `JSON.stringify` drops or changes
 * what is no JSON without a word. So the whole is checked then. Effect reads a value of `Schema.ObjectKeyword` as a record
 * of its own properties: a `Map`, a `Date` and a `Set` have none. So each is checked before it is read.
 */
import { memoize } from "effect/Function"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaTransformation from "effect/SchemaTransformation"

/** Makes the codec of a schema. */
export const jsonCodec = <S extends Schema.Top>(
  schema: S
): Schema.Codec<S["Type"], unknown, S["DecodingServices"], S["EncodingServices"]> => {
  const codec = Schema.toCodecJson(hasObject(schema.ast) ? Schema.make<S>(checked(schema.ast)) : schema)
  return hasUnchecked(codec.ast)
    ? codec.pipe(Schema.encodeTo(Schema.Json, SchemaTransformation.passthrough()))
    : codec
}

const hasObject = memoize((ast: SchemaAST.AST): boolean => partsOf(ast).some(({ _tag }) => _tag === "ObjectKeyword"))

const hasUnchecked = memoize((ast: SchemaAST.AST): boolean => {
  const parts = partsOf(ast)
  return parts.length > partsMax || parts.some((part) =>
    part._tag === "Any" ||
    part._tag === "Objects" && part.propertySignatures.length === 0 && part.indexSignatures.length === 0
  )
})

/** A codec of a recursive schema may make its parts anew at each turn, without end. One of more parts is checked. */
export const partsMax = 1_000

/** The encoded side of a schema, and all that is in it. */
const partsOf = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> => {
  const parts = new Set([SchemaAST.toEncoded(ast)])
  // A set's iteration also comes to what is added meanwhile.
  for (const part of parts) {
    if (parts.size > partsMax) break
    for (const inner of innerOf(part)) parts.add(inner)
  }
  return [...parts]
}

/** The parts of a part. */
export const innerOf = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> => {
  switch (ast._tag) {
    case "Declaration":
      return ast.typeParameters
    case "Arrays":
      return [...ast.elements, ...ast.rest]
    case "Objects":
      return [...ast.propertySignatures, ...ast.indexSignatures].map(({ type }) => type)
    case "Union":
      return ast.types
    case "Suspend":
      return [ast.thunk()]
    default:
      return []
  }
}

/** The same schema, in which each object of the encoded side is encoded to JSON. */
const checked = memoize((ast: SchemaAST.AST): SchemaAST.AST => {
  if (ast.encoding !== undefined) {
    const { to, transformation } = ast.encoding.at(-1)!
    const last = new SchemaAST.Link(checked(to), transformation)
    return copy(ast, { encoding: [...ast.encoding.slice(0, -1), last] as unknown as SchemaAST.Encoding })
  }
  switch (ast._tag) {
    case "ObjectKeyword": {
      // Whether a property may be absent is asked of both sides.
      const json = copy(Schema.Json.ast, { context: ast.context })
      return copy(ast, { encoding: [new SchemaAST.Link(json, SchemaTransformation.passthrough())] })
    }
    case "Declaration":
      return copy(ast, { typeParameters: ast.typeParameters.map(checked) })
    case "Arrays":
      return copy(ast, { elements: ast.elements.map(checked), rest: ast.rest.map(checked) })
    case "Objects":
      return copy(ast, {
        propertySignatures: ast.propertySignatures.map((signature) =>
          copy(signature, { type: checked(signature.type) })
        ),
        indexSignatures: ast.indexSignatures.map((signature) => copy(signature, { type: checked(signature.type) }))
      })
    case "Union":
      return copy(ast, { types: ast.types.map(checked) })
    case "Suspend":
      return copy(ast, { thunk: () => checked(ast.thunk()) })
    default:
      return ast
  }
})

/** A node with other fields. */
const copy = <A extends object>(node: A, fields: Partial<A>): A =>
  Object.assign(Object.create(Object.getPrototypeOf(node)), node, fields)
