/** `Pool`: results, crashes, cancellation, ends. */
import { Manager, Pool, Process, Shared, SharedQueue, Task, TaskGroup } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schedule, Schema, Stream } from "effect"
import * as Fixture from "../fixtures/poolTasks.ts"
import { pidOf, traces, untilTraced } from "../traces.ts"
import { type Deployment, Signals } from "./deployment.ts"

const { Long, Pass, Spin, Square, Stubborn, Tasks, Victim, Wait, Work } = Fixture

/** A group that the workers of this suite do not serve. */
const Foreign = Task.make("Foreign", { payload: {} })
const Others = TaskGroup.make("others", { tasks: [Foreign] })

interface Events {
  readonly events: Stream.Stream<Pool.PoolEvent>
}

/** The first events of a kind. */
const events = <T extends Pool.PoolEvent["_tag"]>({ events }: Events, tag: T, count: number) =>
  events.pipe(
    Stream.filter((event): event is Extract<Pool.PoolEvent, { readonly _tag: T }> => event._tag === tag),
    Stream.take(count),
    Stream.runCollect
  )

const event = <T extends Pool.PoolEvent["_tag"]>(pool: Events, tag: T) =>
  Effect.map(events(pool, tag, 1), ([event]) => event ?? assert.fail(`there was no ${tag}`))

/** Sends a signal to a worker. */
const send = (pid: number, signal: "SIGKILL" | "SIGSTOP" | "SIGTERM") =>
  Effect.flatMap(Signals, (signals) => signals.signal(pid, signal))

/** The pids of all that have a session, main excepted. */
const connected = Effect.map(
  Effect.flatMap(Manager.Manager, ({ sessions }) => Stream.runCollect(sessions)),
  (sessions) => sessions.filter(({ name }) => name !== "main").map(({ pid }) => pid)
)

