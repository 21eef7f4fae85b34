/**
 * The fingerprint of schemas: their encoded side as a text that programs compare (S-26) and that error messages show.
 *
 * Names of schemas and other texts for people are left out. A custom filter has no form that another process could
 * compare: it counts as an opaque one. Recursive schemas that have the same unfolding have the same fingerprint: it does
 * not matter at which of them a program begins.
 */
import { memoize } from "effect/Function"
import type * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as SchemaRepresentation from "effect/SchemaRepresentation"

/** Characters of the fingerprint of one schema. A longer form is cut and ends with a hash of the whole. */
const lengthMax = 1_000

/** A form of at most this length is written again where it stands again. A longer one has a number: `#1 = …`. */
const repeatedLengthMax = 32

/** The fingerprint of the values of an object, which are of any number of schemas. */
export const fingerprint = (schemas: ReadonlyArray<Schema.Top>): string =>
  schemas.map(({ ast }) => ofAst(ast)).join(" → ")

/** The parts of a kind that a manager and its clients must have in common. */
interface Contracts {
  readonly name: string
  readonly state: Schema.Top
  readonly options: Schema.Top
  readonly operations: Readonly<
    Record<
      string,
      {
        readonly access: string
        readonly payload: Schema.Top
        readonly success: Schema.Top
        readonly error: Schema.Top
      }
    >
  >
}

/** The fingerprint of an own kind. Its functions have no form that another process could compare. */
export const fingerprintOfKind = ({ name, operations, options, state }: Contracts): string =>
  cut(
    [
      `${name} of ${ofAst(state.ast)} with ${ofAst(options.ast)}`,
      ...Object.entries(operations).map(([name, { access, error, payload, success }]) =>
        `${access} ${name}(${ofAst(payload.ast)}): ${ofAst(success.ast)} or ${ofAst(error.ast)}`
      ).sort()
    ].join("; ")
  )

const ofAst = memoize((ast: SchemaAST.AST): string =>
  cut(print(partsOf(SchemaRepresentation.toRepresentation(ast, { referencePolicy: () => undefined }))))
)

const cut = (text: string): string => text.length <= lengthMax ? text : `${text.slice(0, lengthMax)}… #${hash(text)}`

type Node = Exclude<SchemaRepresentation.Representation, { readonly _tag: "Reference" | "Suspend" }>

/** A part of a schema. A part of a recursive schema contains itself. */
interface Part extends Form {
  readonly parts: Array<Part>
  /** Equal for parts that have the same unfolding. */
  group: number
}

/** How a node is written, given the texts of the nodes in it. */
interface Form {
  readonly inner: ReadonlyArray<SchemaRepresentation.Representation>
  readonly write: (inner: ReadonlyArray<string>) => string
}

/** The parts of a schema, first the whole. */
const partsOf = ({ references, representation }: SchemaRepresentation.Document): ReadonlyArray<Part> => {
  const parts = new Map<Node, Part>()
  const follow = (node: SchemaRepresentation.Representation): Node =>
    node._tag === "Reference"
      ? follow(references[node.$ref]!)
      : node._tag === "Suspend"
      ? follow(node.thunk)
      : node
  const partOf = (representation: SchemaRepresentation.Representation): Part => {
    const node = follow(representation)
    const known = parts.get(node)
    if (known !== undefined) return known
    const part: Part = { ...formOf(node), parts: [], group: 0 }
    parts.set(node, part)
    for (const inner of part.inner) part.parts.push(partOf(inner))
    return part
  }
  partOf(representation)
  const found = [...parts.values()]
  group(found)
  return found
}

/** Puts parts into groups: by the form of each, then again and again by the groups of the parts in it. */
const group = (parts: ReadonlyArray<Part>): void => {
  let size = 0
  let groups = new Map<string, number>()
  do {
    size = groups.size
    groups = new Map()
    const forms = parts.map(({ group, parts, write }) => `${group} ${write(parts.map(({ group }) => `${group}`))}`)
    for (const form of forms) if (!groups.has(form)) groups.set(form, groups.size)
    for (const [i, part] of parts.entries()) part.group = groups.get(forms[i]!)!
  } while (groups.size > size)
}

/** Stands before the form of a group, until it is known whether the group needs a number. */
const mark = (group: number): string => `\u0000${group}\u0000`

