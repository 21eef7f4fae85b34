/** The lines of a child's output. */
import { forEachLine, lineLengthMax } from "#node/lines.ts"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"

const linesOf = (pieces: Iterable<string>) =>
  Effect.gen(function*() {
    const lines: Array<string> = []
    const bytes = Stream.map(Stream.fromIterable(pieces), (piece) => new TextEncoder().encode(piece))
    yield* forEachLine(bytes, (line) => Effect.sync(() => lines.push(line)))
    return lines
  })

/** Every text of these characters, up to a length. */
const texts = (length: number): ReadonlyArray<string> =>
  length === 0 ? [""] : ["", ...texts(length - 1).flatMap((text) => ["a", "\r", "\n"].map((first) => first + text))]

describe("lines", () => {
  it.effect("are the same wherever the text is cut into pieces", () =>
    Effect.gen(function*() {
      for (const text of new Set(texts(5))) {
        const expected = text.split(/\r\n|\n|\r/)
        if (expected.at(-1) === "") expected.pop()
        for (let cut = 0; cut <= text.length; cut++) {
          assert.deepStrictEqual(yield* linesOf([text.slice(0, cut), text.slice(cut)]), expected, JSON.stringify(text))
        }
      }
    }))

  it.effect("have a bound, and the text after a longer one is read", () =>
    Effect.gen(function*() {
      const piece = "x".repeat(lineLengthMax)
      const lines = yield* linesOf([piece, piece, "y\nafter\n", piece, "z"])
      const more = (count: number) => `${piece}… (${count} more characters)`
      assert.deepStrictEqual(lines, [more(lineLengthMax + 1), "after", more(1)])
    }))

  it.effect("are read on when one of them could not be printed", () =>
    Effect.gen(function*() {
      let printed = 0
      yield* forEachLine(Stream.make(new TextEncoder().encode("1\n2\n")), () =>
        Effect.sync(() => printed++).pipe(
          Effect.andThen(Effect.die("the console is broken"))
        ))
      assert.strictEqual(printed, 2)
    }))
})
