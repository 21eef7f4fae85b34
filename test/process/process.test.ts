/** Processes of the system: the suite, and what only the system does. */
import * as ChildProcess from "#node/childProcess.ts"
import * as Watchdog from "#node/watchdog.ts"
import { Manager, Process } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Console, Effect, Layer } from "effect"
import * as Tasks from "./fixtures/tasks.ts"
import { allGone, descendants, fixture, waitUntil } from "./harness.ts"
import { processes } from "./suites/processes.ts"
import { system } from "./system.ts"

processes(system)

const layer = Layer.provideMerge(Tasks.Log.layer, NodeManager.layerProgram({ entry: fixture("worker") }))

const silent: Console.Console = { ...globalThis.console, error: () => {} }

describe("a process", () => {
  it.live("that exits without a result is reported with its exit code and last lines", () =>
    Effect.gen(function*() {
      const exited = yield* Effect.flip(Process.run(Tasks.Tasks, Tasks.Leave, { code: 7 }, { name: "leaver" }))
      assert.strictEqual(exited._tag, "ProcessExited")
      assert.include(exited.message, "leaver")
      assert.include(exited.message, "with code 7")
      assert.include(exited.message, "last words")
    }).pipe(Effect.provide(layer)))

  it.live("is reported with the last 20 lines of its standard error, whatever is unread when it ends", () =>
    Effect.gen(function*() {
      const child = yield* ChildProcess.start({
        name: "writer",
        args: ["--eval", "for (let line = 1; line <= 100_000; line++) console.error(line)"],
        environment: {},
        instructions: "",
        grace: "10 seconds",
        guard: { graceMs: 1_000 }
      })
      yield* child.exit
      assert.deepStrictEqual(yield* child.lastLines, Array.from({ length: 20 }, (_, i) => String(i + 99_981)))
    }).pipe(Effect.scoped, Effect.provide([NodeServices.layer, Layer.succeed(Console.Console, silent)])))

  it.live("is named as one that is waited for until it has ended", () =>
    Effect.gen(function*() {
      const log = yield* Tasks.Log
      const waiting = yield* Process.spawn(Tasks.Tasks, Tasks.Wait, {}, { name: "waiting" })
      yield* log.take
      assert.deepStrictEqual(Watchdog.workers(), ["waiting"])
      yield* waiting.end
      assert.deepStrictEqual(Watchdog.workers(), [])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("that is killed takes its own children with it, also those that are no workers (R-1)", () =>
    Effect.gen(function*() {
      const log = yield* Tasks.Log
      const family = yield* Process.spawn(Tasks.Tasks, Tasks.Family, {})
      yield* log.take
      const [grandchild] = descendants(family.pid)
      assert.include(grandchild!.command, "sleep")
      yield* family.kill()
      yield* allGone([grandchild!])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("that exceeds its memory is reported with last lines that say so", () =>
    Effect.gen(function*() {
      const options = { execArgv: ["--max-old-space-size=32"] }
      const exited = yield* Effect.flip(Process.run(Tasks.Tasks, Tasks.Hoard, {}, options))
      assert.include(exited.message, "JavaScript heap out of memory")
    }).pipe(Effect.provide(layer)))

  it.live("ends after its last line has reached the console of its owner", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const console = { ...globalThis.console, log: (line: string) => heard.push(line) }
      yield* Process.run(Tasks.Tasks, Tasks.Say, { lines: 10_000 }, { name: "sayer" }).pipe(
        Effect.provideService(Console.Console, console)
      )
      assert.strictEqual(heard.length, 10_000)
      assert.match(heard.at(-1)!, /^\[sayer\] 10000 /)
    }).pipe(Effect.provide(layer)))

  it.live("cannot be started for a manager in memory", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Process.run(Tasks.Tasks, Tasks.Square, { n: 1 }))
      assert.include(error.message, "Use NodeManager.layer")
    }).pipe(Effect.provide(NodeManager.layerProgram({ entry: fixture("worker"), manager: Manager.layerMemory }))))

  it.live("cannot be started from an entry that does not exist, and the error has both names", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Process.run(Tasks.Tasks, Tasks.Square, { n: 1 }))
      assert.match(error.message, /neither .*absent\.ts nor .*absent\.js exists/)
    }).pipe(Effect.provide(NodeManager.layerProgram({ entry: fixture("absent") }))))

  it.live("cannot be started from an entry that is no file, and the error has its URL", () =>
    Effect.gen(function*() {
      for (const url of ["https://example.com/main.ts", "file://./main.ts"]) {
        const started = Effect.provide(
          Process.run(Tasks.Tasks, Tasks.Square, { n: 1 }),
          NodeManager.layerProgram({ entry: new URL(url) })
        )
        const error = yield* Effect.flip(started)
        assert.strictEqual(error._tag, "SpawnError")
        assert.include(error.message, `the entry of its children, ${new URL(url)}, is no file`)
      }
    }))

  it.live("leaves nothing behind: no process", () =>
    Effect.gen(function*() {
      yield* Effect.forEach([1, 2, 3], (n) => Process.run(Tasks.Tasks, Tasks.Square, { n }), { concurrency: 3 })
      yield* waitUntil("workers are gone", () =>
        descendants(process.pid).every((entry) => !entry.command.includes("worker.ts")))
    }).pipe(Effect.provide(layer)))
})
