/** The chaos run in a short form; `npm run chaos` is the full one. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { budget, isWhole } from "../support/budget.ts"
import { processes, start, waitUntil } from "./harness.ts"

const chaos = new URL("../chaos/main.ts", import.meta.url)

/** No other run on this machine has it. Workers have the arguments of their program. */
const seed = `--seed ${process.pid}`

const tasks = budget(200)

/** For each of two transports. */
const seconds = isWhole ? 6 : 3

const running = () =>
  processes().filter(({ command }) => command.includes("test/chaos/main.ts") && command.includes(seed))

describe("a pool whose workers are killed and frozen at random", () => {
  it.live("ends every call once, runs no task twice unnoticed, harms no neighbour and leaves no process", () =>
    Effect.gen(function*() {
      const program = yield* start(chaos, "--tasks", `${tasks}`, "--interruptions", `${budget(80)}`, ...seed.split(" "))
      yield* waitUntil("it has workers", () => running().length > 1)
      yield* waitUntil("the chaos is over", () => program.process.exitCode !== null)
      assert.strictEqual(program.process.exitCode, 0, program.output())
      assert.include(program.output(), "all is well")
      assert.deepStrictEqual(running(), [])
    }).pipe(Effect.scoped))
})

describe("clients behind a bad network, of which some are killed and frozen", () => {
  it.live("are told nothing that is not so, and make no stale write", () =>
    Effect.gen(function*() {
      const program = yield* start(chaos, "--network", "--seconds", `${seconds}`, "--clients", "2", ...seed.split(" "))
      yield* waitUntil("the chaos is over", () => program.process.exitCode !== null)
      assert.strictEqual(program.process.exitCode, 0, program.output())
      assert.match(program.output(), /over TCP: .* 0 stale\nwith TLS: .* 0 stale\nall is well/)
      assert.deepStrictEqual(running(), [])
    }).pipe(Effect.scoped))
})

describe("npm run chaos", () => {
  it.live("prints one line for a bad option", () =>
    Effect.gen(function*() {
      for (const args of [["--speed", "9"], ["--seconds", "few"]]) {
        const program = yield* start(chaos, ...args)
        yield* waitUntil("it has ended", () => program.process.exitCode !== null)
        assert.strictEqual(program.process.exitCode, 1)
        assert.strictEqual(program.output().trim().split("\n").length, 1, program.output())
      }
    }).pipe(Effect.scoped))
})
