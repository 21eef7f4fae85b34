/** The timers of a server, with a clock that the test sets: they fire early, and the clock is set back. */
import { Engine } from "#core/engine/Engine.ts"
import { kinds } from "#core/engine/kinds/index.ts"
import { ref } from "#core/engine/kinds/record.ts"
import * as EngineHost from "#core/server/EngineHost.ts"
import { defaults } from "@effect-multiprocessing/core/Limits"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import { value } from "../../support/EngineHarness.ts"

/** A host, and its clock, which begins at a time. */
const hosted = (engine: Engine, start: number) =>
  Effect.gen(function*() {
    const time = { now: start }
    const timers: Array<{ readonly ms: number; readonly fire: () => void }> = []
    const millis = () => time.now
    const clock = yield* Clock.Clock
    const host = yield* EngineHost.make(engine, {}).pipe(
      Effect.provideService(Clock.Clock, {
        ...clock,
        currentTimeMillisUnsafe: millis,
        currentTimeMillis: Effect.sync(millis),
        sleep: (duration) =>
          Effect.callback((resume) => {
            timers.push({ ms: Duration.toMillis(duration), fire: () => resume(Effect.void) })
          })
      })
    )
    /** The time becomes another one, and then the last timer fires. */
    const fire = Effect.fnUntraced(function*(now: number) {
      time.now = now
      timers.pop()!.fire()
      yield* Effect.yieldNow
    })
    return { host, time, timers, fire }
  })

/** A host with a reservation that ends after 5 seconds. */
const reserved = (start: number) =>
  Effect.gen(function*() {
    const made = yield* hosted(new Engine({ epoch: 1, kinds, limits: defaults }), start)
    const { host } = made
    const step = (input: Parameters<typeof host.step>[0]) => host.turn({ run: () => host.step(input) })
    const request = (
      sequence: number,
      object: number,
      operation: number,
      args: ReadonlyArray<string | number | null | ReturnType<typeof value>>
    ) => step({ _tag: "Request", session: 1, sequence, guard: [], stalls: 0, calls: [{ object, operation, args }] })
    step({ _tag: "Open", label: { name: "client", pid: 0 } })
    request(1, 0, 0, ["Ref", "", "ref", 1, "value", "", value(1)])
    request(2, 1, Object.keys(ref.operations).indexOf("reserve"), ["value"])
    yield* Effect.yieldNow
    assert.strictEqual(host.engine.state.counts.holders, 1)
    return made
  })

describe("what ends at a deadline ends, though", () => {
  it.effect("its host has just begun with the engine, and nobody comes", () =>
    Effect.gen(function*() {
      const { host: { engine } } = yield* reserved(0)
      const early = yield* hosted(engine, 1_000)
      yield* Effect.yieldNow
      assert.deepStrictEqual(early.timers.map(({ ms }) => ms), [4_000])
      const late = yield* hosted(engine, 7_000)
      yield* Effect.yieldNow
      assert.deepStrictEqual(late.timers.map(({ ms }) => ms), [0])
      yield* late.fire(7_000)
      assert.strictEqual(engine.state.counts.holders, 0)
    }).pipe(Effect.scoped))

  it.effect("its timer fires early, and again early", () =>
    Effect.gen(function*() {
      const { fire, host, timers } = yield* reserved(0)
      assert.deepStrictEqual(timers.map(({ ms }) => ms), [5_000])
      yield* fire(4_998)
      assert.deepStrictEqual(timers.map(({ ms }) => ms), [2])
      yield* fire(4_999)
      yield* fire(5_000)
      assert.strictEqual(host.engine.state.counts.holders, 0)
      assert.deepStrictEqual(timers, [])
    }))

  it.effect("the clock is set back by a day meanwhile", () =>
    Effect.gen(function*() {
      const day = 86_400_000
      const { fire, host, time } = yield* reserved(2 * day)
      time.now = day
      host.turn({ run: () => {} })
      yield* fire(day + 5_000)
      assert.strictEqual(host.engine.state.counts.holders, 0)
    }))
})
