/**
 * Five workers of a pool run until a flag in a namespace is false. First they poll it, as in the blog post "Manager
 * Namespaces for IPC Between Python Process Pools"; then they watch it (SEED-35 to 37, 40, 41).
 *
 *     $ npm run example examples/11_running_flag.ts
 *     ~ [post-1] <a>: Worker started.
 *     ~ [post-2] <b>: Worker started.
 *     ~ [post-3] <c>: Worker started.
 *     ~ [post-4] <d>: Worker started.
 *     ~ [post-5] <e>: Worker started.
 *     ~ Shutting down.
 *     ~ [post-1] <a>: Worker terminating.
 *     ~ [post-2] <b>: Worker terminating.
 *     ~ [post-3] <c>: Worker terminating.
 *     ~ [post-4] <d>: Worker terminating.
 *     ~ [post-5] <e>: Worker terminating.
 *     ~ All workers joined.
 *     ~ [post-1] <a>: Watcher started.
 *     ~ [post-2] <b>: Watcher started.
 *     ~ [post-3] <c>: Watcher started.
 *     ~ [post-4] <d>: Watcher started.
 *     ~ [post-5] <e>: Watcher started.
 *     ~ Shutting down.
 *     ~ [post-1] <a>: Watcher terminating.
 *     ~ [post-2] <b>: Watcher terminating.
 *     ~ [post-3] <c>: Watcher terminating.
 *     ~ [post-4] <d>: Watcher terminating.
 *     ~ [post-5] <e>: Watcher terminating.
 *     ~ All watchers joined.
 *
 * A worker's line comes through its owner, which may print its own line first (docs/output.md).
 *
 * Improvements: a waiting worker sends nothing and is woken at once; and `started` lets the main program wait until all
 * five run, where the post only sleeps.
 */
import { Pool, SharedNamespace, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Fiber, Layer, Schema } from "effect"

class Flags extends SharedNamespace.Service<Flags>()("post/Flags", {
  fields: { isRunning: Schema.Boolean, started: Schema.Int },
  initial: { isRunning: true, started: 0 }
}) {}

const Worker = Task.make("Worker")
const Watcher = Task.make("Watcher")
const Tasks = TaskGroup.make("post", { tasks: [Worker, Watcher] })

const tasks = Tasks.toLayer({
  Worker: Effect.fn(function*() {
    const { isRunning, started } = (yield* Flags).fields
    yield* Console.log(`${process.pid}: Worker started.`)
    yield* started.increment
    while ((yield* isRunning.get) === true) yield* Effect.sleep("5 millis")
    yield* Console.log(`${process.pid}: Worker terminating.`)
  }, Effect.orDie),

  Watcher: Effect.fn(function*() {
    const { isRunning, started } = (yield* Flags).fields
    yield* Console.log(`${process.pid}: Watcher started.`)
    yield* started.increment
    yield* isRunning.until((running) => !running)
    yield* Console.log(`${process.pid}: Watcher terminating.`)
  }, Effect.orDie)
}).pipe(Layer.provide(Flags.layer))

const main = Effect.gen(function*() {
  const flags = yield* Flags
  const pool = yield* Pool.make(Tasks, { size: 5 })
  for (const task of [Worker, Watcher]) {
    yield* flags.set({ isRunning: true, started: 0 })
    const workers = yield* Effect.replicateEffect(Effect.forkChild(pool.execute(task)), 5)
    yield* flags.fields.started.until((started) => started === 5)
    yield* Console.log("Shutting down.")
    yield* flags.set({ isRunning: false })
    yield* Fiber.joinAll(workers)
    yield* Console.log(`All ${task.tag.toLowerCase()}s joined.`)
  }
}).pipe(Effect.provide(Flags.layer))

NodeManager.runMain(main, { tasks })
