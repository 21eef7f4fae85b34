/**
 * Fills a manager with 100,000 objects, of which 50,000 are locks that are held and waited for, and inspects it.
 * Arguments: `deployments.ts`.
 */
import { Manager, SharedLatch, SharedLock } from "@effect-multiprocessing/core"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { answer } from "../child.ts"
import { layerClient, ownArguments } from "../deployments.ts"
import { fibers } from "../loops.ts"

const size = 50_000

const times = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forEach(Array.from({ length: size }), () => effect, { concurrency: "unbounded", discard: true })

/** A lock that one fiber holds and another one waits for. */
const contended = Effect.gen(function*() {
  const lock = yield* SharedLock.make()
  const use = Effect.forkScoped(lock.withLock(Effect.never))
  yield* Effect.andThen(use, use)
})

const main = Effect.gen(function*() {
  const { counts, inspect } = yield* Manager.Manager
  yield* times(SharedLatch.make())
  yield* times(contended)
  yield* Effect.repeat(counts, { until: ({ holders, waiters }) => holders === size && waiters === size })
  yield* answer(() => fibers(1, () => inspect))
}).pipe(Effect.scoped)

NodeRuntime.runMain(Effect.provide(main, layerClient(ownArguments())))
