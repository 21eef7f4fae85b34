/**
 * Fifty processes append to one list: the worked example of SuperFastPython's tutorial on sharing a data structure
 * (SEED-25 to 28, 30).
 *
 *     $ npm run example examples/06_shared_list.ts
 *     List: 50
 *     each number once: true
 *     an ordinary list: 0
 *
 * The first argument is the number of processes:
 *
 *     $ npm run example examples/06_shared_list.ts 5
 *     List: 5
 *     each number once: true
 *     an ordinary list: 0
 *
 * Improvements: an item has a schema, and a process is a value until it is run, all at once or a few at a time.
 */
import { Process, SharedList, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Random, Schema } from "effect"

const Pair = Schema.Tuple([Schema.Int, Schema.Number])

const Append = Task.make("Append", { payload: { number: Schema.Int, list: SharedList.schema(Pair) } })
const Tasks = TaskGroup.make("tutorial", { tasks: [Append] })

const ordinary: Array<number> = []

const [size = 50] = process.argv.slice(2).map(Number)

const tasks = Tasks.toLayer({
  Append: Effect.fn(function*({ list, number }) {
    const value = yield* Random.next
    yield* Effect.sleep(value * 1_000)
    yield* list.append([number, value])
    ordinary.push(number)
  })
})

const main = Effect.gen(function*() {
  const list = yield* SharedList.make({ item: Pair })
  const processes = Array.from({ length: size }, (_, number) => Process.run(Tasks, Append, { number, list }))
  yield* Effect.all(processes, { concurrency: "unbounded", discard: true })

  yield* Console.log("List:", yield* list.size)
  const numbers = (yield* list.toArray).map(([number]) => number).sort((a, b) => a - b)
  yield* Console.log("each number once:", numbers.join() === [...processes.keys()].join())
  yield* Console.log("an ordinary list:", ordinary.length)
})

NodeManager.runMain(main, { tasks })
