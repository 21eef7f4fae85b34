import { Process, SharedQueue, SharedRef, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Layer, Schema } from "effect"

// What is shared, by name and schema.
class Jobs extends SharedQueue.Service<Jobs>()("app/Jobs", { item: Schema.Int }) {}
class Sum extends SharedRef.Service<Sum>()("app/Sum", { schema: Schema.Int, initial: 0 }) {}

// What other processes can be asked to do.
const Work = Task.make("Work", { payload: { worker: Schema.Int }, success: Schema.Int })
const Tasks = TaskGroup.make("app", { tasks: [Work] })

const tasks = Tasks.toLayer({
  Work: Effect.fn(function*({ worker }) {
    const jobs = yield* Jobs
    const sum = yield* Sum
    let done = 0
    // `process` acknowledges an item when the work on it has succeeded: nothing is lost when a worker is killed.
    const one = jobs.process((n) => Effect.as(sum.add(n * n), ++done))
    yield* Effect.forever(one).pipe(Effect.catchTag("QueueClosed", () => Effect.void))
    yield* Console.log(`worker ${worker} is done`)
    return done
  }, Effect.orDie)
}).pipe(Layer.provide([Jobs.layer, Sum.layer]))

const main = Effect.gen(function*() {
  const jobs = yield* Jobs
  const sum = yield* Sum
  const workers = yield* Effect.forEach([1, 2, 3], (worker) => Process.spawn(Tasks, Work, { worker }))
  yield* jobs.offerAll(Array.from({ length: 100 }, (_, i) => i + 1))
  yield* jobs.close
  const counts = yield* Effect.forEach(workers, (worker) => worker.result)
  yield* Console.log(`${counts.reduce((a, b) => a + b)} jobs, sum of squares ${yield* sum.get}`)
}).pipe(Effect.provide([Jobs.layer, Sum.layer]), Effect.scoped)

NodeManager.runMain(main, { tasks })
