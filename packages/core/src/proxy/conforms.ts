/**
 * Whether a JSON value conforms to a schema of which only the fingerprint is known (`fingerprint.ts`).
 *
 * The fingerprint of plain data tells: numbers, texts, literals, arrays, records and unions. Others only name a part (a
 * filter, a class, a handle, bytes) or are cut, so they are unknown.
 */
import * as Predicate from "effect/Predicate"
import type { Json, JsonObject } from "effect/Schema"

type Check = (value: Json) => boolean

/**
 * The fingerprints of an object's schemas, in order, as checks: whether a value conforms to each; undefined: the
 * fingerprint does not tell.
 */
export const checksOf = (fingerprint: string): ReadonlyArray<Check> | undefined => {
  const reader = new Reader(fingerprint)
  const checks = reader.several(" → ", "")
  return checks !== undefined && reader.isAtEnd ? checks : undefined
}

/** A reader of one fingerprint. Each method reads a part, or returns undefined if it is unknown. */
class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  get isAtEnd(): boolean {
    return this.#at === this.#text.length
  }

  /** Forms between separators, up to the end. */
  several(separator: string, end: string): ReadonlyArray<Check> | undefined {
    const checks: Array<Check> = []
    do {
      const check = this.#form()
      if (check === undefined) return undefined
      checks.push(check)
    } while (this.#skip(separator))
    return this.#skip(end) ? checks : undefined
  }

  /** A form and its checks. */
  #form(): Check | undefined {
    let form = this.#unchecked()
    while (form !== undefined && this.#skip(" & ")) {
      const [before, check] = [form, checks[this.#word()]]
      form = check === undefined ? undefined : (value) => before(value) && check(value)
    }
    return form
  }

  #unchecked(): Check | undefined {
    if (this.#skip("(")) {
      const members = this.several(" | ", ")")
      return members && ((value) => members.some((is) => is(value)))
    }
    if (this.#skip("[")) return tuple(this.several(", ", "]"))
    if (this.#skip("{ ")) return this.#record()
    if (this.#skip("Array<")) {
      const items = this.several(", ", ">")
      return items && ((value) => Array.isArray(value) && value.every(items[0]!))
    }
    const literal = this.#match(/(?:"(?:[^"\\]|\\.)*"|-?\d[\d.e+-]*(?!n)|true|false)(?![\w.])/y)
    if (literal !== undefined) return (value) => value === JSON.parse(literal)
    return words[this.#word()]
  }

  /** The properties of a record, and its index signature. */
  #record(): Check | undefined {
    const properties: Array<readonly [name: string, isOptional: boolean, check: Check]> = []
    let others: Check | undefined
    do {
      const isSignature = this.#skip("[String]: ")
      const name = isSignature ? "" : this.#match(/(?:"(?:[^"\\]|\\.)*"|[A-Za-z_$][\w$]*)\??: /y)
      const check = name === undefined ? undefined : this.#form()
      if (name === undefined || check === undefined) return undefined
      if (isSignature) others = check
      else properties.push([nameIn(name), name.endsWith("?: "), check])
    } while (this.#skip(", "))
    if (!this.#skip(" }")) return undefined
    return (value) =>
      isObject(value) &&
      properties.every(([name, isOptional, is]) => Object.hasOwn(value, name) ? is(value[name]!) : isOptional) &&
      Object.values(value).every(others ?? (() => true))
  }

  #word(): string {
    return this.#match(/\w+(?![\w<(])/y) ?? ""
  }

  #skip(text: string): boolean {
    const isNext = this.#text.startsWith(text, this.#at)
    if (isNext) this.#at += text.length
    return isNext
  }

  #match(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.#at
    const found = sticky.exec(this.#text)?.[0]
    this.#at += found?.length ?? 0
    return found
  }
}

const isObject = (value: Json): value is JsonObject => Predicate.isObject(value)

const nameIn = (text: string): string => {
  const name = text.replace(/\??: $/, "")
  return name.startsWith("\"") ? JSON.parse(name) as string : name
}

const tuple = (places: ReadonlyArray<Check> | undefined): Check | undefined =>
  places &&
  ((value) => Array.isArray(value) && value.length === places.length && places.every((is, i) => is(value[i]!)))

const words: Readonly<Record<string, Check>> = {
  String: Predicate.isString,
  Number: Predicate.isNumber,
  Boolean: Predicate.isBoolean,
  Null: Predicate.isNull,
  Undefined: () => false,
  Json: () => true
}

const checks: Readonly<Record<string, Check>> = {
  isFinite: Predicate.isNumber,
  isInt: Number.isSafeInteger
}
