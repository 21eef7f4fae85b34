/**
 * Whether a new state fits its schema, at the cost of what has changed: the parts that it has from the state before are
 * not examined again. Freezing the states makes sure that these parts are as they were.
 */
import { memoize } from "effect/Function"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { changedItems } from "./size.ts"

/** Whether a value fits, given one that does; `undefined` stands for none. */
export type Fit = (next: unknown, previous: unknown) => boolean

/** The test of a schema's values. */
export const fitOf = (schema: Schema.Top): Fit => ofAst(SchemaAST.toType(schema.ast))

/** Freezes a value: plain objects and lists, and those in them. What is frozen already is frozen throughout. */
export const freeze = (value: unknown): void => {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return
  if (Array.isArray(value)) {
    Object.freeze(value)
    for (let i = 0; i < value.length; i++) freeze(value[i])
    return
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return
  Object.freeze(value)
  for (const key in value) freeze((value as Readonly<Record<string, unknown>>)[key])
}

const ofAst = memoize((ast: SchemaAST.AST): Fit => {
  const whole = Schema.is(Schema.make(ast))
  const parts = ast.checks === undefined ? partsOf(ast) : undefined
  return (next, previous) => next === previous && next !== undefined || (parts?.(next, previous) ?? whole(next))
})

/** The test of the parts of a value; `undefined` for values that have no parts in common. */
type Parts = (next: unknown, previous: unknown) => boolean | undefined

/** Absent: only the whole of such a value can be tested. */
const partsOf = (ast: SchemaAST.AST): Parts | undefined => {
  if (ast._tag === "Arrays") {
    const [item, ...others] = [...ast.elements, ...ast.rest]
    return ast.rest.length === 1 && item !== undefined && others.length === 0 ? listParts(item) : undefined
  }
  if (ast._tag !== "Objects") return undefined
  const { indexSignatures: [index, ...others], propertySignatures: properties } = ast
  if (index === undefined) return structParts(properties)
  const isRecord = properties.length === 0 && others.length === 0 && index.parameter._tag === "String" &&
    index.parameter.checks === undefined
  return isRecord ? recordParts(index.type) : undefined
}

const structParts = (properties: ReadonlyArray<SchemaAST.PropertySignature>): Parts => {
  const fields = properties.map(({ name, type }) => ({
    name,
    fit: lazyFit(type),
    isOptional: SchemaAST.isOptional(type)
  }))
  return (next, previous) => {
    if (!isObject(next) || !isObject(previous)) return undefined
    for (const { fit, isOptional, name } of fields) {
      if (!(name in next)) {
        if (!isOptional) return false
      } else if (!fit(next[name], previous[name])) return false
    }
    return true
  }
}

const recordParts = (value: SchemaAST.AST): Parts => {
  const fit = lazyFit(value)
  return (next, previous) =>
    isObject(next) && isObject(previous)
      ? Object.keys(next).every((key) => fit(next[key], previous[key]))
      : undefined
}

const listParts = (item: SchemaAST.AST): Parts => {
  const fit = lazyFit(item)
  return (next, previous) => {
    if (!Array.isArray(next) || !Array.isArray(previous)) return undefined
    const { end, from } = changedItems(next, previous)
    for (let i = from; i < end; i++) if (!fit(next[i], previous[i])) return false
    return true
  }
}

/** A schema may contain itself. */
const lazyFit = (ast: SchemaAST.AST): Fit => {
  let fit: Fit | undefined
  return (next, previous) => (fit ??= ofAst(ast._tag === "Suspend" ? ast.thunk() : ast))(next, previous)
}

const isObject = (u: unknown): u is Record<PropertyKey, unknown> =>
  typeof u === "object" && u !== null && !Array.isArray(u)
