/** What a pool publishes about itself. */
import { PoolStats } from "#core/pool/PoolStats.ts"
import { assert, it } from "@effect/vitest"
import { Effect, Stream } from "effect"

it.effect("the last counts of a pool are published before its streams end", () =>
  Effect.gen(function*() {
    const stats = yield* PoolStats.make("pool")
    stats.accepted(3, 1, "Work")
    stats.ended(2, "done", "Square")
    stats.ended(1, "failed", "Square")
    stats.end()
    const last = yield* Stream.runLast(stats.progress)
    assert.deepStrictEqual(last.pipe((option) => option._tag === "Some" ? option.value : undefined), {
      accepted: 3,
      done: 2,
      failed: 1,
      cancelled: 0,
      workers: 0
    })
  }))
