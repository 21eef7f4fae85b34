/**
 * A pipeline: some processes square numbers, others format the squares, and queues connect them. The overview article
 * on `Manager` names this use (SEED-57).
 *
 *     $ npm run example examples/20_pipeline.ts
 *     20 lines, of 20 numbers
 *     1 squared is 1 … 20 squared is 400
 *
 * Improvements: closing a queue ends its consumers, so the end travels down the pipeline; and an item whose worker dies
 * goes to another worker.
 */
import { Process, SharedQueue, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Schema } from "effect"

const Pair = Schema.Tuple([Schema.Int, Schema.Int])
const numbers = SharedQueue.schema(Schema.Int)
const squares = SharedQueue.schema(Pair)
const lines = SharedQueue.schema(Schema.String)

const Square = Task.make("Square", { payload: { from: numbers, to: squares } })
const Write = Task.make("Write", { payload: { from: squares, to: lines } })
const Tasks = TaskGroup.make("pipeline", { tasks: [Square, Write] })

const tasks = Tasks.toLayer({
  Square: ({ from, to }) => Effect.orDie(from.processAll((n) => to.offer([n, n * n]))),
  Write: ({ from, to }) => Effect.orDie(from.processAll(([n, square]) => to.offer(`${n} squared is ${square}`)))
})

const main = Effect.gen(function*() {
  const first = yield* SharedQueue.make({ item: Schema.Int })
  const second = yield* SharedQueue.make({ item: Pair })
  const third = yield* SharedQueue.make({ item: Schema.String })
  const twice = { concurrency: 2, discard: true } as const

  yield* first.offerAll(Array.from({ length: 20 }, (_, i) => i + 1))
  yield* first.close
  const squared = Effect.replicateEffect(Process.run(Tasks, Square, { from: first, to: second }), 2, twice)
  const written = Effect.replicateEffect(Process.run(Tasks, Write, { from: second, to: third }), 2, twice)
  yield* Effect.all([Effect.andThen(squared, second.close), Effect.andThen(written, third.close)], {
    concurrency: "unbounded"
  })

  const all = yield* Effect.replicateEffect(third.take, yield* third.size)
  const sorted = all.toSorted((a, b) => parseInt(a) - parseInt(b))
  yield* Console.log(`${new Set(all).size} lines, of 20 numbers`)
  yield* Console.log(`${sorted[0]} … ${sorted.at(-1)}`)
})

NodeManager.runMain(main, { tasks })
