import { Process, SharedMap, SharedQueue, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Layer, Schema } from "effect"

// The shared objects, each with a name and a schema.
class Jobs extends SharedQueue.Service<Jobs>()("app/Jobs", { item: Schema.Int }) {}
class Results extends SharedMap.Service<Results>()("app/Results", { key: Schema.Int, value: Schema.Int }) {}
const layerShared = Layer.merge(Jobs.layer, Results.layer)

// A task that another process can run. Its payload and its result have schemas, too.
const Work = Task.make("Work", { payload: { power: Schema.Int }, success: Schema.Int })
const Tasks = TaskGroup.make("app", { tasks: [Work] })

const tasks = Tasks.toLayer({
  Work: Effect.fn(function*({ power }) {
    const jobs = yield* Jobs
    const results = yield* Results
    let done = 0
    // A job is removed when its work has succeeded. If its process dies before that, another process gets the job.
    // Therefore the work must be safe to repeat, as setting a key is.
    yield* jobs.processAll((n) => Effect.map(results.set(n, n ** power), () => ++done))
    return done
  })
}).pipe(Layer.provide(layerShared))

const main = Effect.gen(function*() {
  const jobs = yield* Jobs
  const results = yield* Results
  const workers = yield* Effect.forEach([1, 2, 3], () => Process.spawn(Tasks, Work, { power: 2 }))
  yield* jobs.offerAll(Array.from({ length: 100 }, (_, i) => i + 1))
  yield* jobs.close
  const done = yield* Effect.forEach(workers, (worker) => worker.result)
  yield* Console.log(`${done.length} processes did ${done.reduce((a, b) => a + b)} jobs`)
  yield* Console.log(`the squares add up to ${(yield* results.entries).reduce((sum, [, square]) => sum + square, 0)}`)
}).pipe(Effect.provide(layerShared))

// One file is enough: it is the main program, and the workers run the same file.
NodeManager.runMain(main, { tasks })
