/**
 * Five processes work until a flag in a namespace says stop: first by looking again and again, as in the blog post
 * "Manager Namespaces for IPC Between Python Process Pools", then by waiting to be told (SEED-35, 36, 37, 40, 41).
 *
 *     $ npm run example examples/11_running_flag.ts
 *     ~ [Poll-1] <a>: Worker started.
 *     ~ [Poll-2] <b>: Worker started.
 *     ~ [Poll-3] <c>: Worker started.
 *     ~ [Poll-4] <d>: Worker started.
 *     ~ [Poll-5] <e>: Worker started.
 *     Shutting down.
 *     ~ [Poll-1] <a>: Worker terminating.
 *     ~ [Poll-2] <b>: Worker terminating.
 *     ~ [Poll-3] <c>: Worker terminating.
 *     ~ [Poll-4] <d>: Worker terminating.
 *     ~ [Poll-5] <e>: Worker terminating.
 *     All workers joined.
 *     ~ [Watch-6] <f>: Worker started.
 *     ~ [Watch-7] <g>: Worker started.
 *     ~ [Watch-8] <h>: Worker started.
 *     ~ [Watch-9] <i>: Worker started.
 *     ~ [Watch-10] <j>: Worker started.
 *     Shutting down.
 *     ~ [Watch-6] <f>: Worker terminating.
 *     ~ [Watch-7] <g>: Worker terminating.
 *     ~ [Watch-8] <h>: Worker terminating.
 *     ~ [Watch-9] <i>: Worker terminating.
 *     ~ [Watch-10] <j>: Worker terminating.
 *     All workers joined.
 *
 * What is better: a process that waits costs nothing and is told at once; and `started` lets the main program wait
 * until all five run, where the post sleeps and hopes.
 */
import { Process, SharedNamespace, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Layer, Schema } from "effect"

class Flags extends SharedNamespace.Service<Flags>()("post/Flags", {
  fields: { isRunning: Schema.Boolean, started: Schema.Int },
  initial: { isRunning: true, started: 0 }
}) {}

const Poll = Task.make("Poll", { payload: {} })
const Watch = Task.make("Watch", { payload: {} })
const Tasks = TaskGroup.make("post", { tasks: [Poll, Watch] })

/** A worker that goes on until the flag is false, in one way or the other. */
const worker = <E>(untilStopped: (flag: Flags["Service"]["fields"]["isRunning"]) => Effect.Effect<unknown, E>) =>
  Effect.fn(function*() {
    const { isRunning, started } = (yield* Flags).fields
    yield* Console.log(`${process.pid}: Worker started.`)
    yield* started.increment
    yield* untilStopped(isRunning)
    yield* Console.log(`${process.pid}: Worker terminating.`)
  }, Effect.orDie)

const tasks = Tasks.toLayer({
  Poll: worker((flag) => Effect.repeat(Effect.delay(flag.get, "5 millis"), { while: (running) => running === true })),
  Watch: worker((flag) => flag.until((running) => !running))
}).pipe(Layer.provide(Flags.layer))

const main = Effect.gen(function*() {
  const flags = yield* Flags
  for (const task of [Poll, Watch]) {
    yield* flags.set({ isRunning: true, started: 0 })
    const workers = yield* Effect.replicateEffect(Process.spawn(Tasks, task, {}), 5)
    yield* flags.fields.started.until((started) => started === 5)
    yield* Console.log("Shutting down.")
    yield* flags.set({ isRunning: false })
    yield* Effect.forEach(workers, (worker) => worker.result)
    yield* Console.log("All workers joined.")
  }
}).pipe(Effect.provide(Flags.layer), Effect.scoped)

NodeManager.runMain(main, { tasks })
