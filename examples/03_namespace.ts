/**
 * Two processes and the main program share the values of a namespace: the worked example of SuperFastPython's tutorial
 * on `Manager.Namespace` (SEED-4, 8, 16 to 19).
 *
 *     $ npm run example examples/03_namespace.ts
 *     [Task1-1] Task1 sees 55 got <first>
 *     [Task2-2] Task2 sees <first> got <second>
 *     Main sees: { main: 55, task1: <first>, task2: <second> }
 *
 * Improvements: the names and their types are declared, so a misspelt name does not compile (25_open_names.ts has the
 * undeclared form), and no `if __name__ == "__main__"` is needed.
 */
import { Process, SharedNamespace, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Random, Schema } from "effect"

const fields = { main: Schema.Int, task1: Schema.Number, task2: Schema.Number }

const Task1 = Task.make("Task1", { payload: { namespace: SharedNamespace.schema({ fields }) } })
const Task2 = Task.make("Task2", { payload: { namespace: SharedNamespace.schema({ fields }) } })
const Tasks = TaskGroup.make("tutorial", { tasks: [Task1, Task2] })

const tasks = Tasks.toLayer({
  Task1: Effect.fn(function*({ namespace: { fields } }) {
    const value = yield* Random.next
    yield* Effect.sleep(value * 1_000)
    yield* fields.task1.set(value)
    yield* Console.log(`Task1 sees ${yield* fields.main.get} got ${value}`)
  }),

  Task2: Effect.fn(function*({ namespace: { fields } }) {
    const value = yield* Random.next
    yield* Effect.sleep(value * 1_000)
    yield* Console.log(`Task2 sees ${yield* fields.task1.get} got ${value}`)
    yield* fields.task2.set(value)
  })
})

const main = Effect.gen(function*() {
  const namespace = yield* SharedNamespace.make({ fields, initial: { main: 0, task1: 0, task2: 0 } })
  yield* namespace.set({ main: 55 })
  yield* Process.run(Tasks, Task1, { namespace })
  yield* Process.run(Tasks, Task2, { namespace })
  yield* Console.log("Main sees:", yield* namespace.get)
})

NodeManager.runMain(main, { tasks })
