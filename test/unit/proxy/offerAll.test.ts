import { Manager, SharedQueue } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { untilWaiting } from "../../support/untilWaiting.ts"

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

const withQueue = <A, E>(
  limits: NonNullable<Manager.ManagerOptions["limits"]>,
  body: (queue: SharedQueue.SharedQueue<number>) => Effect.Effect<A, E, Manager.Manager>
) =>
  SharedQueue.make({ item: Schema.Int, capacity: 2 }).pipe(
    Effect.flatMap(body),
    Effect.scoped,
    Effect.provide(Manager.layerMemoryWith({ limits }))
  )

describe("offerAll of more than there is room for", () => {
  it.effect("keeps the number of its offers that wait under the limit of all", () =>
    withQueue({ waitersPerObjectMax: 1_000 }, (queue) =>
      Effect.gen(function*() {
        const offering = yield* Effect.forkChild(queue.offerAll(numbers(3_500)))
        yield* untilWaiting(queue, 1_000)
        const taken = yield* Effect.forEach(numbers(3_500), () => queue.take)
        assert.deepStrictEqual(taken, numbers(3_500))
        assert.deepStrictEqual(yield* Fiber.join(offering), [])
      })))

  it.effect("tells how many items were added before it failed, which are the first ones", () =>
    withQueue({ waitersPerObjectMax: 10 }, (queue) =>
      Effect.gen(function*() {
        const offering = yield* Effect.forkChild(Effect.flip(queue.offerAll(numbers(50))))
        yield* untilWaiting(queue, 10)
        const taken = yield* Effect.forEach(numbers(12), () => queue.take)
        const error = yield* Fiber.join(offering)
        assert.deepStrictEqual(taken, numbers(12))
        assert.strictEqual(error._tag, "OfferedInPart")
        assert.include(error.message, "12 of 50 items were added to Queue")
        assert.include(error.message, "waitersPerObjectMax")
        assert.strictEqual(yield* queue.size, 0)
      })))

  it.effect("returns the items that were not added when the queue is closed meanwhile", () =>
    withQueue({}, (queue) =>
      Effect.gen(function*() {
        const offering = yield* Effect.forkChild(queue.offerAll(numbers(1_500)))
        yield* untilWaiting(queue, 1_000)
        yield* queue.close
        assert.deepStrictEqual(yield* Fiber.join(offering), numbers(1_500).slice(2))
      })))
})
