/** JSON of any size as texts. */
import type { Json } from "#core/engine/Format.ts"
import * as JsonTexts from "#core/protocol/JsonTexts.ts"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"

/** JSON without the one field that no format has. */
const hasField = (json: unknown): boolean =>
  typeof json === "object" && json !== null && ("~texts" in json || Object.values(json).some(hasField))

describe("JSON as texts", () => {
  it.prop("is the same again, whatever a text holds", [Schema.Json, Schema.Int], ([json, n]) => {
    if (hasField(json)) return
    const texts = [...JsonTexts.write(json as Json, Math.abs(n % 100))]
    assert.deepStrictEqual(JsonTexts.read(texts), JSON.parse(JSON.stringify(json)))
  })

  it("is one text if it is short: that of earlier releases", () => {
    const json = { objects: [{ state: ["~texts", { a: 1 }] }], sessions: [] }
    assert.deepStrictEqual([...JsonTexts.write(json)], [JSON.stringify(json)])
    assert.deepStrictEqual(JsonTexts.read([JSON.stringify(json)]), json)
  })

  it("has no text that is much longer than asked for, of lists in lists", () => {
    const json = {
      objects: Array.from({ length: 20 }, (_, i) => ({ id: i, state: Array.from({ length: i * 10 }, String) }))
    }
    const texts = [...JsonTexts.write(json, 100)]
    assert.isAbove(texts.length, 100)
    for (const text of texts) assert.isBelow(text.length, 300)
    assert.deepStrictEqual(JsonTexts.read(texts), json)
  })

  it("is made as it is read: the first text is there before the last one", () => {
    const texts = JsonTexts.write(Array.from({ length: 1_000 }, (_, i) => i), 100)
    assert.strictEqual(texts.next().value, JSON.stringify(Array.from({ length: 13 }, (_, i) => i)))
  })
})
