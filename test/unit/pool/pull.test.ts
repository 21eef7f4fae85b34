/** A pool takes payloads from their source as its workers get free, and no further. */
import { Pool, Task, TaskGroup } from "@effect-multiprocessing/core"
import { layerProgram } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Schema, Stream } from "effect"

const Square = Task.make("Square", { payload: Schema.Int, success: Schema.Int })
const Tasks = TaskGroup.make("tasks", { tasks: [Square] })
const tasks = Tasks.toLayer({ Square: (n) => Effect.succeed(n * n) })

const size = 2

/** Chunks that may be ahead of the results, and the one that is being pulled. */
const aheadMax = size * 4 + 1

const withPool = <A, E>(use: (pool: Pool.Pool<typeof Tasks.tasks>) => Effect.Effect<A, E>) =>
  Effect.flatMap(Pool.make(Tasks, { size }), use).pipe(Effect.scoped, Effect.provide(layerProgram({ tasks })))

describe("payloads are pulled as workers get free by", () => {
  for (const way of ["mapUnordered", "stream"] as const) {
    const run = (pool: Pool.Pool<typeof Tasks.tasks>, payloads: Iterable<number>) =>
      way === "mapUnordered"
        ? pool.mapUnordered(Square, payloads, { chunk: 1 })
        : pool.stream(Square, Stream.fromIterable(payloads, { chunkSize: 1 }), { chunk: 1 })

    it.live(`${way}: no further than its chunks ahead`, () =>
      withPool((pool) =>
        Effect.gen(function*() {
          let pulled = 0
          const endless = function*() {
            for (;;) yield pulled++
          }
          let results = 0
          yield* run(pool, endless()).pipe(
            Stream.take(50),
            Stream.runForEach(() => Effect.sync(() => assert.isAtMost(pulled - results++, aheadMax + 1)))
          )
          assert.strictEqual(results, 50)
        })
      ))

    it.live(`${way}: a source that throws at an item loses no result before it`, () =>
      withPool((pool) =>
        Effect.gen(function*() {
          const throwing = function*() {
            for (let i = 0; i < 20; i++) yield i
            throw new Error("no more")
          }
          const results: Array<number> = []
          const exit = yield* run(pool, throwing()).pipe(
            Stream.runForEach((result) => Effect.sync(() => results.push(result))),
            Effect.exit
          )
          assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "no more")
          assert.deepStrictEqual(results.sort((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i * i))
        })
      ))
  }
})
