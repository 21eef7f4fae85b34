/**
 * Three processes write their progress into a shared map, and the main program watches it. The overview article on
 * `Manager` names this use (SEED-56).
 *
 *     $ npm run example examples/19_progress.ts
 *     75 of 300
 *     150 of 300
 *     225 of 300
 *     300 of 300
 *     [ 'worker-1: 100', 'worker-2: 100', 'worker-3: 100' ]
 *
 * Improvement: the main program receives every step, in order, instead of polling.
 */
import { Process, SharedMap, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Layer, Schema } from "effect"

class Progress extends SharedMap.Service<Progress>()("progress/Done", { key: Schema.String, value: Schema.Int }) {}

const Work = Task.make("Work", { payload: { name: Schema.String, steps: Schema.Int } })
const Tasks = TaskGroup.make("progress", { tasks: [Work] })

const tasks = Tasks.toLayer({
  Work: Effect.fn(function*({ name, steps }) {
    const progress = yield* Progress
    for (let step = 1; step <= steps; step++) {
      yield* Effect.sleep("1 millis")
      yield* progress.set(name, step)
    }
  })
}).pipe(Layer.provide(Progress.layer))

const main = Effect.gen(function*() {
  const progress = yield* Progress
  const names = ["worker-1", "worker-2", "worker-3"]
  const workers = yield* Effect.forEach(names, (name) => Process.spawn(Tasks, Work, { name, steps: 100 }, { name }))

  const done = (entries: ReadonlyMap<string, number>) => [...entries.values()].reduce((a, b) => a + b, 0)
  for (const goal of [75, 150, 225, 300]) {
    yield* progress.until((entries) => done(entries) >= goal)
    yield* Console.log(`${goal} of 300`)
  }
  yield* Effect.forEach(workers, (worker) => worker.result)
  yield* Console.log((yield* progress.entries).map(([name, steps]) => `${name}: ${steps}`).sort())
}).pipe(Effect.provide(Progress.layer))

NodeManager.runMain(main, { tasks })
