/** Which calls share an entry of the log. Time is virtual, and each append takes the same. */
import { type Log, Manager, SharedRef } from "@effect-multiprocessing/core"
import { makeMemoryLog } from "@effect-multiprocessing/core/testing"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as Memory from "../../support/Memory.ts"

const appendMs = 40

/** How long a caller takes from its reply to its next call: less than a quarter of an append. */
const pauseMs = 5

/** Lets time pass until a fiber has ended. Returns its result. */
const finished = <A, E>(fiber: Fiber.Fiber<A, E>) =>
  Effect.andThen(
    Effect.repeat(TestClock.adjust(1), { until: () => fiber.pollUnsafe() !== undefined }),
    Fiber.join(fiber)
  )

const rounds = 10

/** A caller. */
const calling = (number: SharedRef.SharedNumber, pause = pauseMs) =>
  Effect.repeat(Effect.delay(number.increment, pause), { times: rounds - 1 })

/** Milliseconds from the first reply of such a caller to its last. */
const timed = (number: SharedRef.SharedNumber, pause?: number) =>
  Effect.andThen(
    number.increment,
    Effect.map(Effect.timed(calling(number, pause)), ([time]) => Duration.toMillis(time))
  )

/** A number in a manager whose log is that slow, and how many entries there are. */
const setUp = Effect.gen(function*() {
  const kept = makeMemoryLog()
  let isSlow = false
  const slowly = ({ append, ...leadership }: Log.Leadership): Log.Leadership => ({
    ...leadership,
    append: (after, bytes) => Effect.andThen(isSlow ? Effect.sleep(appendMs) : Effect.void, append(after, bytes))
  })
  const claim: Log.Log["Service"]["claim"] = (...args) => Effect.map(kept.claim(...args), Option.map(slowly))
  const memory = yield* Memory.make({ log: { ...kept, claim } })
  const { manager } = yield* memory.connect()
  const make = SharedRef.make({ schema: Schema.Int, initial: 0 })
  const number = yield* Effect.provideService(make, Manager.Manager, manager)
  isSlow = true
  yield* finished(yield* Effect.forkChild(calling(number)))
  yield* Effect.addFinalizer(() =>
    Effect.andThen(
      Effect.sync(() => {
        isSlow = false
      }),
      TestClock.adjust(10 * appendMs)
    )
  )
  const entries = Effect.map(kept.head(Memory.leading.realm), (head) => Option.getOrThrow(head).position)
  return { number, entries }
})

it.effect("callers that began one after the other share an entry, when they have waited for one once", () =>
  Effect.gen(function*() {
    const { entries, number } = yield* setUp
    const before = yield* entries
    const first = yield* Effect.forkChild(calling(number))
    yield* TestClock.adjust(appendMs / 2)
    const others = yield* Effect.forkChild(
      Effect.all(Array.from({ length: 7 }, () => calling(number)), { concurrency: "unbounded" })
    )
    yield* finished(first)
    yield* finished(others)
    // The first caller's first entry, and one for each round.
    assert.strictEqual((yield* entries) - before, rounds + 1)
  }))

it.effect("a caller that is alone waits for its own append only, and not for that of its acknowledgement", () =>
  Effect.gen(function*() {
    const { number } = yield* setUp
    for (const pause of [pauseMs, appendMs / 2, 200]) {
      const caller = yield* Effect.forkChild(timed(number, pause))
      assert.strictEqual(yield* finished(caller), rounds * (pause + appendMs), `a pause of ${pause} ms`)
    }
  }))

it.effect("what nobody waits for is in the log soon", () =>
  Effect.gen(function*() {
    const { entries, number } = yield* setUp
    const before = yield* entries
    yield* finished(yield* Effect.forkChild(number.increment))
    assert.strictEqual((yield* entries) - before, 1)
    yield* finished(yield* Effect.forkChild(Effect.sleep(100 + appendMs)))
    assert.strictEqual((yield* entries) - before, 2)
  }))

it.effect("a caller waits for those that do not call again for at most a quarter of an append, and once", () =>
  Effect.gen(function*() {
    const { number } = yield* setUp
    yield* Effect.forkChild(Effect.andThen(number.increment, Effect.delay(number.increment, pauseMs)))
    const caller = yield* Effect.forkChild(timed(number))
    assert.strictEqual(yield* finished(caller), rounds * (pauseMs + appendMs) + appendMs / 4 - pauseMs)
  }))
