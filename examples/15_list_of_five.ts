/**
 * Five processes append their numbers to one list: the program of the overview article on `Manager` (SEED-50).
 *
 *     $ npm run example examples/15_list_of_five.ts
 *     [ <first>, <second>, <third>, <fourth>, <fifth> ]
 *     in order: [ 0, 1, 2, 3, 4 ]
 */
import { Process, SharedList, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Schema } from "effect"

const Append = Task.make("Append", { payload: { list: SharedList.schema(Schema.Int), item: Schema.Int } })
const Tasks = TaskGroup.make("overview", { tasks: [Append] })

const tasks = Tasks.toLayer({
  Append: ({ item, list }) => Effect.asVoid(list.append(item))
})

const main = Effect.gen(function*() {
  const list = yield* SharedList.make({ item: Schema.Int })
  yield* Effect.forEach([0, 1, 2, 3, 4], (item) => Process.run(Tasks, Append, { list, item }), {
    concurrency: "unbounded"
  })
  const items = yield* list.toArray
  yield* Console.log(items)
  yield* Console.log("in order:", items.toSorted())
})

NodeManager.runMain(main, { tasks })
