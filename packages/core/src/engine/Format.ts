/**
 * Formats: how a state becomes plain data that JSON can carry, and a state again.
 *
 * A format is declared once and works in both directions, so saving and loading cannot drift apart. Loading checks all
 * data and throws nothing: data of another format give a `Malformed`, which says where they are wrong, and why.
 */
import * as Parameter from "./Parameter.ts"
import {
  type Argument,
  type BytesCell,
  bytesCell as bytesCellOf,
  bytesOf,
  type Cell,
  cell as cellOf,
  hexadecimal,
  isCell,
  type TextCell
} from "./Value.ts"

/** Plain data that JSON can carry. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/** `load(save(value))` equals `value`, also if the data become JSON text in between. */
export interface Format<out A, in Saved = A> {
  readonly save: (value: Saved) => Json
  readonly load: (saved: unknown) => A | Malformed
}

/** The reason for which data cannot be loaded. */
export class Malformed {
  readonly #issue: string
  readonly #path: string

  constructor(issue: string, path = "") {
    this.#issue = issue
    this.#path = path
  }

  /** As a sentence: `saved.objects[3].state.free must be a whole number from 0 up, not null`. */
  get reason(): string {
    return `saved${this.#path} ${this.#issue}`
  }

  /** The same reason, seen from the structure or the list around the data. */
  at(key: string | number): Malformed {
    return new Malformed(this.#issue, `${typeof key === "number" ? `[${key}]` : `.${key}`}${this.#path}`)
  }
}

const mustBe = (expected: string, saved: unknown): Malformed => new Malformed(`must be ${expected}, not ${show(saved)}`)

const show = (saved: unknown): string =>
  typeof saved === "object" && saved !== null
    ? Array.isArray(saved) ? "a list" : "an object"
    : saved === undefined
    ? "nothing"
    : JSON.stringify(saved).slice(0, 50)

// ---------------------------------------------------------------------------------------------------------------
// single values
// ---------------------------------------------------------------------------------------------------------------

/** A value that JSON carries unchanged. */
const plain = <A extends Json>(expected: string, is: (saved: unknown) => saved is A): Format<A> => ({
  save: (value) => value,
  load: (saved) => is(saved) ? saved : mustBe(expected, saved)
})

/** A value that a parameter recognises and JSON carries unchanged. */
const parameter = <A extends Argument & Json>({ expected, is }: Parameter.Parameter<A>): Format<A> =>
  // A parameter examines anything, also what its type excludes.
  plain(expected, is as (saved: unknown) => saved is A)

/** Text. */
export const word: Format<string> = parameter(Parameter.word)

/** A number without a fraction from 0 up. */
export const count: Format<number> = parameter(Parameter.count)

/** A number without a fraction. */
export const integer: Format<number> = parameter(Parameter.integer)

/** A finite number; -0 comes back as 0. */
export const finite: Format<number> = parameter(Parameter.number)

/** True or false. */
export const boolean: Format<boolean> = plain("true or false", (saved) => typeof saved === "boolean")

/** Any JSON, unexamined. */
export const json: Format<Json> = plain("JSON", (saved): saved is Json => saved !== undefined)

/** One of some words or numbers. */
export const literal = <const A extends string | number>(...values: ReadonlyArray<A>): Format<A> =>
  plain(values.join(" or "), (saved): saved is A => values.some((value) => value === saved))

const unwritable: ReadonlyArray<unknown> = ["-0", "NaN", "Infinity", "-Infinity"]

/** Any number. Numbers that JSON cannot carry become text. */
export const number: Format<number> = {
  save: (n) => Object.is(n, -0) ? "-0" : Number.isFinite(n) ? n : String(n),
  load: (saved) =>
    typeof saved === "number" ? saved : unwritable.includes(saved) ? Number(saved) : mustBe("a number", saved)
}

// ---------------------------------------------------------------------------------------------------------------
// structures
// ---------------------------------------------------------------------------------------------------------------

/** A value or `undefined`, which is saved as `null`. */
export const optional = <A>({ load, save }: Format<A>): Format<A | undefined> => ({
  save: (value) => value === undefined ? null : save(value),
  load: (saved) => saved === null ? undefined : load(saved)
})

/** Values in order. */
export const list = <A>({ load, save }: Format<A>): Format<Array<A>, ReadonlyArray<A>> => ({
  save: (values) => values.map(save),
  load: (saved) => {
    if (!Array.isArray(saved)) return mustBe("a list", saved)
    const values: Array<A> = []
    for (let i = 0; i < saved.length; i++) {
      const value = load(saved[i])
      if (value instanceof Malformed) return value.at(i)
      values.push(value)
    }
    return values
  }
})

/** An object with these fields and no others. */
export const struct = <A extends object>(fields: { readonly [K in keyof A]: Format<A[K]> }): Format<A> => {
  // Each format meets only its own field.
  const formats = Object.entries(fields) as ReadonlyArray<[string, Format<unknown>]>
  return {
    save: (value) =>
      Object.fromEntries(formats.map(([name, { save }]) => [name, save((value as Record<string, unknown>)[name])])),
    load: (saved) => {
      if (typeof saved !== "object" || saved === null || Array.isArray(saved)) return mustBe("an object", saved)
      const extra = Object.keys(saved).find((name) => !Object.hasOwn(fields, name))
      if (extra !== undefined) return new Malformed("is not a field").at(extra)
      const value: Record<string, unknown> = {}
      for (const [name, { load }] of formats) {
        const field = load((saved as Record<string, unknown>)[name])
        if (field instanceof Malformed) return field.at(name)
        value[name] = field
      }
      // Every field was loaded by its own format.
      return value as A
    }
  }
}

/** One of several structures, which its tag names. */
export const tagged = <A extends { readonly _tag: string }>(
  members: { readonly [Tag in A["_tag"]]: Format<Extract<A, { readonly _tag: Tag }>> }
): Format<A> => {
  const formats = members as unknown as Readonly<Record<string, Format<A>>>
  const tags = literal(...Object.keys(formats))
  return {
    save: (value) => formats[value._tag]!.save(value),
    load: (saved) => {
      const tag = tags.load((saved as { readonly _tag?: unknown } | null | undefined)?._tag)
      return tag instanceof Malformed ? tag.at("_tag") : formats[tag]!.load(saved)
    }
  }
}

/** A value that is saved in the form of another one. */
export const convert = <A, B>(
  { load, save }: Format<B>,
  to: (value: A) => B,
  from: (form: B) => A | Malformed
): Format<A> => ({
  save: (value) => save(to(value)),
  load: (saved) => {
    const form = load(saved)
    return form instanceof Malformed ? form : from(form)
  }
})

const pair = <A, B>(first: Format<A>, second: Format<B>): Format<readonly [A, B]> => ({
  save: ([a, b]) => [first.save(a), second.save(b)],
  load: (saved) => {
    if (!Array.isArray(saved) || saved.length !== 2) return mustBe("a pair", saved)
    const [a, b] = [first.load(saved[0]), second.load(saved[1])]
    return a instanceof Malformed ? a.at(0) : b instanceof Malformed ? b.at(1) : [a, b]
  }
})

const twice = new Malformed("has something twice")

/** Values by key, in order. */
export const map = <K, V>(key: Format<K>, value: Format<V>): Format<Map<K, V>> =>
  convert(list(pair(key, value)), (map) => [...map], (pairs) => {
    const map = new Map(pairs)
    return map.size === pairs.length ? map : twice
  })

/** Distinct values in order. */
export const set = <A>(value: Format<A>): Format<Set<A>> =>
  convert(list(value), (set) => [...set], (values) => {
    const set = new Set(values)
    return set.size === values.length ? set : twice
  })

// ---------------------------------------------------------------------------------------------------------------
// values and arguments
// ---------------------------------------------------------------------------------------------------------------

const textCell: Format<TextCell> = convert(
  struct<Pick<TextCell, "text" | "handles">>({ text: word, handles: list(count) }),
  (cell) => cell,
  (form) => form.handles.length === 0 ? cellOf(form.text) : form
)

const bytes: Format<Uint8Array> = convert(
  plain(
    "bytes as hexadecimal text",
    (saved): saved is string => typeof saved === "string" && isHexadecimal.test(saved)
  ),
  hexadecimal,
  bytesOf
)

const isHexadecimal = /^(?:[\da-f]{2})*$/

const bytesCell: Format<BytesCell> = convert(
  struct<Pick<BytesCell, "bytes">>({ bytes }),
  (cell) => cell,
  (form) => bytesCellOf(form.bytes)
)

/** A stored value. */
export const cell: Format<Cell> = {
  save: (cell) => cell.bytes === undefined ? textCell.save(cell) : bytesCell.save(cell),
  load: (saved) =>
    typeof saved === "object" && saved !== null && "bytes" in saved ? bytesCell.load(saved) : textCell.load(saved)
}

/** An argument, or a part of a reply. */
export const argument: Format<Argument> = {
  save: (argument) => {
    if (isCell(argument)) return cell.save(argument)
    if (typeof argument !== "number") return argument
    const saved = number.save(argument)
    return typeof saved === "string" ? { number: saved } : saved
  },
  load: (saved) => {
    if (saved === null || typeof saved === "string" || typeof saved === "number") return saved
    return typeof saved === "object" && "number" in saved ? number.load(saved.number) : cell.load(saved)
  }
}
