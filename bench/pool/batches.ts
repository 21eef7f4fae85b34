/** Whole batches of tasks, one after the other until the time is over. A rate counts tasks. */
import * as Effect from "effect/Effect"
import type { Round } from "../rounds.ts"

/** Does batches of so many tasks, at least one. */
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

/** What the tasks are given: the same for everyone. */
export const numbers = (size: number): ReadonlyArray<number> => Array.from({ length: size }, (_, i) => i)

/** Workers of every pool. */
export const workers = 2
