/** Work that offers to its own queue, in simulated processes: a deadlock is told, and nothing else is taken for one. */
import { Process, SharedQueue, SharedRef, Task, TaskGroup } from "@effect-multiprocessing/core"
import { simulate } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"

class Pages extends SharedQueue.Service<Pages>()("app/Pages", { item: Schema.Int, capacity: 3 }) {}
class Left extends SharedRef.Service<Left>()("app/Left", { schema: Schema.Int, initial: 0 }) {}
const layerShared = Layer.mergeAll(Pages.layer, Left.layer)

const Feed = Task.make("Feed")
const Consume = Task.make("Consume")
const Tasks = TaskGroup.make("pages", { tasks: [Feed, Consume] })

/** Closes the queue when no page is left. */
const done = Effect.gen(function*() {
  if ((yield* (yield* Left).add(-1)) === 0) yield* (yield* Pages).close
})

/** Each page offers two smaller ones, as a crawler does. */
const feed = Effect.flatMap(Pages, (pages) =>
  pages.processAll((page) =>
    Effect.gen(function*() {
      if (page > 0) yield* (yield* Left).add(2)
      if (page > 0) yield* pages.offerAll([page - 1, page - 1])
      yield* done
    })
  ))

const consume = Effect.flatMap(Pages, (pages) => pages.processAll(() => done))

const tasks = Tasks.toLayer({ Feed: () => Effect.orDie(feed), Consume: () => Effect.orDie(consume) }).pipe(
  Layer.provide(layerShared)
)

const start = Effect.gen(function*() {
  yield* (yield* Left).set(1)
  yield* (yield* Pages).offer(5)
})

describe("work that offers to its own queue", () => {
  it.live("fails if it can never go on, whatever the order of events", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        yield* start
        const error = yield* Effect.flip(feed)
        assert.match(error.message, /offer on Queue "app\/Pages" waits for itself: .* \(capacity 3\)|1 of 2 items were/)
        assert.include(JSON.stringify(error), "\"Deadlock\"")
      }).pipe(Effect.provide(layerShared))
      yield* simulate(program, { tasks, seeds: 20 })
    }))

  it.live("goes on while another process takes its items", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        const processes = yield* Effect.forEach([Feed, Consume, Consume], (task) => Process.spawn(Tasks, task))
        yield* start
        yield* Effect.forEach(processes, ({ result }) => result, { concurrency: "unbounded" })
      }).pipe(Effect.scoped, Effect.provide(layerShared))
      // Without pauses and delays: after two seconds in which nobody takes an item it is a deadlock.
      yield* simulate(program, { tasks, seeds: 40, faults: ["split"] })
    }))
})
