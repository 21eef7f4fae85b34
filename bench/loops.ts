/**
 * Loops that make one call after another until the time is over, as fibers or as promises. A rate counts completed
 * calls, until the last one has completed.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Round } from "./rounds.ts"

/** A call waited for another client, whose round is over. So is this client's round, and the call does not count. */
export class RoundOver extends Schema.TaggedError<RoundOver>()("RoundOver", {}) {}

/** Fibers of one process. */
export const fibers = <E, R>(
  count: number,
  call: (position: number) => Effect.Effect<unknown, E | RoundOver, R>
): Round<Exclude<E, { readonly _tag: "RoundOver" }>, R> =>
(milliseconds) =>
  Effect.gen(function*() {
    const clock = new RoundClock(milliseconds)
    // Not a generator: in some processes V8 allocates the effects that it yields in the old space, which costs an
    // eighth.
    const loop = (start: number) =>
      Effect.suspend(() => {
        let position = start
        return Effect.whileLoop({
          while: () => clock.running,
          body: () => call(position++),
          step: () => clock.calls++
        })
      })
    const loops = Effect.forEach(starts(count), loop, { concurrency: "unbounded", discard: true })
    yield* Effect.catchTag(loops, "RoundOver", () => Effect.void)
    return clock.rate
  })

/** One fiber, whose result is the rate of calls that each take as long as its longest one. */
export const slowest =
  <E, R>(call: (position: number) => Effect.Effect<unknown, E, R>): Round<E, R> => (milliseconds) =>
    Effect.suspend(() => {
      let longest = 0
      let last = performance.now()
      const timed = (position: number) =>
        Effect.tap(call(position), () => {
          const now = performance.now()
          longest = Math.max(longest, now - last)
          last = now
          return Effect.void
        })
      return Effect.map(fibers(1, timed)(milliseconds), () => 1_000 / longest)
    })

/** Promises of one process. */
export const promises = (count: number, call: (position: number) => Promise<unknown>): Round => (milliseconds) =>
  Effect.promise(async () => {
    const clock = new RoundClock(milliseconds)
    const loop = async (start: number) => {
      for (let position = start; clock.running; position++) {
        await call(position)
        clock.calls++
      }
    }
    await Promise.all(starts(count).map(loop))
    return clock.rate
  })

/** The first key of each loop. They differ, so that the loops do not use the same keys at the same time. */
const starts = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, i) => i * 37)

/** Counts calls, from its construction until the time is over. */
class RoundClock {
  running = true
  calls = 0
  readonly #start = performance.now()

  constructor(milliseconds: number) {
    setTimeout(() => {
      this.running = false
    }, milliseconds)
  }

  /** Calls per second so far. */
  get rate(): number {
    return this.calls / (performance.now() - this.#start) * 1_000
  }
}
