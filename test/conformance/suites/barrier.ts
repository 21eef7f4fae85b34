import { Manager, SharedBarrier } from "@effect-multiprocessing/core"
import { assert } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { programs, suite } from "../suite.ts"

const parties = 3

/** `SharedBarrier`. */
export const barrierSuite = suite("SharedBarrier", (it, runs) => {
  it.effect.prop(
    "behaves as a number of parties that wait for each other (S-15)",
    [programs("await", "await", "await", "give up", "abort", "reset", "status")],
    ([program]) =>
      Effect.gen(function*() {
        const barrier = yield* SharedBarrier.make({ parties })
        let waiting: Array<Fiber.Fiber<number, unknown>> = []
        let isBroken = false
        const turnedAway = Effect.suspend(() => {
          const those = waiting
          waiting = []
          return Effect.forEach(those, failsBroken, { discard: true })
        })
        for (const [what, n] of program) {
          if (what === "await" && isBroken) yield* failsBroken(yield* Effect.forkChild(barrier.await))
          else if (what === "await") {
            waiting.push(yield* Effect.forkChild(barrier.await, { startImmediately: true }))
            if (waiting.length < parties) continue
            const places = yield* Effect.forEach(waiting, Fiber.join)
            assert.deepStrictEqual(places, [0, 1, 2])
            waiting = []
          } else if (what === "give up" && waiting.length > 0) {
            const [gone] = waiting.splice(Math.abs(n) % waiting.length, 1)
            yield* Fiber.interrupt(gone!)
            isBroken = true
            yield* turnedAway
          } else if (what === "abort") {
            yield* barrier.abort
            isBroken = true
            yield* turnedAway
          } else if (what === "reset") {
            yield* barrier.reset
            isBroken = false
            yield* turnedAway
          } else {
            const status = { parties, waiting: waiting.length, registered: 0, isBroken }
            assert.deepStrictEqual(yield* barrier.status, status)
          }
        }
        yield* Fiber.interruptAll(waiting)
      }).pipe(Effect.scoped),
    runs
  )

  it.effect("can be used again at once: no party passes twice in one generation", () =>
    Effect.gen(function*() {
      const barrier = yield* SharedBarrier.make({ parties: 10 })
      const rounds = yield* Effect.forEach(
        Array.from({ length: 10 }),
        () => Effect.all(Array.from({ length: 20 }, () => barrier.await)),
        { concurrency: "unbounded" }
      )
      for (let round = 0; round < 20; round++) {
        const places = rounds.map((places) => places[round]!)
        assert.deepStrictEqual(places.toSorted((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      }
    }).pipe(Effect.scoped))

  it.effect("tells waiting and later parties which process broke it and why, until it is reset", () =>
    Effect.gen(function*() {
      const barrier = yield* SharedBarrier.make({ parties: 3 })
      const waiting = yield* Effect.forkChild(Effect.flip(barrier.await))
      const impatient = yield* Effect.forkChild(Effect.timeoutOption(barrier.await, 20))
      yield* Fiber.join(impatient)
      const error = yield* Fiber.join(waiting)
      assert.deepStrictEqual(yield* Effect.flip(barrier.await), error)
      assert.include(error.message, "its wait was interrupted")
      yield* barrier.reset
      assert.isFalse((yield* barrier.status).isBroken)
    }).pipe(Effect.scoped))

  it.effect("breaks when the scope of a registered party fails, not when it succeeds", () =>
    Effect.gen(function*() {
      const barrier = yield* SharedBarrier.make({ parties: 2 })
      yield* Effect.scoped(barrier.register)
      assert.isFalse((yield* barrier.status).isBroken)
      yield* Effect.exit(Effect.scoped(Effect.andThen(barrier.register, Effect.fail("no"))))
      const error = yield* Effect.flip(barrier.await)
      assert.include(error.message, "the scope that it was registered in failed")
    }).pipe(Effect.scoped))

  it.effect("registers no more parties than it has", () =>
    Effect.gen(function*() {
      const barrier = yield* SharedBarrier.make({ parties: 2 })
      const scope = yield* Scope.make()
      yield* Scope.provide(Effect.andThen(barrier.register, barrier.register), scope)
      const error = yield* Effect.flip(Effect.scoped(barrier.register))
      assert.strictEqual(error._tag, "BarrierFull")
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* barrier.status, { parties: 2, waiting: 0, registered: 0, isBroken: false })
    }).pipe(Effect.scoped))

  it.effect("refuses to be made for no parties, and to be opened for another number", () =>
    Effect.gen(function*() {
      const invalid = yield* Effect.flip(SharedBarrier.make({ parties: 0 }))
      assert.include(invalid.message, "parties must be a whole number from 1 up, not 0")
      yield* SharedBarrier.make({ name: "conformance/parties", parties: 2 })
      const mismatch = yield* Effect.flip(SharedBarrier.make({ name: "conformance/parties", parties: 3 }))
      assert.strictEqual(mismatch._tag, "OptionsMismatch")
      const { counts } = yield* Effect.flatMap(Manager.Manager, ({ inspect }) => inspect)
      assert.strictEqual(counts.waiters, 0)
    }).pipe(Effect.scoped))
})

const failsBroken = (fiber: Fiber.Fiber<number, unknown>) =>
  Effect.map(Effect.flip(Fiber.join(fiber)), (error) => assert.propertyVal(error, "_tag", "BarrierBroken"))
