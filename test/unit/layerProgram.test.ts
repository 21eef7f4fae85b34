/** What the workers of a program in memory share with its test, and what they have for themselves. */
import { Manager, Pool, Process, SharedRef, Task, TaskGroup } from "@effect-multiprocessing/core"
import { layerProgram } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, type Duration, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"

const Sleep = Task.make("Sleep", { payload: {}, success: Schema.Int })
const Tasks = TaskGroup.make("tasks", { tasks: [Sleep] })

class Greeting extends Context.Service<Greeting, string>()("test/Greeting") {}
class Count extends SharedRef.Service<Count>()("test/Count", { schema: Schema.Int, initial: 0 }) {}

/** Sleeps an hour, and counts that. */
const sleeper = Tasks.toLayer({
  Sleep: () => Effect.sleep("1 hour").pipe(Effect.andThen(Count), Effect.flatMap((count) => count.get))
}).pipe(Layer.provide(Count.layer))

const untilSleeping = (sleeping: () => number, wanted: number) =>
  Effect.repeat(Effect.sync(sleeping), { until: (now) => now === wanted })

describe("workers in memory", () => {
  it.effect("have the time of the test", () =>
    Effect.gen(function*() {
      const process = yield* Process.spawn(Tasks, Sleep, {})
      const pool = yield* Pool.make(Tasks)
      const call = yield* Effect.forkChild(pool.execute(Sleep, {}))
      const adjusting = yield* Effect.forkChild(Effect.forever(TestClock.adjust("10 minutes")))
      assert.deepStrictEqual([yield* process.result, yield* Fiber.join(call)], [0, 0])
      yield* Fiber.interrupt(adjusting)
    }).pipe(Effect.scoped, Effect.provide(layerProgram({ tasks: sleeper }))))

  it.live("leave no timer when they are killed", () =>
    Effect.gen(function*() {
      let sleeping = 0
      const clock = yield* Clock.Clock
      const counted: Clock.Clock = Object.assign(Object.create(clock) as Clock.Clock, {
        sleep: (duration: Duration.Duration) =>
          Effect.acquireUseRelease(
            Effect.sync(() => sleeping++),
            () => clock.sleep(duration),
            () => Effect.sync(() => sleeping--)
          )
      })
      const program = Effect.provideService(layerProgram({ tasks: sleeper }).pipe(Layer.build), Clock.Clock, counted)
      yield* Effect.gen(function*() {
        const process = yield* Process.spawn(Tasks, Sleep, {})
        yield* untilSleeping(() => sleeping, 1)
        yield* process.kill()
        assert.strictEqual(sleeping, 0)
      }).pipe(Effect.provide(yield* program))
    }).pipe(Effect.scoped))

  for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
    it.live(`run nothing after a ${signal}, though what they wait for happens`, () =>
      Effect.gen(function*() {
        const happens = Promise.withResolvers<number>()
        const events: Array<string> = []
        const note = (event: string) => Effect.sync(() => events.push(event))
        const waiter = Tasks.toLayer({
          Sleep: () =>
            note("waits").pipe(
              Effect.andThen(Effect.promise(() => happens.promise)),
              Effect.tap(note("goes on")),
              Effect.ensuring(note("finalizer"))
            )
        })
        yield* Effect.gen(function*() {
          const process = yield* Process.spawn(Tasks, Sleep, {})
          yield* Effect.repeat(Effect.sync(() => events.length), { until: (length) => length === 1 })
          yield* process.kill(signal)
          happens.resolve(7)
          yield* Effect.promise(() => happens.promise)
          // The worker would have run by now, if it could: main is served in turn.
          yield* Effect.repeat(Effect.yieldNow, { times: 10 })
          assert.deepStrictEqual(events, ["waits"])
          if (signal === "SIGKILL") return
          yield* process.kill("SIGCONT")
          assert.strictEqual(yield* process.result, 7)
          assert.deepStrictEqual(events, ["waits", "goes on", "finalizer"])
        }).pipe(Effect.scoped, Effect.provide(layerProgram({ tasks: waiter })))
      }))
  }

  it.live("build their layers anew, with the services of the test", () =>
    Effect.gen(function*() {
      let built = 0
      const layerOnce = Layer.effectDiscard(Effect.sync(() => built++))
      const greeted = Tasks.toLayer({ Sleep: () => Effect.map(Greeting, (greeting) => greeting.length) })
      const program = layerProgram({ tasks: Layer.provide(greeted, layerOnce) })
      yield* Effect.gen(function*() {
        assert.strictEqual(built, 1)
        const pool = yield* Pool.make(Tasks, { size: 3 })
        assert.strictEqual(built, 4)
        assert.strictEqual(yield* pool.execute(Sleep, {}), 5)
      }).pipe(Effect.scoped, Effect.provide([program, layerOnce]), Effect.provideService(Greeting, "hello"))
    }))

  it.live("that are not ready within a startTimeout are killed, and the error says so", () =>
    Effect.gen(function*() {
      const late = "was not ready within its startTimeout of 50ms and was killed"
      const options = { startTimeout: "50 millis", name: "late" } as const
      const single = yield* Effect.flip(Process.run(Tasks, Sleep, {}, options))
      assert.include(single.message, `late ${late}`)
      const pooled = yield* Effect.flip(Effect.scoped(Pool.make(Tasks, { size: 1, ...options })))
      assert.include(pooled.message, `late-1 ${late}`)
    }).pipe(Effect.provide(layerProgram({ tasks: Layer.provide(sleeper, Layer.effectDiscard(Effect.never)) }))))

  it.live("are killed with their program, if nothing has ended them before", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const process = yield* Effect.scoped(
        Effect.flatMap(
          Layer.build(layerProgram({ tasks: sleeper })),
          (context) => Process.spawn(Tasks, Sleep, {}).pipe(Scope.provide(scope), Effect.provide(context))
        )
      )
      assert.isFalse(yield* process.isRunning)
      yield* Scope.close(scope, Exit.void)
    }))

  it.live("have the limits of their manager", () =>
    Effect.gen(function*() {
      const { counts } = yield* Manager.Manager
      const error = yield* Effect.flip(Process.run(Tasks, Sleep, {}))
      assert.include(error.message, "ended with code 1 before Sleep had a result")
      assert.strictEqual((yield* counts).sessions, 1)
    }).pipe(Effect.provide(layerProgram({ tasks: sleeper, limits: { sessionsMax: 1 } }))))
})