/** Pools of workers. */
export const pools = (deployment: Deployment): void => {
  const layer = deployment.layer("poolWorker", Fixture.tasks)

  /** Checks that a worker has ended, and waits until its session has. */
  const gone = (pid: number) => {
    assert.isFalse(deployment.isAlive(pid))
    return Effect.repeat(connected, { until: (pids) => !pids.includes(pid) })
  }

  describe(`a pool, ${deployment.name}`, () => {
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
        assert.strictEqual(new Set(opened).size, 3)
        assert.sameMembers(closed, opened.map((line) => line.replace("opened", "closed")))
        for (const pid of used) assert.include(opened, `opened ${pid}`)
        for (const line of opened) yield* gone(Number(line.split(" ")[1]))
      }).pipe(Effect.scoped, Effect.provide(layer)))

    it.live("has as many workers as can run at the same time, unless it is told otherwise", () =>
      Effect.gen(function*() {
        yield* traces
        const { parallelism } = yield* Process.ProcessSpawner
        const pool = yield* Pool.make(Tasks)
        assert.strictEqual(pool.size, parallelism)
        assert.strictEqual((yield* connected).length, parallelism)
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
        yield* traces
        const error = yield* Effect.flip(Pool.make(Others, { size: 2 }))
        assert.match(error.message, /ended with code 1 before it was ready/)
        assert.include(error.message, "does not serve the task others/Foreign")
      }).pipe(Effect.scoped, Effect.provide(layer)))
  })

  describe(`a worker that crashes, ${deployment.name}`, () => {
    it.live("is reported, and replaced", () =>
      Effect.gen(function*() {
        const { lines } = yield* traces
        const pool = yield* Pool.make(Tasks, { size: 1, name: "crashing" })
        const call = yield* Effect.forkChild(pool.execute(Wait, { id: 1 }))
        yield* untilTraced(lines, "started 1 1")
        const victim = pidOf(lines, 1)
        yield* send(victim, "SIGKILL")
        const crashed = yield* Effect.flip(Fiber.join(call))
        assert.strictEqual(crashed._tag, "WorkerCrashed")
        if (crashed._tag !== "WorkerCrashed") return
        const { attempt, code, pid, signal, task, worker } = crashed
        assert.deepStrictEqual(
          { attempt, code, pid, signal, task, worker },
          { attempt: 1, code: null, pid: victim, signal: "SIGKILL", task: "Wait", worker: "crashing-1" }
        )
        // No finalizer has run.
        assert.notInclude(lines(), "ended 1 1")
        assert.strictEqual(yield* pool.execute(Square, { n: 3 }), 9)
        assert.strictEqual((yield* event(pool, "WorkerExited")).pid, victim)
        yield* gone(victim)
      }).pipe(Effect.scoped, Effect.provide(layer)))

    it.live("may be ended with SIGTERM: its finalizers run, and its task has crashed, not been interrupted", () =>
      Effect.gen(function*() {
        const { lines } = yield* traces
        const pool = yield* Pool.make(Tasks, { size: 1 })
        const call = yield* Effect.forkChild(pool.execute(Wait, { id: 1 }))
        yield* untilTraced(lines, "started 1 1")
        yield* send(pidOf(lines, 1), "SIGTERM")
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
          pool.execute(Wait, { id: 1_000 }),
          ...Array.from({ length: 50 }, (_, id) => pool.execute(Work, { id: id + 50, ms: 0, busy: true }))
        ]
        const running = yield* Effect.forkChild(Effect.all(calls.map(Effect.exit), { concurrency: "unbounded" }))
        yield* untilTraced(lines, "started 1000 1")
        yield* send(pidOf(lines, 1_000), "SIGKILL")
        const exits = yield* Fiber.join(running)
        assert.deepStrictEqual(exits.flatMap((exit, i) => Exit.isFailure(exit) ? [i] : []), [50])
        const started = lines().filter((line) => /^started \d/.test(line))
        assert.strictEqual(new Set(started).size, 101)
        assert.strictEqual(started.length, 101)
      }).pipe(Effect.scoped, Effect.provide(layer)))

    it.live("has its task repeated by a schedule, and attempts are counted", () =>
      Effect.gen(function*() {
        const { lines } = yield* traces
        const pool = yield* Pool.make(Tasks, { size: 2, retry: Schedule.recurs(2) })
        /** Runs a task whose worker is killed in its first attempts. */
        const crashing = Effect.fn(function*(times: number, attempts: number, options?: Pool.CallOptions) {
          const call = yield* Effect.forkChild(Effect.exit(pool.execute(Victim, { times }, options)))
          for (let attempt = 1; attempt <= attempts; attempt++) {
            yield* untilTraced(lines, `started ${-times} ${attempt}`)
            yield* send(pidOf(lines, -times), "SIGKILL")
          }
          return yield* Effect.flatten(Fiber.join(call))
        })
        assert.strictEqual(yield* crashing(2, 2), 3)
        assert.include((yield* Effect.flip(crashing(3, 3))).message, "attempt 3")
        assert.strictEqual(yield* crashing(4, 4, { retry: Schedule.recurs(4) }), 5)
        // The schedule receives only crashes.
        const heard: Array<unknown> = []
        const retry = Schedule.recurs(2).pipe(Schedule.tap(({ input }) => Effect.sync(() => heard.push(input))))
        assert.strictEqual((yield* Effect.flip(pool.execute(Square, { n: 13 }, { retry })))._tag, "Unlucky")
        assert.deepStrictEqual(heard, [])
        assert.strictEqual(yield* crashing(1, 1, { retry }), 2)
        assert.deepStrictEqual(heard.map((error) => error instanceof Pool.WorkerCrashed), [true])
        assert.strictEqual((yield* event(pool, "TaskRepeated")).attempt, 2)
        // Its own errors are not repeated.
        assert.strictEqual((yield* Effect.flip(pool.execute(Square, { n: 13 })))._tag, "Unlucky")
      }).pipe(Effect.scoped, Effect.provide(layer)))
  })

  describe(`a call that is cancelled, ${deployment.name}`, () => {
    it.live("has its task interrupted, whose finalizers run first", () =>
      Effect.gen(function*() {
        const { lines } = yield* traces
        const pool = yield* Pool.make(Tasks, { size: 1 })
        const call = yield* Effect.forkChild(pool.execute(Wait, { id: 1 }))
        yield* untilTraced(lines, "started 1 1")
        yield* Fiber.interrupt(call)
        assert.include(lines(), "ended 1 1")
        assert.strictEqual(yield* pool.execute(Square, { n: 3 }), 9)
        assert.deepStrictEqual(yield* connected, [pidOf(lines, 1)])
      }).pipe(Effect.scoped, Effect.provide(layer)))

    it.live("never begins if it had not begun", () =>
      Effect.gen(function*() {
        const { lines } = yield* traces
        const pool = yield* Pool.make(Tasks, { size: 1 })
        const running = yield* Effect.forkChild(pool.execute(Wait, { id: 1 }))
        const waiting = yield* Effect.forkChild(pool.execute(Wait, { id: 2 }))
        yield* untilTraced(lines, "started 1 1")
        yield* Fiber.interrupt(waiting)
        yield* Fiber.interrupt(running)
        yield* pool.execute(Square, { n: 3 })
        assert.notInclude(lines(), "started 2 1")
      }).pipe(Effect.scoped, Effect.provide(layer)))

    const stubborn = [
      { how: "is uninterruptible", task: Stubborn },
      ...deployment.isIsolated ? [{ how: "blocks its thread", task: Spin }] : []
    ]
    for (const { how, task } of stubborn) {
      it.live(`whose task ${how} kills that worker after the grace, and nothing else`, () =>
        Effect.gen(function*() {
          const { lines } = yield* traces
          const pool = yield* Pool.make(Tasks, { size: 2, grace: "200 millis" })
          const neighbour = yield* Effect.forkChild(pool.execute(Work, { id: 7, ms: 1_000, busy: false }))
          const call = yield* Effect.forkChild(pool.execute(task, { id: 1 }))
          yield* untilTraced(lines, "started 1 1", "started 7 1")
          const waiting = yield* Effect.forkChild(pool.map(Square, [{ n: 1 }, { n: 2 }], { chunk: 1 }))
          yield* Fiber.interrupt(call)
          const killed = yield* event(pool, "WorkerKilled")
          assert.strictEqual(killed.task, task.tag)
          assert.strictEqual(killed.pid, pidOf(lines, 1))
          yield* gone(killed.pid)
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
        yield* untilTraced(lines, "started 1 1")
        const frozen = pidOf(lines, 1)
        yield* send(frozen, "SIGSTOP")
        yield* Fiber.interrupt(call)
        yield* gone(frozen)
        assert.strictEqual(yield* pool.execute(Square, { n: 3 }), 9)
      }).pipe(Effect.scoped, Effect.provide(layer)))

    it.live("leaves calls that were sent to a frozen worker to another one", () =>
      Effect.gen(function*() {
        yield* traces
        const pool = yield* Pool.make(Tasks, { size: 1, grace: "200 millis" })
        yield* pool.map(Square, Array.from({ length: 100 }, (_, n) => ({ n: n + 14 })))
        yield* send((yield* event(pool, "WorkerStarted")).pid, "SIGSTOP")
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

  describe(`the end of a pool, ${deployment.name}`, () => {
    it.live("is bounded in every state, and reports the killed workers (R-13)", () =>
      Effect.gen(function*() {
        const { lines } = yield* traces
        const pool = yield* Pool.make(Tasks, { size: 4, grace: "3 seconds" })
        const busy = deployment.isIsolated ? Spin : Stubborn
        const calls = yield* Effect.forEach(
          [pool.execute(Wait, { id: 1 }), pool.execute(busy, { id: 2 }), pool.execute(Wait, { id: 3 })],
          (call) => Effect.forkChild(call)
        )
        yield* untilTraced(lines, "started 1 1", "started 2 1", "started 3 1")
        const pids = (yield* events(pool, "WorkerStarted", 4)).map(({ pid }) => pid)
        const idle = pids.find((pid) => [1, 2, 3].every((id) => pidOf(lines, id) !== pid))!
        yield* send(idle, "SIGSTOP")
        const killed = yield* pool.shutdown
        assert.sameMembers(killed.map(({ pid }) => pid), [idle, pidOf(lines, 2)])
        for (const call of calls) {
          const error = yield* Effect.flip(Fiber.join(call))
          assert.strictEqual(error._tag, "PoolStopped")
          assert.include(error.message, "was interrupted")
        }
        assert.includeMembers(lines(), ["ended 1 1", "ended 3 1"])
        const late = yield* Effect.flip(pool.execute(Square, { n: 1 }))
        assert.include(late.message, "did not run")
        assert.deepStrictEqual(yield* pool.shutdown, killed)
        yield* Effect.forEach(pids, gone)
      }).pipe(Effect.scoped, Effect.provide(layer)))
  })
}
