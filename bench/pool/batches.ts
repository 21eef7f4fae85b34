/** Runs whole batches of tasks, one after another, until the time is over. A rate counts tasks. */
import * as Effect from "effect/Effect"
import type { Round } from "../rounds.ts"

/** Runs at least one batch of this number of tasks. */
export const batches = <E, R>(size: number, batch: Effect.Effect<unknown, E, R>): Round<E, R> => (milliseconds) =>
  Effect.gen(function*() {
    const start = performance.now()
    let tasks = 0
    do {
      yield* batch
      tasks += size
    } while (performance.now() - start < milliseconds)
    return tasks / (performance.now() - start) * 1_000
  })

/** The payloads of the tasks, the same for all contestants. */
export const numbers = (size: number): ReadonlyArray<number> => Array.from({ length: size }, (_, i) => i)

/** The number of workers of every pool. */
export const workers = 2
