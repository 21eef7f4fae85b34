/** Progress as a person sees it. */
import { NodeProgress } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { TestClock } from "effect/testing"

/** One step each second. */
const steps = (...done: ReadonlyArray<number>) =>
  Stream.fromIterable(done).pipe(Stream.rechunk(1), Stream.tap(() => TestClock.adjust("1 second")))

const shown = Effect.fnUntraced(function*(terminal: boolean, done: Stream.Stream<number>) {
  const texts: Array<string> = []
  yield* NodeProgress.show(done, { total: 20, unit: "files", terminal, write: (text) => texts.push(text) })
  return texts
})

describe("progress", () => {
  it.effect("is a line for each tenth of the way without a terminal, with rate and remaining time", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* shown(false, steps(0, 1, 2, 3, 10, 20, 99)), [
        "progress: 2/20 files, 1 files/s, 27 s left\n",
        "progress: 10/20 files, 2 files/s, 5 s left\n",
        "progress: 20/20 files, 3 files/s\n"
      ])
    }))

  it.effect("is a bar that redraws on a terminal, and ends with its line", () =>
    Effect.gen(function*() {
      const texts = yield* shown(true, steps(10, 20))
      assert.strictEqual(texts[0], "\r\u001b[K[###############...............] 10/20 files, 10 files/s, 1 s left")
      assert.include(texts[1]!, `[${"#".repeat(30)}] 20/20 files, 10 files/s`)
      assert.strictEqual(texts.at(-1), "\n")
    }))

  it.effect("that ends early says where it stopped", () =>
    Effect.gen(function*() {
      const texts = yield* shown(true, steps(1, 7))
      assert.include(texts.at(-2)!, "7/20 files")
    }))

  it.effect("has notes above its bar, and among its lines", () =>
    Effect.gen(function*() {
      for (const terminal of [true, false]) {
        const texts: Array<string> = []
        const write = (text: string) => texts.push(text)
        yield* Effect.scoped(Effect.flatMap(
          NodeProgress.make({ total: 4, terminal, write }),
          ({ note, set }) => Effect.andThen(set(1), note("hello"))
        ))
        assert.include(texts, terminal ? "\r\u001b[Khello\n" : "hello\n")
      }
    }))
})
