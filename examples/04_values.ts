/**
 * A namespace holds every value that its field's schema can encode, the same in every process. SuperFastPython's
 * tutorial names integers, floating point values, strings and characters (SEED-5, 6, 13, 20).
 *
 *     $ npm run example examples/04_values.ts
 *     100 is more than 50
 *     [Show-1] {
 *     [Show-1]   absent: [ 1, undefined ],
 *     [Show-1]   bytes: Uint8Array(3) [ 1, 2, 3 ],
 *     [Show-1]   config: 33.3,
 *     [Show-1]   large: 1267650600228229401496703205376n,
 *     [Show-1]   limits: [ -Infinity, NaN, 0.1 ],
 *     [Show-1]   name: 'Tester',
 *     [Show-1]   since: 2022-09-12T00:00:00.000Z,
 *     [Show-1]   tags: [ 'a', 'b' ],
 *     [Show-1]   value1: 100
 *     [Show-1] }
 *
 * Improvement: a list is a readonly value like any other, and every process sees its contents.
 */
import { Process, SharedNamespace, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Schema } from "effect"

class Board extends SharedNamespace.Service<Board>()("tutorial/Board", {
  fields: {
    value1: Schema.Int,
    config: Schema.Number,
    name: Schema.String,
    large: Schema.BigInt,
    bytes: Schema.Uint8Array,
    since: Schema.Date,
    limits: Schema.Array(Schema.Number),
    absent: Schema.Array(Schema.UndefinedOr(Schema.Int)),
    tags: Schema.Array(Schema.String)
  },
  initial: {
    value1: 0,
    config: 33.3,
    name: "Tester",
    large: 2n ** 100n,
    bytes: new Uint8Array([1, 2, 3]),
    since: new Date("2022-09-12"),
    limits: [-Infinity, NaN, 0.1],
    absent: [1, undefined],
    tags: ["a", "b"]
  }
}) {}

const Show = Task.make("Show", { payload: { board: Board.schema } })
const Tasks = TaskGroup.make("tutorial", { tasks: [Show] })

const tasks = Tasks.toLayer({
  Show: Effect.fn(function*({ board }) {
    yield* Console.log(yield* board.get)
  })
})

const main = Effect.gen(function*() {
  const board = yield* Board
  yield* board.fields.value1.set(100)
  if ((yield* board.fields.value1.get) > 50) yield* Console.log("100 is more than 50")
  yield* Process.run(Tasks, Show, { board })
}).pipe(Effect.provide(Board.layer))

NodeManager.runMain(main, { tasks })
