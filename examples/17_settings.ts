/**
 * The main program changes a setting while a process works, and the process reports its status. The overview article on
 * `Manager` names this use: sharing configuration and status (SEED-54).
 *
 *     $ npm run example examples/17_settings.ts
 *     status: at 10 a second
 *     status: at 20 a second
 *     status: stopped
 *
 * Improvement: both sides receive a change when it happens, and neither polls.
 */
import { Process, SharedNamespace, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Layer, Schema, Stream } from "effect"

class Board extends SharedNamespace.Service<Board>()("settings/Board", {
  fields: { rate: Schema.Int, status: Schema.String },
  initial: { rate: 0, status: "starting" }
}) {}

const Work = Task.make("Work")
const Tasks = TaskGroup.make("settings", { tasks: [Work] })

const tasks = Tasks.toLayer({
  Work: Effect.fn(function*() {
    const { rate, status } = (yield* Board).fields
    yield* rate.changes.pipe(
      Stream.filter((rate) => rate > 0),
      Stream.switchMap((rate) => Stream.tick(1_000 / rate).pipe(Stream.map(() => `at ${rate} a second`))),
      Stream.changes,
      Stream.tap(status.set),
      Stream.interruptWhen(rate.until((rate) => rate < 0)),
      Stream.runDrain
    )
    yield* status.set("stopped")
  })
}).pipe(Layer.provide(Board.layer))

const main = Effect.gen(function*() {
  const { rate, status } = (yield* Board).fields
  const work = yield* Process.spawn(Tasks, Work)
  for (const perSecond of [10, 20]) {
    yield* rate.set(perSecond)
    yield* Console.log("status:", yield* status.until((status) => status === `at ${perSecond} a second`))
  }
  yield* rate.set(-1)
  yield* work.result
  yield* Console.log("status:", yield* status.get)
}).pipe(Effect.provide(Board.layer))

NodeManager.runMain(main, { tasks })
