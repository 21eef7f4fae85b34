/** The notation of the examples' headers matches exactly the outputs that it describes. */
import { assert, describe, it } from "vitest"
import { matches, runsOf } from "./header.ts"

const source = `/**
 * Counts.
 *
 *     $ npm run example examples/99_count.ts 3 4
 *     three
 *     four
 *
 * Text between.
 *
 *     $ npm run example examples/99_count.ts
 *     none
 */
/** Another comment. */
`

const output = (...lines: ReadonlyArray<string>) => lines.map((line) => `${line}\n`).join("")

describe("the header of an example", () => {
  it("has commands, and the output of each", () => {
    assert.deepStrictEqual(runsOf(source), [{ args: ["3", "4"], lines: ["three", "four"] }, {
      args: [],
      lines: ["none"]
    }])
  })

  it("matches exactly its lines, in their order", () => {
    assert.isTrue(matches(["a", "b (c)"], output("a", "b (c)")))
    for (const other of [output("b (c)", "a"), output("a"), output("a", "b (c)", "d"), output("a", "b c"), ""]) {
      assert.isFalse(matches(["a", "b (c)"], other), other)
    }
  })

  it("has names for free parts, each of which stands for one text", () => {
    assert.isTrue(matches(["<x> then <y>", "again <x>"], output("1.5 then 2", "again 1.5")))
    assert.isFalse(matches(["<x> then <y>", "again <x>"], output("1.5 then 2", "again 2")))
    assert.isFalse(matches(["<x>"], output("two words")))
  })

  it("marks lines that come in any order", () => {
    const lines = ["first", "~ <x> a", "~ <y> b", "last <x>"]
    assert.isTrue(matches(lines, output("first", "2 b", "1 a", "last 1")))
    assert.isTrue(matches(lines, output("first", "1 a", "2 b", "last 1")))
    assert.isFalse(matches(lines, output("first", "1 a", "last 1", "2 b")))
    assert.isFalse(matches(lines, output("1 a", "first", "2 b", "last 1")))
    assert.isFalse(matches(lines, output("first", "1 a", "2 b", "last 2")))
  })
})
