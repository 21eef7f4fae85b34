/** The pace of a session: one client that sends as fast as it can does not starve the others (S-8). */
import { Pace } from "#core/server/Pace.ts"
import { Limits, Manager, SharedLock, SharedRef } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Lossy } from "../../support/links.ts"
import * as Memory from "../../support/Memory.ts"

const as = ({ manager }: Memory.Connected) => Effect.provideService(Manager.Manager, manager)

describe("a session with a pace", () => {
  it.effect("has its further calls taken as time goes on, in order, while other sessions go on", () =>
    Effect.gen(function*() {
      const memory = yield* Memory.make({ limits: { callsPerSecondMax: 10 } })
      const [greedy, other] = [yield* memory.connect(), yield* memory.connect()]
      const ref = SharedRef.make({ name: "count", schema: Schema.Int, initial: 0 })
      const [its, ours] = [yield* as(greedy)(ref), yield* as(other)(ref)]
      const done: Array<number> = []
      const calls = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 30 }, (_, n) => n),
          (n) => Effect.andThen(its.set(n), Effect.sync(() => done.push(n))),
          { concurrency: "unbounded" }
        )
      )
      // One call has opened the reference.
      yield* Memory.until("the first calls are done", () => done.length === 9)
      assert.isAtMost(yield* ours.get, 9)
      yield* TestClock.adjust(500)
      yield* Memory.until("five more are done", () => done.length >= 14)
      assert.isAtMost(done.length, 15)
      yield* TestClock.adjust(10_000)
      yield* Fiber.join(calls)
      assert.deepStrictEqual(done, Array.from({ length: 30 }, (_, n) => n))
      assert.strictEqual(yield* ours.get, 29)
    }))

  it.effect("has the same pace over its next link", () =>
    Effect.gen(function*() {
      const memory = yield* Memory.make({ limits: { callsPerSecondMax: 2 } })
      const lossy = new Lossy()
      const connected = yield* memory.connect({ client: lossy.wrap, reconnect: { grace: "1 minute" } })
      const ref = yield* as(connected)(SharedRef.make({ schema: Schema.Int, initial: 0 }))
      yield* ref.set(1)
      lossy.losesSent = true
      const set = yield* Effect.forkChild(ref.set(2), { startImmediately: true })
      yield* Effect.yieldNow
      lossy.losesSent = false
      const { manager: { connection } } = connected
      const session = memory.server.engine.state.sessions.get(connection.agreement.session)!
      connected.cut("pulled")
      yield* Memory.until(
        "it has said all over another link",
        () => session.resumes === 1 && session.answered.size === 0
      )
      assert.strictEqual(session.lastSequence, 2, "the call waits")
      yield* TestClock.adjust(1_000)
      yield* Fiber.join(set)
    }))

  it.effect("may always give back what it has", () =>
    Effect.gen(function*() {
      const memory = yield* Memory.make({ limits: { callsPerSecondMax: 2 } })
      const lock = yield* as(yield* memory.connect())(SharedLock.make({ name: "lock" }))
      yield* lock.withLock(Effect.void)
      yield* Memory.until("the lock is free", () => memory.server.engine.state.counts.holders === 0)
    }))

  it.effect("withdraws a call that waits for it", () =>
    Effect.gen(function*() {
      const memory = yield* Memory.make({ limits: { callsPerSecondMax: 2 } })
      const ref = yield* as(yield* memory.connect())(SharedRef.make({ schema: Schema.Int, initial: 0 }))
      yield* ref.set(1)
      const waiting = yield* Effect.forkChild(ref.set(2))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(waiting)
      yield* TestClock.adjust(10_000)
      assert.strictEqual(yield* ref.get, 1)
    }))

  it("takes a call of any size, and then lets the session wait for it", () => {
    const pace = Pace.make({ ...Limits.defaults, bytesPerSecondMax: 1_000 }, 0)!
    assert.strictEqual(pace.wait(0), 0)
    pace.take(1, 5_000)
    assert.strictEqual(pace.wait(0), 4_001)
    assert.strictEqual(pace.wait(4_000), 1)
    assert.strictEqual(pace.wait(4_001), 0)
    pace.take(1_000_000, 0)
    assert.strictEqual(pace.wait(4_001), 0, "calls have no bound")
  })

  it("is not there without a bound", () => assert.isUndefined(Pace.make(Limits.defaults, 0)))
})
