/** Actors whose hosts are real processes. */
import { Actor, Process } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Schedule } from "effect"
import { Host, Tasks, Worker } from "./fixtures/hosted.ts"
import { fixture } from "./harness.ts"

const layer = Layer.provideMerge(Worker.layer, NodeManager.layerProgram({ entry: fixture("hostedMain") }))

const options = { concurrency: 4, prefetch: 4 }

describe("a host that is killed under 200 callers", () => {
  it.live("fails the calls that it has received, and the next host carries out the others", () =>
    Effect.gen(function*() {
      const worker = yield* Worker
      const supervised = Effect.retry(Process.run(Tasks, Host, options), Schedule.forever)
      yield* Effect.forkScoped(supervised)
      const first = yield* worker.work({ milliseconds: 0 })
      const calls = yield* Effect.forEach(
        Array.from({ length: 200 }),
        () => Effect.forkChild(Effect.exit(worker.work({ milliseconds: 5 })))
      )
      yield* Effect.repeat(Actor.status(worker), { until: ({ queued }) => queued > 0 && queued < 180 })
      process.kill(first, "SIGKILL")
      const exits = yield* Effect.forEach(calls, Fiber.join)
      const pids = new Set(exits.filter(Exit.isSuccess).map(({ value }) => value))
      const errors = yield* Effect.forEach(exits.filter(Exit.isFailure), Effect.flip)
      assert.strictEqual(pids.size, 2)
      assert.isTrue(pids.has(first))
      assert.isAtLeast(errors.length, 1)
      assert.isAtMost(errors.length, options.concurrency + options.prefetch)
      for (const error of errors) assert.instanceOf(error, Actor.ActorDied)
      const { delivered, queued } = yield* Actor.status(worker)
      assert.deepStrictEqual({ delivered, queued }, { delivered: 0, queued: 0 })
    }).pipe(Effect.scoped, Effect.provide(layer)))
})
