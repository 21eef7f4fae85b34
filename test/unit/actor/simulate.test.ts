/** Actors under simulation: processes that host and call are killed, cut off and interrupted. */
import { Actor, Process, SharedMap, Task, TaskGroup } from "@effect-multiprocessing/core"
import { cancellable, type FaultName, harmlessFaults, simulate } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Schedule, Schema, Stream } from "effect"
import { budget } from "../../support/budget.ts"

const everyFault: ReadonlyArray<FaultName> = [...harmlessFaults, "kill", "cut"]

/** How often each call was carried out. */
class Seen extends SharedMap.Service<Seen>()("test/Seen", { key: Schema.Int, value: Schema.Int }) {}

class Echo extends Actor.Service<Echo>()("test/Echo", {
  methods: {
    echo: Actor.method({ payload: Schema.Int, success: Schema.Int }),
    dawdle: Actor.method({ payload: Schema.Int, success: Schema.Int }),
    range: Actor.stream({ payload: Schema.Int, success: Schema.Int })
  }
}) {}

const Host = Task.make("Host")
const Call = Task.make("Call", { payload: Schema.Int })
const Tasks = TaskGroup.make("app", { tasks: [Host, Call] })

const tasks = Tasks.toLayer({
  Host: Effect.fnUntraced(function*() {
    const seen = yield* Seen
    const handlers = {
      echo: (n: number) => Effect.as(Effect.orDie(seen.increment(n)), n),
      dawdle: (n: number) => Effect.as(Effect.sleep(1_000), n),
      range: (n: number) => Stream.range(1, n)
    }
    // On standby: the session of a host that was killed may end after the next one has begun.
    return yield* Effect.catchTag(Echo.serve(handlers, { concurrency: 2, standby: true }), "AlreadyServed", Effect.die)
  }),
  Call: Effect.fnUntraced(function*(caller) {
    const echo = yield* Echo
    const calls: ReadonlyArray<readonly [call: Effect.Effect<number, Actor.CallError>, expected: number]> = [
      [echo.echo(caller * 100), caller * 100],
      [echo.echo(caller * 100 + 1), caller * 100 + 1],
      [echo.dawdle(caller), caller],
      [Effect.map(Stream.runCollect(echo.range(20)), (elements) => elements.length), 20]
    ]
    for (const [call, expected] of calls) {
      const exit = yield* cancellable(call)
      if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) continue
      const result = yield* exit.pipe(
        Effect.catchTags({
          ActorDied: () => Effect.succeed(expected),
          MailboxFull: Effect.die,
          NotHosted: Effect.die
        })
      )
      assert.strictEqual(result, expected)
    }
  })
}).pipe(Layer.provide([Echo.layer, Seen.layer]))

describe("an actor", () => {
  it.live("carries out no call twice and ends every call, whoever dies", () =>
    Effect.gen(function*() {
      const main = Effect.gen(function*() {
        yield* Effect.forkScoped(Effect.retry(Process.run(Tasks, Host), Schedule.spaced(10)))
        // A defect of a caller is one of the program; the rest comes of faults.
        yield* Effect.forEach([1, 2], (caller) => Effect.ignore(Process.run(Tasks, Call, caller)), {
          concurrency: "unbounded"
        })
        const times = yield* (yield* Seen).values
        assert.isTrue(times.every((n) => n === 1))
      }).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(Echo.layer, Seen.layer)))
      const { faults } = yield* simulate(main, { tasks, seeds: budget(25), faults: everyFault })
      for (const fault of everyFault) assert.isAbove(faults[fault], 0, fault)
    }))
})
