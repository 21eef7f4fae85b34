/** piscina: two threads that square numbers. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { Piscina } from "piscina"
import { answer } from "../child.ts"
import { batches, numbers, workers } from "./batches.ts"

const main = Effect.gen(function*() {
  const pool = yield* Effect.acquireRelease(
    Effect.sync(() =>
      new Piscina({
        filename: new URL("./piscinaWorker.ts", import.meta.url).href,
        minThreads: workers,
        maxThreads: workers
      })
    ),
    (pool) => Effect.promise(() => pool.destroy())
  )
  yield* answer(({ fibers }) => {
    const payloads = numbers(fibers)
    return batches(fibers, Effect.promise(() => Promise.all(payloads.map((n) => pool.run(n)))))
  })
})

NodeRuntime.runMain(Effect.scoped(main))
