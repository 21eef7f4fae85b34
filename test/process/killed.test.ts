/** Programs that are killed while the watchdog, the manager or a child is in a state of its own. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readdirSync } from "node:fs"
import { sample } from "../support/budget.ts"
import {
  allGone,
  descendants,
  fixture,
  isAlive,
  managerOf,
  runtimeFolder,
  start,
  startWith,
  waitUntil
} from "./harness.ts"

describe("a program that is killed", () => {
  for (const child of sample(["pool", "manager", "worker"])) {
    it.live(`before anything knows of a child that it has started leaves no process (R-6): ${child}`, () =>
      Effect.gen(function*() {
        const program = yield* start(fixture("early"), child)
        assert.strictEqual((yield* program.exit).signal, "SIGKILL", program.output())
        const pid = Number(program.output())
        yield* waitUntil("its child is gone", () => !isAlive(pid))
      }).pipe(Effect.scoped))

    it.live.skipIf(process.platform !== "linux")(
      `before anything knows of a child that it has started leaves no process, though the child is frozen (R-6): ${child}`,
      () =>
        Effect.gen(function*() {
          const program = yield* start(fixture("early"), child, "--frozen")
          yield* waitUntil("the child has started", () => program.output().includes("\n"))
          const pid = Number(program.output())
          yield* Effect.addFinalizer(() => Effect.sync(() => isAlive(pid) && process.kill(pid, "SIGKILL")))
          yield* waitUntil("its child is gone", () => !isAlive(pid))
        }).pipe(Effect.scoped)
    )
  }

  it.live("leaves no worker, though its watchdog was killed before: the next worker has brought it back (R-6)", () =>
    Effect.gen(function*() {
      const program = yield* start(fixture("watched"))
      yield* waitUntil("the program is ready", () => program.output().includes("ready"))
      const watchdogs = () =>
        descendants(program.pid).filter(({ command }) => command.includes("programs/watchdog.cjs"))
      const [watchdog] = watchdogs()
      process.kill(watchdog!.pid, "SIGKILL")
      yield* waitUntil("the watchdog is gone", () => watchdogs().length === 0)
      program.process.kill("SIGUSR2")
      yield* waitUntil("it has another worker", () => program.output().includes("and again"))
      const children = descendants(program.pid)
      const workers = children.filter(({ command }) => command.includes("fixtures/watched.ts"))
      assert.lengthOf(workers, 2)
      for (const { pid } of workers) process.kill(pid, "SIGSTOP")
      program.process.kill("SIGKILL")
      yield* allGone(children)
    }).pipe(Effect.scoped))

  it.live("leaves no manager that is frozen, and no folder of its socket (R-6)", () =>
    Effect.gen(function*() {
      const folder = yield* runtimeFolder
      const program = yield* startWith({ env: { XDG_RUNTIME_DIR: folder } }, fixture("managed"))
      yield* waitUntil("the program is ready", () => program.output().includes("ready"))
      const children = descendants(program.pid)
      process.kill(managerOf(program.pid), "SIGSTOP")
      program.process.kill("SIGKILL")
      yield* allGone(children)
      yield* waitUntil("its socket is gone", () => readdirSync(folder).length === 0)
    }).pipe(Effect.scoped))
})
