/** workerpool: two threads that square numbers; its processes are slower. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"
import { pool as makePool } from "workerpool"
import { answer } from "../child.ts"
import { batches, numbers, workers } from "./batches.ts"

const script = fileURLToPath(new URL("./workerpoolWorker.ts", import.meta.url))

const main = Effect.gen(function*() {
  const pool = yield* Effect.acquireRelease(
    Effect.sync(() => makePool(script, { minWorkers: workers, maxWorkers: workers, workerType: "thread" })),
    (pool) => Effect.promise(() => Promise.resolve(pool.terminate()))
  )
  yield* answer(({ fibers }) => {
    const payloads = numbers(fibers)
    return batches(fibers, Effect.promise(() => Promise.all(payloads.map((n) => pool.exec("square", [n])))))
  })
})

NodeRuntime.runMain(Effect.scoped(main))
