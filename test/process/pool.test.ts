/** Pools of real processes: results, crashes, cancellation, ends. */
import { Manager, Pool, Shared, SharedQueue } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schedule, Schema, Stream } from "effect"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Fixture from "./fixtures/poolTasks.ts"
import { allGone, descendants, fixture, isAlive, start, waitUntil } from "./harness.ts"

const { Crash, Long, Pass, Spin, Square, Stubborn, Tasks, Wait, Work } = Fixture

const layer = NodeManager.layerProgram({ entry: fixture("poolWorker") })

/** A file for the traces of this test's workers, and its lines so far. */
const traces = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "emp-pool-"))
    const path = join(folder, "trace")
    process.env[Fixture.traceVariable] = path
    return { folder, lines: () => existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [] }
  }),
  ({ folder }) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

const workersOf = (pid: number) => descendants(pid).filter(({ command }) => command.includes("poolWorker.ts"))

const has = (lines: () => ReadonlyArray<string>, ...wanted: ReadonlyArray<string>) =>
  waitUntil(`the traces have ${wanted.join(", ")}`, () => wanted.every((line) => lines().includes(line)))

/** The first event of a kind. */
const event = <T extends Pool.PoolEvent["_tag"]>(pool: { readonly events: Stream.Stream<Pool.PoolEvent> }, tag: T) =>
  pool.events.pipe(
    Stream.filter((event): event is Extract<Pool.PoolEvent, { readonly _tag: T }> => event._tag === tag),
    Stream.runHead,
    Effect.map((head) => head._tag === "Some" ? head.value : assert.fail(`there was no ${tag}`))
  )

