/** Starts one process after another until the time is over. The time to the first result counts, not the end. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Round } from "../rounds.ts"

/** Starts per second. */
export const starts =
  <E, R>(firstResult: Effect.Effect<unknown, E, R | Scope.Scope>): Round<E, Exclude<R, Scope.Scope>> =>
  (milliseconds) =>
    Effect.gen(function*() {
      const end = performance.now() + milliseconds
      const timed = Effect.suspend(() => {
        const start = performance.now()
        return Effect.map(firstResult, () => performance.now() - start)
      })
      let [count, total] = [0, 0]
      while (performance.now() < end) {
        total += yield* Effect.scoped(timed)
        count++
      }
      return count / total * 1_000
    })
