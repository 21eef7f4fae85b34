/** Ours: two processes that square numbers. */
import { Pool, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { answer } from "../child.ts"
import { batches, numbers, workers } from "./batches.ts"

const Square = Task.make("Square", { payload: Schema.Int, success: Schema.Int })
const Tasks = TaskGroup.make("bench", { tasks: [Square] })

const main = Effect.gen(function*() {
  const pool = yield* Pool.make(Tasks, { size: workers })
  yield* answer(({ fibers, operation }) => {
    const payloads = numbers(fibers)
    return batches(
      fibers,
      operation === "pool.map"
        ? pool.map(Square, payloads)
        : Effect.forEach(payloads, (n) => pool.execute(Square, n), { concurrency: "unbounded", discard: true })
    )
  })
}).pipe(Effect.scoped)

NodeManager.runMain(main, { tasks: Tasks.toLayer({ Square: (n) => Effect.succeed(n * n) }) })