const print = ([whole]: ReadonlyArray<Part>): string => {
  const texts = new Map<number, string>()
  const numbers = new Map<number, number>()
  const write = (part: Part): string => {
    const text = texts.get(part.group)
    if (text !== undefined && text.length > 0 && text.length <= repeatedLengthMax) return text
    if (text !== undefined) {
      if (!numbers.has(part.group)) numbers.set(part.group, numbers.size + 1)
      return `#${numbers.get(part.group)}`
    }
    texts.set(part.group, "")
    const form = part.write(part.parts.map(write))
    texts.set(part.group, form)
    return mark(part.group) + form
  }
  // oxlint-disable-next-line no-control-regex -- the marks: no form has this character, see `JSON.stringify`
  return write(whole!).replace(/\u0000(\d+)\u0000/g, (_, group) => {
    const number = numbers.get(Number(group))
    return number === undefined ? "" : `#${number} = `
  })
}

const formOf = (node: Node): Form => {
  const { inner, write } = uncheckedForm(node)
  const checks = node.checks.map(checkForm)
  return all([{ inner, write }, ...checks], " & ")
}

/** Forms beside each other. */
const all = (forms: ReadonlyArray<Form>, separator: string): Form => {
  const inner = forms.flatMap((form) => form.inner)
  return {
    inner,
    write: (texts) => {
      let from = 0
      return forms.map(({ inner, write }) => write(texts.slice(from, from += inner.length))).join(separator)
    }
  }
}

const uncheckedForm = (node: Node): Form => {
  switch (node._tag) {
    case "Declaration":
      return generic(annotated(node.representation) ?? "Declaration", node.typeParameters)
    case "Literal":
      return word(typeof node.literal === "bigint" ? `${node.literal}n` : JSON.stringify(node.literal))
    case "UniqueSymbol":
      return word(JSON.stringify(String(node.symbol)))
    case "Enum":
      return word(`Enum<${node.enums.map(([, value]) => JSON.stringify(value)).join(", ")}>`)
    case "TemplateLiteral":
      return generic("TemplateLiteral", node.parts)
    case "String":
      return node.content === undefined
        ? word("String")
        : generic(node.content.mediaType, node.content.schema === undefined ? [] : [node.content.schema])
    case "Arrays":
      return arrayForm(node)
    case "Objects":
      return objectForm(node)
    case "Union": {
      const separator = node.options?.mode === "oneOf" ? " xor " : " | "
      return { inner: node.types, write: (types) => `(${types.join(separator)})` }
    }
    default:
      return word(node._tag)
  }
}

const word = (text: string): Form => ({ inner: [], write: () => text })

const generic = (name: string, inner: Form["inner"]): Form => ({
  inner,
  write: (texts) => texts.length === 0 ? name : `${name}<${texts.join(", ")}>`
})

const arrayForm = ({ elements, rest }: SchemaRepresentation.Arrays): Form =>
  elements.length === 0 && rest.length === 1 ? generic("Array", rest) : {
    inner: [...elements.map(({ type }) => type), ...rest],
    write: (texts) => {
      const places = texts.map((text, i) => i >= elements.length ? `...${text}` : text + mayLack(elements[i]!))
      return `[${places.join(", ")}]`
    }
  }

/** Properties are sorted: their order is not part of a value. */
const objectForm = ({ indexSignatures, propertySignatures }: SchemaRepresentation.Objects): Form => {
  const properties = propertySignatures
    .map((property) => ({ name: nameOf(property.name) + mayLack(property), type: property.type }))
    .sort((a, b) => a.name < b.name ? -1 : 1)
  const form = all([
    ...properties.map(({ name, type }): Form => ({ inner: [type], write: ([text]) => `${name}: ${text}` })),
    ...indexSignatures.map(({ parameter, type }): Form => ({
      inner: [parameter, type],
      write: ([key, value]) => `[${key}]: ${value}`
    }))
  ], ", ")
  return { inner: form.inner, write: (texts) => `{ ${form.write(texts)} }` }
}

const mayLack = ({ isOptional }: { readonly isOptional: boolean }): string => isOptional ? "?" : ""

const nameOf = (name: PropertyKey): string =>
  typeof name === "string" && /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(String(name))

const checkForm = (check: SchemaRepresentation.Check): Form => {
  const name = annotated(check.representation)
  if (name !== undefined) return generic(name, check.representation?.schemas ?? [])
  if (check._tag === "Filter") return word("filter")
  const form = all(check.checks.map(checkForm), " & ")
  return { inner: form.inner, write: (texts) => `(${form.write(texts)})` }
}

/** Effect's own schemas and checks are known by their last name. */
const annotated = (annotation: SchemaRepresentation.RepresentationAnnotation | undefined): string | undefined => {
  if (annotation === undefined) return undefined
  const name = annotation.id.replace(/^effect\/schema\//, "")
  const payload = Object.entries(annotation.payload ?? {}).sort(([a], [b]) => a < b ? -1 : 1)
  const values = payload.map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
  return values.length === 0 ? name : `${name}(${values.join(", ")})`
}

/** FNV-1a over the text's code units. */
const hash = (text: string): string => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, "0")
}
