/** Work that offers to its own queue, in simulated processes: a deadlock is told, and nothing else is taken for one. */
import { Manager, Process, SharedQueue, SharedRef, Task, TaskGroup } from "@effect-multiprocessing/core"
import { simulate } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema, type Scope } from "effect"
import { budget } from "../support/budget.ts"
import { untilWaiting } from "../support/untilWaiting.ts"

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
      yield* simulate(program, { tasks, seeds: budget(5), faults: ["split"] })
    }))
})

describe("an offer is made for the item of a takeLease", () => {
  const full = Effect.gen(function*() {
    const queue = yield* SharedQueue.make({ item: Schema.Int, capacity: 1 })
    yield* queue.offer(0)
    return queue
  })

  type Work = (queue: SharedQueue.SharedQueue<number>) => Effect.Effect<unknown, unknown, Manager.Manager | Scope.Scope>

  const waits: Readonly<Record<string, Work>> = {
    "by its fiber": (queue) => Effect.andThen(queue.takeLease, queue.offer(1)),
    "by its fiber, of several items": (queue) => Effect.andThen(queue.takeLease, queue.offerAll([1, 2])),
    "in an inner scope": (queue) => Effect.andThen(queue.takeLease, Effect.scoped(queue.offer(1))),
    "by a fiber that it has forked": (queue) =>
      Effect.andThen(queue.takeLease, Effect.all([queue.offer(1), Effect.void], { concurrency: "unbounded" }))
  }
  for (const [name, work] of Object.entries(waits)) {
    it.effect(`${name}: it fails if the queue waits for itself`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Effect.scoped(work(yield* full)))
        assert.include(JSON.stringify(error), "\"Deadlock\"")
      }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory)))
  }

  const goesOn: Readonly<Record<string, Work>> = {
    "after it was settled": (queue) =>
      Effect.flatMap(queue.takeLease, ({ ack }) => Effect.andThen(ack, Effect.all([queue.offer(1), queue.take]))),
    "by another fiber": (queue) =>
      Effect.gen(function*() {
        const other = yield* Effect.forkChild(Effect.andThen(Effect.yieldNow, queue.offer(1)))
        const { ack } = yield* queue.takeLease
        yield* untilWaiting(queue, 1)
        yield* ack
        yield* Fiber.join(other)
      }),
    "after its scope": (queue) =>
      Effect.gen(function*() {
        const { ack } = yield* Effect.scoped(queue.takeLease).pipe(Effect.andThen(Effect.scoped(Effect.gen(function*() {
          return yield* queue.takeLease
        }))))
        yield* Effect.exit(ack)
        const other = yield* Effect.forkChild(queue.offer(1), { startImmediately: true })
        yield* untilWaiting(queue, 1)
        assert.strictEqual(yield* queue.take, 0)
        yield* Fiber.join(other)
      })
  }
  for (const [name, work] of Object.entries(goesOn)) {
    it.effect(`not ${name}`, () => Effect.scoped(Effect.flatMap(full, work)).pipe(Effect.provide(Manager.layerMemory)))
  }
})
