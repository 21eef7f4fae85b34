/** A pool whose workers cannot be replaced for a while. The processes are made up, and time is the test's. */
import { MessageWriter } from "#core/pool/Message.ts"
import { Link, Manager, Pool, Process, Task, TaskGroup } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Logger, Stream } from "effect"
import { TestClock } from "effect/testing"

const Work = Task.make("Work", { payload: {} })
const Tasks = TaskGroup.make("workers", { tasks: [Work] })

const readyFrame = () => {
  const writer = new MessageWriter()
  writer.ready()
  return writer.take()
}

/** A spawner whose processes are ready at once, and cannot be started while something is away. */
const spawner = () => {
  const state = { isAway: false, starts: 0, crash: [] as Array<Effect.Effect<unknown>>, hear: (_: Uint8Array) => {} }
  const spawnLinked = (_: string, { task }: Process.StartOptions) =>
    Effect.gen(function*() {
      state.starts++
      if (state.isAway) return yield* new Process.SpawnError({ task, issue: "the database is away" })
      const exit = yield* Deferred.make<{ code: number | null; signal: string | null }>()
      yield* Effect.addFinalizer(() => Deferred.succeed(exit, { code: 0, signal: null }))
      state.crash.push(Deferred.succeed(exit, { code: 7, signal: null }))
      return {
        pid: state.starts,
        exit: Deferred.await(exit),
        isRunning: Effect.map(Deferred.isDone(exit), (done) => !done),
        lastLines: Effect.succeed([]),
        kill: () => Effect.asVoid(Deferred.succeed(exit, { code: null, signal: "SIGKILL" })),
        link: {
          send: () => {},
          pendingBytes: () => 0,
          read: ({ onBytes }) =>
            Effect.sync(() => {
              state.hear = onBytes
              onBytes(readyFrame())
            }).pipe(
              Effect.andThen(Deferred.await(exit)),
              Effect.andThen(new Link.LinkClosed({ reason: "it ended" }))
            )
        }
      } satisfies Process.Linked
    })
  const layer = Layer.succeed(Process.ProcessSpawner, {
    parallelism: 1,
    startTimeout: "30 seconds",
    spawn: () => Effect.die("not in this test"),
    spawnLinked
  })
  return { state, layer }
}

const untilWorkers = (pool: Pool.Pool<readonly [typeof Work]>, workers: number) =>
  Stream.runHead(Stream.filter(pool.progress, (progress) => progress.workers === workers))

/** What happens in an outage of a pool. */
const inOutage = (
  size: number,
  body: (outage: {
    readonly pool: Pool.Pool<readonly [typeof Work]>
    readonly state: ReturnType<typeof spawner>["state"]
  }) => Effect.Effect<void, unknown>
) => {
  const { layer, state } = spawner()
  return Effect.gen(function*() {
    const pool = yield* Pool.make(Tasks, { size })
    // Long before the outage.
    yield* TestClock.adjust("1 hour")
    state.isAway = true
    yield* state.crash[0]!
    yield* untilWorkers(pool, size - 1)
    yield* body({ pool, state })
  }).pipe(Effect.scoped, Effect.provide([layer, Manager.layerMemory]))
}

const next = (pool: Pool.Pool<readonly [typeof Work]>, tag: Pool.PoolEvent["_tag"]) =>
  Stream.runHead(Stream.filter(pool.events, (event) => event._tag === tag))

describe("a pool that was ready", () => {
  it.effect("goes on with the workers that it has, as long as an outage lasts, and then has all of them again", () =>
    inOutage(2, ({ pool, state }) =>
      Effect.gen(function*() {
        yield* next(pool, "WorkerNotStarted")
        for (let hour = 0; hour < 24; hour++) yield* TestClock.adjust("1 hour")
        yield* untilWorkers(pool, 1)
        state.isAway = false
        yield* TestClock.adjust("10 seconds")
        yield* untilWorkers(pool, 2)
      })))

  it.effect("survives a short outage without any worker", () =>
    inOutage(1, ({ pool, state }) =>
      Effect.gen(function*() {
        yield* next(pool, "WorkerNotStarted")
        yield* TestClock.adjust("1 minute")
        state.isAway = false
        yield* TestClock.adjust("10 seconds")
        yield* untilWorkers(pool, 1)
      })))

  it.effect("starts a missing worker less and less often", () =>
    inOutage(2, ({ pool, state }) =>
      Effect.gen(function*() {
        yield* next(pool, "WorkerNotStarted")
        const before = state.starts
        yield* TestClock.adjust("1 hour")
        assert.isAtMost(state.starts - before, 370)
        assert.isAtLeast(state.starts - before, 350)
      })))

  it.effect("starts a missing worker soon in each outage: pauses grow within one only", () =>
    inOutage(1, ({ pool, state }) =>
      Effect.gen(function*() {
        for (let outage = 0; outage < 2; outage++) {
          yield* next(pool, "WorkerNotStarted")
          yield* TestClock.adjust("1 second")
          state.isAway = false
          yield* TestClock.adjust("10 seconds")
          yield* untilWorkers(pool, 1)
          state.isAway = true
          yield* state.crash.at(-1)!
          yield* untilWorkers(pool, 0)
        }
        yield* Effect.yieldNow
        const pauses = yield* pool.events.pipe(
          Stream.filter((event) => event._tag === "WorkerNotStarted"),
          Stream.map(({ pauseMs }) => pauseMs),
          Stream.take(9),
          Stream.runCollect
        )
        assert.deepStrictEqual(pauses, [100, 200, 400, 800, 100, 200, 400, 800, 100])
      })))

  it.effect("stops when it has had no worker for five minutes, and its calls fail with the last reason", () =>
    inOutage(1, ({ pool }) =>
      Effect.gen(function*() {
        yield* next(pool, "WorkerNotStarted")
        const waiting = yield* Effect.forkChild(Effect.flip(pool.execute(Work, {})))
        yield* TestClock.adjust("6 minutes")
        const stopped = yield* Fiber.join(waiting)
        assert.strictEqual(stopped._tag, "PoolStopped")
        assert.include(
          stopped.message,
          "no worker could be started for 5 minutes. The last reason: the database is away"
        )
      })))
})

it.effect("a worker whose link breaks is killed after its grace, for a reason that is logged, and is replaced", () => {
  const { layer, state } = spawner()
  const logged: Array<string> = []
  return Effect.gen(function*() {
    const pool = yield* Pool.make(Tasks, { size: 1, grace: "3 seconds" })
    state.hear(Uint8Array.of(1, 0, 0, 0, 99))
    yield* TestClock.adjust("2 seconds")
    assert.strictEqual(state.starts, 1)
    yield* TestClock.adjust("1 second")
    yield* next(pool, "WorkerExited")
    yield* untilWorkers(pool, 1)
    assert.strictEqual(state.starts, 2)
    assert.deepStrictEqual(logged, [
      "workers-1 is killed: its link has ended (a frame arrived that is not of this protocol), and it has not"
    ])
  }).pipe(
    Effect.scoped,
    Effect.provide([
      layer,
      Manager.layerMemory,
      Logger.layer([Logger.make(({ message }) => void logged.push(String(message)))])
    ])
  )
})
