/**
 * Programs that use the same port, one after the other: each starts at once, and its manager has its own objects. In the
 * lesson on `Namespace` of educative's course three programs bind port 55555 in turn (SEED-42, 48).
 *
 *     $ npm run example examples/33_one_port.ts
 *     [Lesson-1] at emp://127.0.0.1:<port>: empty, then educative
 *     [Lesson-2] at emp://127.0.0.1:<port>: empty, then educative
 *     [Lesson-3] at emp://127.0.0.1:<port>: empty, then educative
 *
 * Improvement: a port that is free again is known to be free, so nobody tries again and again. Port 0 is a free one.
 */
import { Manager, Process, SharedRef, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Layer, Redacted, Schema } from "effect"

class Item extends SharedRef.Service<Item>()("lesson/Item", { schema: Schema.String, initial: "empty" }) {}

/** A program of the lesson, in a process of its own, with a manager at a port. Returns the port. */
const Lesson = Task.make("Lesson", { payload: { port: Schema.Int }, success: Schema.Int })
const Tasks = TaskGroup.make("lessons", { tasks: [Lesson] })

const lesson = Effect.gen(function*() {
  const [item, { endpoint }] = yield* Effect.all([Item, Manager.Manager])
  const [url = ""] = endpoint?.urls ?? []
  const before = yield* item.get
  yield* item.set("educative")
  yield* Console.log(`at ${url}: ${before}, then ${yield* item.get}`)
  return Number(new URL(url).port)
})

const tasks = Tasks.toLayer({
  Lesson: ({ port }) => {
    const manager = NodeManager.layerServer({ address: { host: "127.0.0.1", port }, key: Redacted.make("abracadabra") })
    return Effect.orDie(Effect.provide(lesson, Layer.provideMerge(Item.layer, manager)))
  }
})

const main = Effect.gen(function*() {
  let port = 0
  for (let program = 0; program < 3; program++) port = yield* Process.run(Tasks, Lesson, { port })
})

NodeManager.runMain(main, { tasks })
