/**
 * Concurrent calls travel together. The overview article on `Manager` advises to use shared objects seldom, and to
 * batch (SEED-59, 63).
 *
 *     $ npm run example examples/24_batch.ts
 *     one after another: <slow> calls a second
 *     a hundred at a time: <fast> calls a second
 *     offered at once: 1000 items
 *     set at once: { left: 1, right: 2 }
 *
 * Improvement: any calls that are made at the same time share a frame, without a batch form. `offerAll`, `set` of
 * several fields and `entries` are one call in any case.
 */
import { SharedNamespace, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Duration, Effect, Schema } from "effect"

const calls = 5_000

const main = Effect.gen(function*() {
  const counter = yield* SharedRef.make({ schema: Schema.Int, initial: 0 })
  const rate = (concurrency: number) =>
    Effect.replicateEffect(counter.increment, calls, { concurrency, discard: true }).pipe(
      Effect.timed,
      Effect.map(([took]) => `${Math.round(calls / Duration.toSeconds(took))} calls a second`)
    )
  yield* Console.log("one after another:", yield* rate(1))
  yield* Console.log("a hundred at a time:", yield* rate(100))

  const jobs = yield* SharedQueue.make({ item: Schema.Int })
  yield* jobs.offerAll(Array.from({ length: 1_000 }, (_, i) => i))
  yield* Console.log(`offered at once: ${yield* jobs.size} items`)

  const fields = { left: Schema.Int, right: Schema.Int }
  const pair = yield* SharedNamespace.make({ fields, initial: { left: 0, right: 0 } })
  yield* pair.set({ left: 1, right: 2 })
  yield* Console.log("set at once:", yield* pair.get)
})

NodeManager.runMain(main)
