/** The ends of whole programs: by Ctrl-C, by SIGKILL, by the death or the silence of their manager. */
import { Manager } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { Console, Context, Effect, Exit, Fiber, Layer, Redacted, Schedule, Scope, Stream } from "effect"
import { existsSync, readdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { sample } from "../support/budget.ts"
import { Gate, Log } from "./fixtures/tasks.ts"
import { allGone, descendants, fixture, managerOf, runtimeFolder, start, startWith, waitUntil } from "./harness.ts"

const layer = Layer.provideMerge(Layer.mergeAll(Log.layer, Gate.layer), NodeManager.layer)

const signals = (["SIGINT", "SIGTERM", "SIGHUP"] as const).flatMap((signal) =>
  ["all its processes", "main"].map((reached) => ({ signal, reached }))
)

/** What workers do when their program is killed. */
const states = ["--pool", "--busy", "--waiting", "--dying"].flatMap((mode) =>
  [false, true].map((frozen) => ({ mode, frozen }))
)

describe("a program", () => {
  for (const { reached, signal } of sample(signals)) {
    const order = "workers with their finalizers, then main, then the manager"
    it.live(`ends in order on a ${signal} to ${reached}: ${order}`, () =>
      Effect.gen(function*() {
        const program = yield* start(fixture("family"), "--patient")
        yield* waitUntil("the program is ready", () => /^ready$/m.test(program.output()))
        const children = descendants(program.pid)
        // Main comes last: its finalizers find what the signal has done to the others.
        if (reached !== "main") { for (const { pid } of children) process.kill(pid, signal) }
        program.process.kill(signal)
        assert.strictEqual((yield* program.exit).code, 130)
        assert.strictEqual(program.output().split("main is finalized").length, 2, program.output())
        assert.notInclude(program.output(), "Error")
        yield* allGone(children)
      }).pipe(Effect.scoped))
  }

  it.live("says in one line what it still waits for after Ctrl-C", () =>
    Effect.gen(function*() {
      const program = yield* start(fixture("family"), "--patient", "--stuck")
      yield* waitUntil("the program is ready", () => program.output().includes("ready"))
      const children = descendants(program.pid)
      program.process.kill("SIGINT")
      yield* waitUntil("it says so", () => program.output().includes("Ctrl-C again"))
      assert.match(
        program.output(),
        /^Ctrl-C: waiting for the finalizers of main.*\. Press Ctrl-C again to end at once$/m
      )
      program.process.kill("SIGINT")
      assert.strictEqual((yield* program.exit).code, 130)
      yield* allGone(children)
    }).pipe(Effect.scoped))

  it.live("takes two signals in a row for one", () =>
    Effect.gen(function*() {
      const program = yield* start(fixture("family"), "--patient")
      yield* waitUntil("the program is ready", () => program.output().includes("ready"))
      program.process.kill("SIGINT")
      program.process.kill("SIGINT")
      assert.strictEqual((yield* program.exit).code, 130)
      assert.include(program.output(), "main is finalized")
    }).pipe(Effect.scoped))

  it.live("ends at once when Ctrl-C is pressed again, whatever its finalizers still do, and leaves no process", () =>
    Effect.gen(function*() {
      const program = yield* start(fixture("family"), "--patient", "--stuck")
      yield* waitUntil("the program is ready", () => program.output().includes("ready"))
      const children = descendants(program.pid)
      const interrupt = Effect.sync(() => program.process.kill("SIGINT"))
      const impatience = yield* Effect.forkChild(Effect.repeat(interrupt, Schedule.spaced("200 millis")))
      assert.strictEqual((yield* program.exit).code, 130)
      yield* Fiber.interrupt(impatience)
      assert.notInclude(program.output(), "main is finalized")
      yield* allGone(children)
    }).pipe(Effect.scoped))

  it.live("that is killed leaves nothing: no manager, no busy worker, no child of it, no socket (R-6, R-7)", () =>
    Effect.gen(function*() {
      const folder = yield* runtimeFolder
      const program = yield* startWith({ env: { XDG_RUNTIME_DIR: folder } }, fixture("family"))
      yield* waitUntil("the program is ready", () => program.output().includes("ready"))
      const children = descendants(program.pid)
      const expected = ["programs/manager.cjs", "programs/watchdog.cjs", "fixtures/family.ts", "sleep 1000"]
      assert.strictEqual(children.length, expected.length)
      for (const part of expected) assert.isTrue(children.some(({ command }) => command.includes(part)), part)
      assert.lengthOf(readdirSync(folder), 1)
      program.process.kill("SIGKILL")
      yield* allGone(children)
      yield* waitUntil("its socket is gone", () => readdirSync(folder).length === 0)
    }).pipe(Effect.scoped))

  for (const { frozen, mode } of sample(states)) {
    const state = `${mode.slice(2)}${frozen ? ", frozen" : ""}`
    it.live(`that is killed leaves no child of a worker, whatever the worker does then (R-6): ${state}`, () =>
      Effect.gen(function*() {
        const program = yield* start(fixture("family"), mode)
        yield* waitUntil("the program is ready", () => program.output().includes("ready"))
        const children = descendants(program.pid)
        assert.isTrue(children.some(({ command }) => command.includes("sleep 1000")))
        const workers = children.filter(({ command }) => command.includes("fixtures/family.ts"))
        if (frozen) { for (const { pid } of workers) process.kill(pid, "SIGSTOP") }
        program.process.kill("SIGKILL")
        yield* allGone(children)
      }).pipe(Effect.scoped))
  }
})

describe("a manager", () => {
  it.live("that is killed fails every waiting and every later call, at once", () =>
    Effect.gen(function*() {
      const log = yield* Log
      const waiting = yield* Effect.forkChild(Effect.flip(log.take))
      yield* Effect.repeat(log.size, { times: 3 })
      process.kill(managerOf(process.pid), "SIGKILL")
      const error = yield* Fiber.join(waiting)
      assert.include(error.message, "outcome of take on Queue \"test/Log\" is unknown")
      assert.include((yield* Effect.flip(log.size)).message, "was not executed")
    }).pipe(Effect.provide(layer)))

  it.live("that is frozen cannot hold up an interruption (S-10)", () =>
    Effect.gen(function*() {
      const log = yield* Log
      const manager = managerOf(process.pid)
      const waiting = yield* Effect.forkChild(log.take)
      yield* log.size
      yield* Effect.acquireUseRelease(
        Effect.sync(() => process.kill(manager, "SIGSTOP")),
        // It ends, though the manager does not reply.
        () => Fiber.interrupt(waiting),
        () => Effect.sync(() => process.kill(manager, "SIGCONT"))
      )
      // The connection has settled the call that the fiber did not wait for.
      yield* log.offer("for nobody else")
      assert.strictEqual(yield* log.size, 1)
    }).pipe(Effect.provide(layer)))

  it.live("takes a lock from a body whose connection is lost, and says so (S-22)", () =>
    Effect.gen(function*() {
      const gate = yield* Gate
      const kill = Effect.sync(() => process.kill(managerOf(process.pid), "SIGKILL"))
      const error = yield* Effect.flip(gate.withLock(Effect.andThen(kill, Effect.never)))
      assert.strictEqual(error._tag, "LockLost")
    }).pipe(Effect.provide(layer)))

  it.live("replaces a socket that nobody listens on, and not one in use", () =>
    Effect.gen(function*() {
      const path = `${tmpdir()}/emp-test-${process.pid}`
      const key = Redacted.make("a key of this test, not to be guessed")
      const server = NodeManager.layerServer({ path, key })
      yield* Effect.gen(function*() {
        const inUse = yield* Effect.flip(Effect.provide(Effect.void, Layer.fresh(server)))
        assert.include(inUse.message, "EADDRINUSE")
        const wrongKey = NodeManager.layerClient({ path, key: Redacted.make("another") })
        const refused = yield* Effect.flip(Effect.provide(Manager.Manager, wrongKey))
        assert.include(refused.message, "the key is wrong")
        const client = yield* Effect.provide(
          Effect.flatMap(Manager.Manager, (manager) => manager.inspect),
          NodeManager.layerClient({ path, key, name: "other" })
        )
        assert.include(client.sessions.map(({ name }) => name), "other")
      }).pipe(Effect.provide(server))
      const nobody = yield* Effect.flip(Effect.provide(Manager.Manager, NodeManager.layerClient({ path, key })))
      assert.include(nobody.message, "Is it running")
    }))

  it.live("reports a wrong path of its socket", () =>
    Effect.gen(function*() {
      for (
        const [path, issue] of [[
          `${tmpdir()}/${"x".repeat(200)}`,
          /may have 10[37] bytes, this one has 2\d\d\. Use a shorter path$/
        ], [
          `/nonexistent-${process.pid}/socket`,
          /: there is no folder \/nonexistent-\d+$/
        ]] as const
      ) {
        const { message } = yield* Effect.flip(Effect.provide(Effect.void, NodeManager.layerServer({ path })))
        assert.match(message, /^cannot start a manager at /)
        assert.match(message, issue)
      }
    }))

  it.live("whose process cannot start says why (R-41)", () =>
    Effect.gen(function*() {
      const journal = `/nonexistent-${process.pid}/journal`
      const { message } = yield* Effect.flip(Effect.provide(Effect.void, NodeManager.layerWith({ journal })))
      assert.match(
        message,
        /ended with code 1 while starting: Error: cannot write the journal .*: ENOENT: no such file/
      )
    }))

  it.live.skipIf(!existsSync("/dev/full"))(
    "whose journal's disk is full stops, and its output and the errors of all its clients say why (R-41)",
    () =>
      Effect.gen(function*() {
        const output: Array<string> = []
        const console = { ...globalThis.console, error: (line: string) => output.push(line) }
        const errors = yield* Effect.gen(function*() {
          const { endpoint } = yield* Manager.Manager
          const other = Context.get(
            yield* Layer.build(Layer.fresh(NodeManager.layerClient(endpoint!))),
            Manager.Manager
          )
          const waiting = yield* Effect.forkChild(Effect.flip(Stream.runDrain(other.changes)))
          yield* other.counts
          // The first change.
          const changing = yield* Effect.flip(Layer.build(Log.layer))
          return [changing, yield* Fiber.join(waiting), yield* Effect.flip(other.counts)]
        }).pipe(
          Effect.provide(NodeManager.layerWith({ journal: "/dev/full" })),
          Effect.scoped,
          Effect.provideService(Console.Console, console)
        )
        for (const { message } of errors) {
          assert.match(
            message,
            /the manager has stopped .*: cannot write the journal \/dev\/full: ENOSPC: no space left/
          )
        }
        yield* waitUntil("its output is read", () => output.length > 0)
        assert.match(
          output.join("\n"),
          /\[manager\] Error: cannot write the journal \/dev\/full: ENOSPC: no space left/
        )
      })
  )

  it.live("finds a folder for its socket when the temporary folder is unusable (R-20)", () =>
    Effect.gen(function*() {
      for (const TMPDIR of sample([`/nonexistent-${process.pid}`, "", `/${"x".repeat(100)}-${process.pid}`])) {
        const program = yield* startWith({ env: { TMPDIR } }, fixture("debugged"))
        assert.strictEqual((yield* program.exit).code, 0, program.output())
        assert.isFalse(TMPDIR !== "" && existsSync(TMPDIR), `${TMPDIR} was not there, and was made`)
      }
    }).pipe(Effect.scoped))

  it.live("that is shut down tells its clients, whose calls fail with the reason (R-19)", () =>
    Effect.gen(function*() {
      const key = Redacted.make("a key of this test, not to be guessed")
      const path = `${tmpdir()}/emp-closing-${process.pid}`
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(NodeManager.layerServer({ path, key }), scope)
      yield* Effect.gen(function*() {
        const log = yield* Log
        const waiting = yield* Effect.forkChild(Effect.flip(log.take))
        yield* log.size
        yield* Scope.close(scope, Exit.void)
        assert.include((yield* Fiber.join(waiting)).message, "the manager was shut down")
      }).pipe(Effect.provide(Layer.provide(Log.layer, NodeManager.layerClient({ path, key }))))
    }))
})
