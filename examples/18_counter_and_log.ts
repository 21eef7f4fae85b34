/**
 * Three processes share a counter of requests and a log. The overview article on `Manager` names this use (SEED-55).
 *
 *     $ npm run example examples/18_counter_and_log.ts
 *     ~ server-1: request 1 of 2
 *     ~ server-1: request 2 of 2
 *     ~ server-2: request 1 of 2
 *     ~ server-2: request 2 of 2
 *     ~ server-3: request 1 of 2
 *     ~ server-3: request 2 of 2
 *     6 requests, 6 lines, in order per server: true
 *
 * Improvements: the counter needs no lock, and the log is printed while it is written, in the manager's order.
 */
import { Process, SharedQueue, SharedRef, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Fiber, Layer, Schema, Stream } from "effect"

class Requests extends SharedRef.Service<Requests>()("log/Requests", { schema: Schema.Int, initial: 0 }) {}
class Log extends SharedQueue.Service<Log>()("log/Lines", { item: Schema.String }) {}
const layerShared = Layer.merge(Requests.layer, Log.layer)

const Serve = Task.make("Serve", { payload: { name: Schema.String, requests: Schema.Int } })
const Tasks = TaskGroup.make("log", { tasks: [Serve] })

const tasks = Tasks.toLayer({
  Serve: Effect.fn(function*({ name, requests }) {
    const total = yield* Requests
    const log = yield* Log
    for (let request = 1; request <= requests; request++) {
      yield* total.increment
      yield* log.offer(`${name}: request ${request} of ${requests}`)
    }
  }, Effect.orDie)
}).pipe(Layer.provide(layerShared))

const main = Effect.gen(function*() {
  const total = yield* Requests
  const log = yield* Log
  const printed = yield* Effect.forkChild(Stream.runCollect(Stream.tap(log.stream, Console.log)))

  const names = ["server-1", "server-2", "server-3"]
  yield* Effect.forEach(names, (name) => Process.run(Tasks, Serve, { name, requests: 2 }), { concurrency: "unbounded" })
  yield* log.close
  const lines = yield* Fiber.join(printed)

  const inOrder = names.every((name) => {
    const own = lines.filter((line) => line.startsWith(name))
    return own.join() === own.toSorted().join()
  })
  yield* Console.log(`${yield* total.get} requests, ${lines.length} lines, in order per server: ${inOrder}`)
}).pipe(Effect.provide(layerShared))

NodeManager.runMain(main, { tasks })
