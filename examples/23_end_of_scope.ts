/**
 * A manager lives in a scope. However the scope ends, the manager's process ends, and later calls fail with an error
 * that says so. The snippets on creating and closing a manager in SuperFastPython's tutorials
 * (SEED-1, 2, 3, 23, 24, 61).
 *
 *     $ npm run example examples/23_end_of_scope.ts
 *     inside: 1
 *     after its end: get on Ref #1 was not executed: the scope of this manager was closed. It had no effect
 *     inside: 1
 *     after its failure: get on Ref #1 was not executed: the scope of this manager was closed. It had no effect
 *     inside: 1
 *     after its interruption: get on Ref #1 was not executed: the scope of this manager was closed. It had no effect
 *
 * Improvements: there is no start and no close to forget, and the error is typed, not a broken pipe.
 */
import { SharedRef } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"

let kept: SharedRef.SharedNumber

/** Starts a manager, uses it, and ends its scope with an effect. */
const useManager = (end: Effect.Effect<void, string>) =>
  Effect.gen(function*() {
    kept = yield* SharedRef.make({ schema: Schema.Int, initial: 0 })
    yield* Console.log("inside:", yield* kept.increment)
    yield* end
  }).pipe(Effect.scoped, Effect.provide(NodeManager.layer))

const ends = { end: Effect.void, failure: Effect.fail("oh"), interruption: Effect.interrupt }

const main = Effect.gen(function*() {
  for (const [name, end] of Object.entries(ends)) {
    yield* Effect.exit(useManager(end))
    const error = yield* Effect.flip(kept.get)
    yield* Console.log(`after its ${name}: ${error.message}`)
  }
})

NodeRuntime.runMain(main)
