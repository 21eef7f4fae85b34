import { SharedLatch } from "@effect-multiprocessing/core"
import { assert } from "@effect/vitest"
import { Effect, Fiber, Latch } from "effect"
import { untilWaiting } from "../../support/untilWaiting.ts"
import { programs, suite } from "../suite.ts"

/** `SharedLatch`. */
export const latchSuite = suite("SharedLatch", (it, runs) => {
  it.effect.prop(
    "behaves as Effect's own latch does, in its results and for its waiters (S-33)",
    [programs("open", "close", "release", "await", "isOpen")],
    ([program]) =>
      Effect.gen(function*() {
        const shared = yield* SharedLatch.make()
        const local = yield* Latch.make()
        const waiting: Array<{ readonly shared: Fiber.Fiber<void, unknown>; readonly local: Fiber.Fiber<void> }> = []
        for (const [what] of program) {
          if (what === "isOpen") assert.strictEqual(yield* shared.isOpen, Latch.isOpen(local))
          else if (what === "await") {
            waiting.push({
              shared: yield* Effect.forkChild(shared.await, { startImmediately: true }),
              local: yield* Effect.forkChild(local.await, { startImmediately: true })
            })
          } else assert.strictEqual(yield* shared[what], yield* local[what])
          yield* Effect.yieldNow
        }
        // All messages before this reply have been read, so released waiters have continued.
        yield* shared.isOpen
        for (const { local, shared } of waiting) {
          assert.strictEqual(shared.pollUnsafe() === undefined, local.pollUnsafe() === undefined)
        }
        yield* Fiber.interruptAll(waiting.map(({ local }) => local))
        yield* Fiber.interruptAll(waiting.map(({ shared }) => shared))
      }).pipe(Effect.scoped),
    runs
  )

  it.effect("lets all waiters through in one step", () =>
    Effect.gen(function*() {
      const latch = yield* SharedLatch.make()
      const waiting = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 300 }), () => latch.await, { concurrency: "unbounded", discard: true })
      )
      yield* untilWaiting(latch, 300)
      assert.isTrue(yield* latch.open)
      yield* Fiber.join(waiting)
      assert.isFalse(yield* latch.open)
      assert.strictEqual(yield* latch.whenOpen(Effect.succeed("in")), "in")
    }).pipe(Effect.scoped))

  it.effect("releases its waiters, and stays closed for later ones", () =>
    Effect.gen(function*() {
      const latch = yield* SharedLatch.make()
      const early = yield* Effect.forkChild(latch.await)
      yield* untilWaiting(latch, 1)
      assert.isTrue(yield* latch.release)
      yield* Fiber.join(early)
      const late = yield* Effect.forkChild(latch.await)
      yield* untilWaiting(latch, 1)
      assert.isFalse(yield* latch.isOpen)
      yield* Fiber.interrupt(late)
      yield* untilWaiting(latch, 0)
    }).pipe(Effect.scoped))
})
