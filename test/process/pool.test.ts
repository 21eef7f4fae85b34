/** Pools of real processes: the suite, and what only the system does. */
import { Pool } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Crash, Tasks } from "./fixtures/poolTasks.ts"
import { allGone, descendants, fixture, start } from "./harness.ts"
import { pools } from "./suites/pools.ts"
import { system } from "./system.ts"
import { traces, untilTraced } from "./traces.ts"

pools(system)

describe("a worker that exits", () => {
  it.live("is reported with its exit code and its last lines", () =>
    Effect.gen(function*() {
      yield* traces
      const pool = yield* Pool.make(Tasks, { size: 1, name: "crashing" })
      const crashed = yield* Effect.flip(pool.execute(Crash))
      assert.strictEqual(crashed._tag, "WorkerCrashed")
      if (crashed._tag !== "WorkerCrashed") return
      const { attempt, code, lastLines, signal, task, worker } = crashed
      assert.deepStrictEqual(
        { attempt, code, lastLines, signal, task, worker },
        {
          attempt: 1,
          code: 7,
          lastLines: ["last words of attempt 1"],
          signal: null,
          task: "Crash",
          worker: "crashing-1"
        }
      )
      assert.notStrictEqual(crashed.pid, process.pid)
    }).pipe(Effect.scoped, Effect.provide(NodeManager.layerProgram({ entry: fixture("poolWorker") }))))
})

describe("the end of a pool", () => {
  it.live("comes with Ctrl-C: in order, and leaves nothing", () =>
    Effect.gen(function*() {
      const { lines } = yield* traces
      const program = yield* start(fixture("pool"))
      yield* untilTraced(lines, "started 1 1", "started 2 1", "started 3 1")
      const children = descendants(program.pid)
      program.process.kill("SIGINT")
      assert.strictEqual((yield* program.exit).code, 130)
      assert.notInclude(program.output(), "Error")
      yield* allGone(children)
      assert.includeMembers(lines(), ["ended 1 1", "ended 3 1"])
      assert.notInclude(lines(), "started 4 1")
    }).pipe(Effect.scoped))

  it.live("comes with the death of its owner: no worker stays (R-6)", () =>
    Effect.gen(function*() {
      const { lines } = yield* traces
      const program = yield* start(fixture("pool"))
      yield* untilTraced(lines, "started 1 1", "started 2 1", "started 3 1")
      const children = descendants(program.pid)
      program.process.kill("SIGKILL")
      yield* allGone(children)
    }).pipe(Effect.scoped))
})
