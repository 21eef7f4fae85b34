/** Processes that cannot be started, or are never ready, and output that is too much. */
import { Pool, Process } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { Console, Effect, Layer } from "effect"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Tasks from "./fixtures/tasks.ts"
import { fixture, waitUntil } from "./harness.ts"

const layer = (entry: string) =>
  Layer.provideMerge(Tasks.Log.layer, NodeManager.layerProgram({ entry: fixture(entry) }))

/** Runs the program that cannot start processes in a shell. */
const failures = (what: string, prefix = "") =>
  spawnSync("sh", ["-c", `${prefix} exec "$@"`, "sh", process.execPath, ...process.execArgv, program, what], {
    encoding: "utf8"
  }).stdout

const program = fileURLToPath(fixture("spawnFailures"))

describe("what the system says about a process that it does not start", () => {
  it("is told by SpawnError and StartFailed: an environment that is too large", () => {
    const output = failures("environment")
    assert.match(output, /failure: SpawnError: cannot start a process for Square: spawn E2BIG: argument list too long/)
    assert.match(output, /failure: ManagerError: cannot start a manager at .*: spawn E2BIG: argument list too long/)
    assert.notInclude(output, "defect")
  })

  it("is told by SpawnError: too many open files", () => {
    const output = failures("files", "ulimit -n 48;")
    assert.match(output, /failure: SpawnError: cannot start a process for .*EMFILE: too many open files/)
    assert.notInclude(output, "defect")
  })
})

describe("a worker that is never ready", () => {
  const question = "Does its entry call NodeManager.runMain"
  const late = `was not ready within its startTimeout of 2s and was killed. ${question}`

  it.live("is killed after its startTimeout, and the error says so", () =>
    Effect.gen(function*() {
      const options = { startTimeout: "2 seconds", name: "late" } as const
      const single = yield* Effect.flip(Process.run(Tasks.Tasks, Tasks.Square, { n: 1 }, options))
      assert.strictEqual(single._tag, "SpawnError")
      assert.include(single.message, `late ${late}`)
      const pooled = yield* Effect.flip(Effect.scoped(Pool.make(Tasks.Tasks, { size: 1, ...options })))
      assert.include(pooled.message, `late-1 ${late}`)
    }).pipe(Effect.provide(layer("never"))))

  it.live("because it ended, is told apart from one that had begun", () =>
    Effect.acquireUseRelease(
      Effect.sync(() => process.env["NEVER"] = "ends"),
      () =>
        Effect.gen(function*() {
          const single = yield* Effect.flip(Process.run(Tasks.Tasks, Tasks.Square, { n: 1 }))
          assert.match(
            single.message,
            /with code 0 before Square had a result\. The task did not run\. Does its entry call/
          )
          const pooled = yield* Effect.flip(Effect.scoped(Pool.make(Tasks.Tasks, { size: 1 })))
          assert.match(pooled.message, /ended with code 0 before it was ready\. Does its entry call/)
        }).pipe(Effect.provide(layer("never"))),
      () => Effect.sync(() => delete process.env["NEVER"])
    ))
})

it.live("a name that the manager would refuse is refused before anything is started", () =>
  Effect.gen(function*() {
    const name = "n".repeat(257)
    for (
      const refused of [
        Effect.asVoid(Process.run(Tasks.Tasks, Tasks.Square, { n: 1 }, { name })),
        Effect.asVoid(Effect.scoped(Pool.make(Tasks.Tasks, { size: 1, name: name.slice(2) })))
      ]
    ) {
      const { message } = yield* Effect.flip(refused)
      assert.match(message, /its name may have 256 characters, this one has 257/)
    }
    assert.strictEqual(yield* Process.run(Tasks.Tasks, Tasks.Square, { n: 7 }, { name: name.slice(1) }), 49)
  }).pipe(Effect.provide(layer("worker"))))

it.live("a line that is longer than a string can be stops no worker, and the lines after it are printed", () =>
  Effect.gen(function*() {
    const heard: Array<string> = []
    const console = { ...globalThis.console, log: (line: string) => heard.push(line) }
    // It ends when its output is read.
    const options = { name: "shouter", grace: "5 minutes" } as const
    yield* Process.run(Tasks.Tasks, Tasks.Shout, { megabytes: 600 }, options).pipe(
      Effect.provideService(Console.Console, console)
    )
    yield* waitUntil("all is read", () => heard.length === 2)
    assert.match(heard[0]!, /^\[shouter\] x+… \(628097024 more characters\)$/)
    assert.strictEqual(heard[1], "[shouter] after")
  }).pipe(Effect.provide(layer("worker"))))
