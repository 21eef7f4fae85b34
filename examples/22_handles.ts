/**
 * A handle can be sent in the payload of a process or of a pool's call, in an item of a queue, and in a result.
 * SuperFastPython's namespace tutorial and the overview article on `Manager` name queues and the arguments of pool
 * workers (SEED-9, 10, 62).
 *
 *     $ npm run example examples/22_handles.ts
 *     [Take-1] took a counter at 10
 *     the sender's scope has ended, and the counter is 11
 *     after a hundred calls of a pool it is 111
 *
 * Improvement: references are counted, also while they travel. In Python the item is useless if its sender drops its
 * own proxy before the item is taken. Here a counter lives while anything refers to it, an item in a queue included.
 */
import { Pool, Process, SharedQueue, SharedRef, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Schema } from "effect"

const Counter = SharedRef.schema(Schema.Int)

const Take = Task.make("Take", { payload: { counters: SharedQueue.schema(Counter) }, success: Counter })
const Add = Task.make("Add", { payload: { counter: Counter } })
const Tasks = TaskGroup.make("handles", { tasks: [Take, Add] })

const tasks = Tasks.toLayer({
  Take: Effect.fn(function*({ counters }) {
    const counter = yield* counters.take
    yield* Console.log(`took a counter at ${yield* counter.get}`)
    yield* counter.increment
    return counter
  }, Effect.orDie),
  Add: ({ counter }) => Effect.orDie(Effect.asVoid(counter.increment))
})

const main = Effect.gen(function*() {
  const counters = yield* SharedQueue.make({ item: Counter })
  const send = Effect.flatMap(SharedRef.make({ schema: Schema.Int, initial: 10 }), counters.offer)
  yield* Effect.scoped(send)

  const counter = yield* Process.run(Tasks, Take, { counters })
  yield* Console.log(`the sender's scope has ended, and the counter is ${yield* counter.get}`)

  const pool = yield* Pool.make(Tasks, { size: 2 })
  yield* pool.map(Add, Array.from({ length: 100 }, () => ({ counter })))
  yield* Console.log(`after a hundred calls of a pool it is ${yield* counter.get}`)
})

NodeManager.runMain(main, { tasks })
