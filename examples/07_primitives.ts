/**
 * Lock, event, semaphore, barrier and condition among the workers of a pool. SuperFastPython's tutorial on sharing a
 * data structure calls a manager the preferred way to share them (SEED-21, 29).
 *
 *     $ npm run example examples/07_primitives.ts
 *     four workers wait for the latch
 *     ~ [primitives-1] met the others as <a>
 *     ~ [primitives-2] met the others as <b>
 *     ~ [primitives-3] met the others as <c>
 *     ~ [primitives-4] met the others as <d>
 *     ~ the condition is met: 4 are done
 *     ~ each arrived in its own place: 0, 1, 2, 3
 *     ~ at most two at a time were at the gate: true
 *
 * A worker's line comes through its owner, which may print its own line first (docs/output.md).
 *
 * Improvements: everything that a worker holds when it dies passes on, and parties that wait for it at a barrier get an
 * error.
 */
import {
  Pool,
  SharedBarrier,
  SharedCondition,
  SharedLatch,
  SharedLock,
  SharedNamespace,
  SharedSemaphore,
  Task,
  TaskGroup
} from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Fiber, Layer, Schema } from "effect"

class Start extends SharedLatch.Service<Start>()("primitives/Start") {}
class Gate extends SharedSemaphore.Service<Gate>()("primitives/Gate", { permits: 2 }) {}
class Meeting extends SharedBarrier.Service<Meeting>()("primitives/Meeting", { parties: 4 }) {}
class Lock extends SharedLock.Service<Lock>()("primitives/Lock") {}
class Done extends SharedCondition.Service<Done>()("primitives/Done") {}

class Board extends SharedNamespace.Service<Board>()("primitives/Board", {
  fields: { ready: Schema.Int, inside: Schema.Int, most: Schema.Int, done: Schema.Int },
  initial: { ready: 0, inside: 0, most: 0, done: 0 }
}) {}

const layerShared = Layer.mergeAll(
  Start.layer,
  Gate.layer,
  Meeting.layer,
  Lock.layer,
  Done.layer,
  Board.layer
)

const Work = Task.make("Work", { payload: {}, success: Schema.Int })
const Tasks = TaskGroup.make("primitives", { tasks: [Work] })

const tasks = Tasks.toLayer({
  Work: Effect.fn(function*() {
    const { done, inside, most, ready } = (yield* Board).fields
    const start = yield* Start
    const gate = yield* Gate
    const meeting = yield* Meeting
    const lock = yield* Lock
    const condition = yield* Done

    yield* ready.increment
    yield* start.await

    yield* gate.withPermit(Effect.gen(function*() {
      const now = yield* inside.increment
      yield* lock.withLock(Effect.flatMap(most.get, (before) => most.set(Math.max(before, now))))
      yield* inside.add(-1)
    }))

    const place = yield* meeting.await
    yield* Console.log(`met the others as ${place}`)

    yield* condition.withLock(Effect.andThen(done.increment, condition.notifyAll))
    return place
  }, Effect.orDie)
}).pipe(Layer.provide(layerShared))

const main = Effect.gen(function*() {
  const { done, most, ready } = (yield* Board).fields
  const start = yield* Start
  const condition = yield* Done
  const pool = yield* Pool.make(Tasks, { size: 4 })

  const places = yield* Effect.forkChild(pool.map(Work, [{}, {}, {}, {}], { chunk: 1 }))
  yield* ready.until((ready) => ready === 4)
  yield* Console.log("four workers wait for the latch")
  yield* start.open

  yield* condition.withLock(condition.waitFor(Effect.map(done.get, (done) => done === 4)))
  yield* Console.log(`the condition is met: ${yield* done.get} are done`)
  yield* Console.log(`each arrived in its own place: ${(yield* Fiber.join(places)).sort().join(", ")}`)
  yield* Console.log(`at most two at a time were at the gate: ${(yield* most.get) <= 2}`)
}).pipe(Effect.provide(layerShared))

NodeManager.runMain(main, { tasks })
