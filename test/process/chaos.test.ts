/** The chaos run in a short form; `npm run chaos` is the full one. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { processes, start, waitUntil } from "./harness.ts"

const chaos = new URL("../chaos/main.ts", import.meta.url)

const running = () => processes().filter(({ command }) => command.includes("test/chaos/main.ts"))

describe("a pool whose workers are killed and frozen at random", () => {
  it.live("ends every call once, runs no task twice unnoticed, harms no neighbour and leaves no process", () =>
    Effect.gen(function*() {
      const before = new Set(running().map(({ pid }) => pid))
      const program = yield* start(chaos, "--tasks", "500", "--interruptions", "200", "--seed", "7")
      yield* waitUntil("the chaos is over", () => program.process.exitCode !== null)
      assert.strictEqual(program.process.exitCode, 0, program.output())
      assert.include(program.output(), "all is well")
      assert.deepStrictEqual(running().filter(({ pid }) => !before.has(pid)), [])
    }).pipe(Effect.scoped))
})
