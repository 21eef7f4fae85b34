/**
 * Names that nobody has declared: several processes post what they like, and all of it is seen by all. A
 * `Manager.Namespace` takes any name at any time, as SuperFastPython's tutorial shows (SEED-15).
 *
 *     $ npm run example examples/25_open_names.ts
 *     { main: 55, rate: 0.1, title: 'a text', list: [ 1, 2 ] }
 *
 * Where the names are known, a `SharedNamespace` is better: it has their types. Where they are not, a map is one.
 */
import { Process, SharedMap, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Layer, Schema } from "effect"

class Open extends SharedMap.Service<Open>()("open/Names", { key: Schema.String, value: Schema.Json }) {}

const Post = Task.make("Post", { payload: { values: Schema.Record(Schema.String, Schema.Json) } })
const Tasks = TaskGroup.make("open", { tasks: [Post] })

const tasks = Tasks.toLayer({
  Post: Effect.fn(function*({ values }) {
    const open = yield* Open
    yield* Effect.forEach(Object.entries(values), ([name, value]) => open.set(name, value))
  }, Effect.orDie)
}).pipe(Layer.provide(Open.layer))

const main = Effect.gen(function*() {
  const open = yield* Open
  yield* open.set("main", 55)
  yield* Process.run(Tasks, Post, { values: { rate: 0.1, title: "a text" } })
  yield* Process.run(Tasks, Post, { values: { list: [1, 2] } })
  yield* Console.log(Object.fromEntries(yield* open.entries))
}).pipe(Effect.provide(Open.layer))

NodeManager.runMain(main, { tasks })
