/** A clock that counts the timers that are set, to find those that are left behind. */
import { Clock, Effect } from "effect"

/** The clock of the test, and the number of its timers that are set. */
export const countingClock = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const timers = { set: 0 }
  const sleep: Clock.Clock["sleep"] = (duration) =>
    Effect.acquireUseRelease(
      Effect.sync(() => timers.set++),
      () => clock.sleep(duration),
      () => Effect.sync(() => timers.set--)
    )
  const counting: Clock.Clock = Object.assign(Object.create(clock), { sleep })
  return { clock: counting, timers }
})
