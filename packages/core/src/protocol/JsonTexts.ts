/**
 * JSON of any size as texts: a string has a bound, and to make a long one holds up the event loop.
 *
 * A list that is too long for its text leaves it. Its elements come before, in texts of their own, and
 * `{ "~texts": [3, 4] }` stands in its place: the numbers of these texts. No format (`engine/Format.ts`) has such a field.
 */
import type { Json } from "../engine/Format.ts"

/** About the characters of a text, which is longer if a single value in it is. */
const charactersMax = 512 * 1024

/** Writes JSON as texts, one after the other: the last one is the whole without its long lists. */
export function* write(json: Json, textMax = charactersMax): Generator<string, void> {
  let count = 0

  function* shortened(json: Json): Generator<string, Json> {
    if (typeof json !== "object" || json === null || lengthOf(json, textMax) <= textMax) return json
    if (Array.isArray(json)) return yield* apart(json)
    const fields: Array<[string, Json]> = []
    for (const [name, value] of Object.entries(json)) fields.push([name, yield* shortened(value)])
    return Object.fromEntries(fields)
  }

  function* apart(list: ReadonlyArray<Json>): Generator<string, Json> {
    const numbers: Array<number> = []
    let elements: Array<Json> = []
    let length = 0
    for (const [i, element] of list.entries()) {
      const short = yield* shortened(element)
      elements.push(short)
      length += lengthOf(short, textMax)
      if (length < textMax && i < list.length - 1) continue
      yield JSON.stringify(elements)
      numbers.push(count++)
      elements = []
      length = 0
    }
    return { [field]: numbers }
  }

  yield JSON.stringify(yield* shortened(json))
}

/** Reads JSON of its texts. What is no JSON is thrown by `JSON.parse`. */
export const read = (texts: Iterable<string>): unknown => {
  const read: Array<unknown> = []
  for (const text of texts) {
    const json: unknown = JSON.parse(text)
    read.push(text.includes(`"${field}"`) ? whole(json, read) : json)
  }
  return read.at(-1)
}

// internals

const field = "~texts"

/** About the characters of JSON; more than `max`: it was not counted further. */
const lengthOf = (json: Json, max: number): number => {
  if (typeof json === "string") return json.length + 3
  if (typeof json !== "object" || json === null) return 8
  let length = 2
  for (const value of Array.isArray(json) ? json : Object.values(json)) {
    length += lengthOf(value, max - length)
    if (length > max) break
  }
  return length
}

/** JSON with its long lists, which are among the texts before it. */
const whole = (json: unknown, before: ReadonlyArray<unknown>): unknown => {
  if (typeof json !== "object" || json === null) return json
  if (Array.isArray(json)) return json.map((element) => whole(element, before))
  if (field in json) return (json[field] as ReadonlyArray<number>).flatMap((number) => before[number])
  return Object.fromEntries(Object.entries(json).map(([name, value]) => [name, whole(value, before)]))
}
