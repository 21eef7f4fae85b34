/**
 * Two processes, one after the other, change a shared item: the lesson on `Namespace` of educative's course "Python
 * Concurrency for Senior Engineering Interviews" (SEED-43, 44, 48, 49).
 *
 *     $ npm run example examples/13_lesson.ts
 *     [Process1-1] empty
 *     [Process2-2] educative
 *     educative is awesome !
 *
 * Improvements: there is no port that another program may use, no start method to choose, and nothing to shut down.
 */
import { Process, SharedNamespace, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Layer, Schema } from "effect"

class SharedVars extends SharedNamespace.Service<SharedVars>()("lesson/SharedVars", {
  fields: { item: Schema.String },
  initial: { item: "empty" }
}) {}

const Process1 = Task.make("Process1")
const Process2 = Task.make("Process2")
const Tasks = TaskGroup.make("lesson", { tasks: [Process1, Process2] })

const tasks = Tasks.toLayer({
  Process1: Effect.fn(function*() {
    const { item } = (yield* SharedVars).fields
    yield* Console.log(yield* item.get)
    yield* item.set("educative")
  }),
  Process2: Effect.fn(function*() {
    const { item } = (yield* SharedVars).fields
    yield* Console.log(yield* item.get)
    yield* item.set("educative is awesome !")
  })
}).pipe(Layer.provide(SharedVars.layer))

const main = Effect.gen(function*() {
  const { item } = (yield* SharedVars).fields
  yield* Process.run(Tasks, Process1)
  yield* Process.run(Tasks, Process2)
  yield* Console.log(yield* item.get)
}).pipe(Effect.provide(SharedVars.layer))

NodeManager.runMain(main, { tasks })