describe("a pool", () => {
  it.live("returns results in order, errors typed, defects with their message", () =>
    Effect.gen(function*() {
      yield* traces
      const pool = yield* Pool.make(Tasks, { size: 2 })
      const payloads = Array.from({ length: 1_000 }, (_, i) => ({ n: i + 14 }))
      const squares = payloads.map(({ n }) => n * n)
      assert.deepStrictEqual(yield* pool.map(Square, payloads), squares)
      assert.deepStrictEqual(yield* pool.map(Square, payloads, { chunk: 7 }), squares)
      assert.deepStrictEqual(yield* Stream.runCollect(pool.stream(Square, Stream.fromIterable(payloads))), squares)
      const unordered = yield* Stream.runCollect(pool.mapUnordered(Square, payloads, { chunk: 3 }))
      assert.deepStrictEqual(unordered.toSorted((a, b) => a - b), squares)
      assert.deepStrictEqual(yield* pool.map(Square, []), [])
      assert.deepStrictEqual(yield* Effect.flip(pool.execute(Square, { n: 13 })), new Fixture.Unlucky({ n: 13 }))
      const failure = yield* Effect.flip(pool.map(Square, Array.from({ length: 100 }, (_, n) => ({ n }))))
      assert.deepStrictEqual(failure, new Fixture.Unlucky({ n: 13 }))
      assert.include(String(yield* Effect.exit(pool.execute(Square, { n: -1 }))), "negative")
      assert.strictEqual(yield* pool.execute(Square, { n: 2 }), 4)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("takes no more from a source than its workers can do (backpressure)", () =>
    Effect.gen(function*() {
      yield* traces
      const pool = yield* Pool.make(Tasks, { size: 2 })
      let taken = 0
      const source = Stream.range(0, Infinity).pipe(
        Stream.rechunk(1),
        Stream.tap(() => Effect.sync(() => taken++)),
        Stream.map((n) => ({ n: n + 14 }))
      )
      const first = yield* Stream.runCollect(Stream.take(pool.stream(Square, source), 10))
      assert.strictEqual(first.length, 10)
      assert.isBelow(taken, 40)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("builds its tasks' layer once in each worker, and closes it at the end", () =>
    Effect.gen(function*() {
      const { lines } = yield* traces
      const used = yield* Effect.scoped(Effect.gen(function*() {
        const pool = yield* Pool.make(Tasks, { size: 3 })
        assert.strictEqual(lines().length, 3)
        const ids = Array.from({ length: 30 }, (_, id) => ({ id, ms: 5, busy: false }))
        return new Set(yield* pool.map(Work, ids, { chunk: 1 }))
      }))
      const opened = lines().filter((line) => line.startsWith("opened"))
      const closed = lines().filter((line) => line.startsWith("closed"))
      assert.strictEqual(opened.length, 3)
      assert.sameMembers(closed, opened.map((line) => line.replace("opened", "closed")))
      for (const pid of used) assert.include(opened, `opened ${pid}`)
      assert.deepStrictEqual(workersOf(process.pid), [])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("counts its work, and reports its progress", () =>
    Effect.gen(function*() {
      yield* traces
      const pool = yield* Pool.make(Tasks, { size: 2 })
      const last = yield* Effect.forkChild(Stream.runLast(pool.progress))
      yield* pool.map(Square, Array.from({ length: 50 }, (_, n) => ({ n: n + 14 })))
      yield* Effect.flip(pool.execute(Square, { n: 13 }))
      yield* pool.shutdown
      const progress = yield* Fiber.join(last)
      assert.deepStrictEqual(
        progress._tag === "Some" ? progress.value : undefined,
        { accepted: 51, done: 50, failed: 1, cancelled: 0, workers: 0 }
      )
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("sends handles in payloads and results, and releases them (R-25)", () =>
    Effect.gen(function*() {
      yield* traces
      const manager = yield* Manager.Manager
      const pool = yield* Pool.make(Tasks, { size: 2 })
      const { objects: before } = (yield* manager.inspect).counts
      yield* Effect.scoped(Effect.gen(function*() {
        // Only the call refers to this queue.
        const passed = yield* Effect.forEach([1, 2, 3, 4, 5, 6], (item) =>
          Shared.acquire(Effect.scoped(Effect.flatMap(SharedQueue.make({ item: Schema.Int }), (queue) =>
            pool.execute(Pass, { queue, item })))), { concurrency: "unbounded" })
        assert.deepStrictEqual(
          yield* Effect.forEach(passed, (queue) =>
            queue.take),
          [1, 2, 3, 4, 5, 6]
        )
        const queue = yield* SharedQueue.make({ item: Schema.Int })
        const payloads = Array.from({ length: 20 }, (_, item) => ({ queue, item }))
        yield* Shared.acquire(pool.map(Pass, payloads, { chunk: 4 }))
        assert.strictEqual(yield* queue.size, 20)
      }))
      // The carriers are gone, and the objects with the scope of the results.
      yield* Effect.repeat(manager.inspect, {
        until: ({ counts }) =>
          counts.objects === before
      })
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("refuses bad input with a typed error, and goes on", () =>
    Effect.gen(function*() {
      yield* traces
      const size = yield* Effect.flip(Pool.make(Tasks, { size: 0 }))
      assert.include(size.message, "size must be a whole number from 1 to 1024")
      const pool = yield* Pool.make(Tasks, { size: 1 })
      assert.include((yield* Effect.flip(pool.map(Square, [{ n: 1 }], { chunk: 0 }))).message, "chunk must be")
      assert.include((yield* Effect.flip(pool.execute(Square, { n: 0.5 }))).message, "does not encode")
      const payload = yield* Effect.flip(pool.execute(Long, { length: 33 * 1024 * 1024 }))
      assert.include(payload.message, "It has run, and its result is lost")
      assert.strictEqual(yield* pool.execute(Square, { n: 3 }), 9)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("cannot be made when its workers cannot start, and says why", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Pool.make(Tasks, { size: 2 }))
      assert.match(error.message, /ended with code 1 before it was ready/)
      assert.include(error.message, "does not serve the task test/pool/Square")
    }).pipe(
      Effect.scoped,
      Effect.provide(NodeManager.layerProgram({ entry: fixture("worker") }))
    ))
})

describe("a worker that crashes", () => {
  it.live("is reported with its last lines, and replaced", () =>
    Effect.gen(function*() {
      yield* traces
      const pool = yield* Pool.make(Tasks, { size: 1, name: "crashing" })
      const crashed = yield* Effect.flip(pool.execute(Crash, { times: 1 }))
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
      assert.strictEqual(yield* pool.execute(Square, { n: 3 }), 9)
      assert.strictEqual((yield* event(pool, "WorkerExited")).pid, crashed.pid)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("may be ended with SIGTERM: its finalizers run, and its task has crashed, not been interrupted", () =>
    Effect.gen(function*() {
      const { lines } = yield* traces
      const pool = yield* Pool.make(Tasks, { size: 1 })
      const call = yield* Effect.forkChild(pool.execute(Wait, { id: 1 }))
      yield* has(lines, "started 1 1")
      process.kill(workersOf(process.pid)[0]!.pid, "SIGTERM")
      const error = yield* Effect.flip(Fiber.join(call))
      assert.strictEqual(error._tag, "WorkerCrashed")
      assert.include(lines(), "ended 1 1")
      assert.strictEqual(yield* pool.execute(Square, { n: 3 }), 9)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("costs only the call that it had begun: the others run once", () =>
    Effect.gen(function*() {
      const { lines } = yield* traces
      const pool = yield* Pool.make(Tasks, { size: 1 })
      // Short ones, so that many are sent ahead.
      yield* pool.map(Work, Array.from({ length: 100 }, (_, i) => ({ id: -1 - i, ms: 0, busy: true })))
      const calls = [
        ...Array.from({ length: 50 }, (_, id) => pool.execute(Work, { id, ms: 0, busy: true })),
        pool.execute(Crash, { times: 1 }),
        ...Array.from({ length: 50 }, (_, id) => pool.execute(Work, { id: id + 50, ms: 0, busy: true }))
      ]
      const exits = yield* Effect.all(calls.map(Effect.exit), { concurrency: "unbounded" })
      assert.deepStrictEqual(exits.flatMap((exit, i) => Exit.isFailure(exit) ? [i] : []), [50])
      const started = lines().filter((line) => /^started \d/.test(line))
      assert.strictEqual(new Set(started).size, 100)
      assert.strictEqual(started.length, 100)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("has its task repeated by a schedule, and attempts are counted", () =>
    Effect.gen(function*() {
      yield* traces
      const pool = yield* Pool.make(Tasks, { size: 2, retry: Schedule.recurs(2) })
      assert.strictEqual(yield* pool.execute(Crash, { times: 2 }), 3)
      const crashed = yield* Effect.flip(pool.execute(Crash, { times: 3 }))
      assert.include(crashed.message, "attempt 3")
      assert.strictEqual(yield* pool.execute(Crash, { times: 3 }, { retry: Schedule.recurs(3) }), 4)
      // The schedule receives only crashes.
      const heard: Array<unknown> = []
      const retry = Schedule.recurs(2).pipe(Schedule.tap(({ input }) => Effect.sync(() => heard.push(input))))
      assert.strictEqual((yield* Effect.flip(pool.execute(Square, { n: 13 }, { retry })))._tag, "Unlucky")
      assert.deepStrictEqual(heard, [])
      yield* pool.execute(Crash, { times: 1 }, { retry })
      assert.deepStrictEqual(heard.map((error) => error instanceof Pool.WorkerCrashed), [true])
      assert.strictEqual((yield* event(pool, "TaskRepeated")).attempt, 2)
      // Its own errors are not repeated.
      assert.strictEqual((yield* Effect.flip(pool.execute(Square, { n: 13 })))._tag, "Unlucky")
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

describe("a call that is cancelled", () => {
  it.live("has its task interrupted, whose finalizers run first", () =>
    Effect.gen(function*() {
      const { lines } = yield* traces
      const pool = yield* Pool.make(Tasks, { size: 1 })
      const call = yield* Effect.forkChild(pool.execute(Wait, { id: 1 }))
      yield* has(lines, "started 1 1")
      const [worker] = workersOf(process.pid)
      yield* Fiber.interrupt(call)
      assert.include(lines(), "ended 1 1")
      assert.strictEqual(yield* pool.execute(Square, { n: 3 }), 9)
      assert.isTrue(isAlive(worker!.pid))
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("never begins if it had not begun", () =>
    Effect.gen(function*() {
      const { lines } = yield* traces
      const pool = yield* Pool.make(Tasks, { size: 1 })
      const running = yield* Effect.forkChild(pool.execute(Wait, { id: 1 }))
      const waiting = yield* Effect.forkChild(pool.execute(Wait, { id: 2 }))
      yield* has(lines, "started 1 1")
      yield* Fiber.interrupt(waiting)
      yield* Fiber.interrupt(running)
      yield* pool.execute(Square, { n: 3 })
      assert.notInclude(lines(), "started 2 1")
    }).pipe(Effect.scoped, Effect.provide(layer)))

  for (const [how, task] of [["blocks its thread", Spin], ["is uninterruptible", Stubborn]] as const) {
    it.live(`whose task ${how} kills that worker after the grace, and nothing else`, () =>
      Effect.gen(function*() {
        const { lines } = yield* traces
        const pool = yield* Pool.make(Tasks, { size: 2, grace: "200 millis" })
        const neighbour = yield* Effect.forkChild(pool.execute(Work, { id: 7, ms: 1_000, busy: false }))
        const call = yield* Effect.forkChild(pool.execute(task, { id: 1 }))
        yield* has(lines, "started 1 1", "started 7 1")
        const waiting = yield* Effect.forkChild(pool.map(Square, [{ n: 1 }, { n: 2 }], { chunk: 1 }))
        yield* Fiber.interrupt(call)
        const killed = yield* event(pool, "WorkerKilled")
        assert.strictEqual(killed.task, task.tag)
        assert.isFalse(isAlive(killed.pid))
        assert.deepStrictEqual(yield* Fiber.join(waiting), [1, 4])
        assert.notStrictEqual(yield* Fiber.join(neighbour), killed.pid)
        assert.strictEqual(lines().filter((line) => line.startsWith("started")).length, 2)
      }).pipe(Effect.scoped, Effect.provide(layer)))
  }

  it.live("on a frozen worker kills it: the call ends, and the pool goes on", () =>
    Effect.gen(function*() {
      const { lines } = yield* traces
      const pool = yield* Pool.make(Tasks, { size: 1, grace: "200 millis" })
      const call = yield* Effect.forkChild(pool.execute(Wait, { id: 1 }))
      yield* has(lines, "started 1 1")
      const [worker] = workersOf(process.pid)
      process.kill(worker!.pid, "SIGSTOP")
      yield* Fiber.interrupt(call)
      assert.isFalse(isAlive(worker!.pid))
      assert.strictEqual(yield* pool.execute(Square, { n: 3 }), 9)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("leaves calls that were sent to a frozen worker to another one", () =>
    Effect.gen(function*() {
      yield* traces
      const pool = yield* Pool.make(Tasks, { size: 1, grace: "200 millis" })
      yield* pool.map(Square, Array.from({ length: 100 }, (_, n) => ({ n: n + 14 })))
      const [worker] = workersOf(process.pid)
      process.kill(worker!.pid, "SIGSTOP")
      const [first, ...rest] = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, n) => n),
        (n) => Effect.forkChild(pool.execute(Square, { n }))
      )
      yield* Effect.yieldNow
      yield* Fiber.interrupt(first!)
      const exits = yield* Effect.forEach(rest, Fiber.await)
      assert.deepStrictEqual(exits.flatMap((exit, i) => Exit.isFailure(exit) ? [i + 1] : []), [13])
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

describe("the end of a pool", () => {
  it.live("is bounded in every state, and reports the killed workers (R-13)", () =>
    Effect.gen(function*() {
      const { lines } = yield* traces
      const pool = yield* Pool.make(Tasks, { size: 4, grace: "3 seconds" })
      const calls = yield* Effect.forEach(
        [pool.execute(Wait, { id: 1 }), pool.execute(Spin, { id: 2 }), pool.execute(Wait, { id: 3 })],
        (call) => Effect.forkChild(call)
      )
      yield* has(lines, "started 1 1", "started 2 1", "started 3 1")
      const idle = workersOf(process.pid).find(({ pid }) =>
        !lines().some((line) => line.startsWith("process") && line.endsWith(` ${pid}`))
      )
      process.kill(idle!.pid, "SIGSTOP")
      const killed = yield* pool.shutdown
      const busy = lines().find((line) => line.startsWith("process 2"))
      assert.sameMembers(killed.map(({ pid }) => `process 2 ${pid}`), [`process 2 ${idle!.pid}`, busy])
      for (const call of calls) {
        const error = yield* Effect.flip(Fiber.join(call))
        assert.strictEqual(error._tag, "PoolStopped")
        assert.include(error.message, "was interrupted")
      }
      const late = yield* Effect.flip(pool.execute(Square, { n: 1 }))
      assert.include(late.message, "did not run")
      assert.deepStrictEqual(yield* pool.shutdown, killed)
      assert.deepStrictEqual(workersOf(process.pid), [])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("comes with Ctrl-C: in order, and leaves nothing", () =>
    Effect.gen(function*() {
      const { lines } = yield* traces
      const program = yield* start(fixture("pool"))
      yield* has(lines, "started 1 1", "started 2 1", "started 3 1")
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
      yield* has(lines, "started 1 1", "started 2 1", "started 3 1")
      const children = descendants(program.pid)
      program.process.kill("SIGKILL")
      yield* allGone(children)
    }).pipe(Effect.scoped))
})
