/**
 * A name that begins with an underscore is shared like any other. In the lesson on `Namespace` of educative's course it
 * stays on the proxy: another process cannot read it, or, if forked, reads a stale copy (SEED-7, 45, 46).
 *
 *     $ npm run example examples/14_underscore.ts
 *     [Show-1] { _item: 'shared', item: 'shared too' }
 *     [Show-1] _item: shared
 *
 * Improvement: one rule for all names. Every name that looks shared is shared, with every way to start a process.
 */
import { Process, SharedNamespace, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Schema } from "effect"

const fields = { _item: Schema.String, item: Schema.String }

const Show = Task.make("Show", { payload: { namespace: SharedNamespace.schema({ fields }) } })
const Tasks = TaskGroup.make("lesson", { tasks: [Show] })

const tasks = Tasks.toLayer({
  Show: Effect.fn(function*({ namespace }) {
    yield* Console.log(yield* namespace.get)
    yield* Console.log("_item:", yield* namespace.fields._item.get)
  })
})

const main = Effect.gen(function*() {
  const namespace = yield* SharedNamespace.make({ fields, initial: { _item: "empty", item: "empty" } })
  yield* namespace.set({ _item: "shared", item: "shared too" })
  yield* Process.run(Tasks, Show, { namespace })
})

NodeManager.runMain(main, { tasks })
