/**
 * Undeclared names: several processes set any names, and every process sees all of them. A `Manager.Namespace` takes
 * any name at any time, as SuperFastPython's tutorial shows (SEED-15), but does not share a name with an underscore
 * (SEED-7, 45, 46).
 *
 *     $ npm run example examples/25_open_names.ts
 *     Namespace(_item="shared", list=[1,2], main=55, rate=0.1, title="a text")
 *
 * Improvements: every name is shared, the names can be listed, and several are set in one step. For known names use a
 * `SharedNamespace`, which has their types.
 */
import { Process, SharedNamespace, SharedOpenNamespace, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Layer, Schema } from "effect"

class Open extends SharedOpenNamespace.Service<Open>()("open/Names", { value: Schema.Json }) {}

const Post = Task.make("Post", { payload: { values: Schema.Record(Schema.String, Schema.Json) } })
const Tasks = TaskGroup.make("open", { tasks: [Post] })

const tasks = Tasks.toLayer({
  Post: Effect.fn(function*({ values }) {
    const open = yield* Open
    yield* open.set(values)
  })
}).pipe(Layer.provide(Open.layer))

const main = Effect.gen(function*() {
  const open = yield* Open
  yield* open.field("main").set(55)
  yield* Process.run(Tasks, Post, { values: { rate: 0.1, title: "a text" } })
  yield* Process.run(Tasks, Post, { values: { list: [1, 2], _item: "shared" } })
  yield* Console.log(SharedNamespace.render(yield* open.get))
}).pipe(Effect.provide(Open.layer))

NodeManager.runMain(main, { tasks })
