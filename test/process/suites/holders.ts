/** Processes that are killed while they hold an object, or wait for it. Python's Manager keeps it for them for ever. */
import { Process } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Stream } from "effect"
import { untilWaiting } from "../../support/untilWaiting.ts"
import {
  Bell,
  Board,
  Cross,
  Gate,
  HoldAll,
  HoldEntry,
  Holders,
  HoldFrozen,
  layerShared,
  Listen,
  Log,
  Produce,
  Slots,
  TakeLock,
  TakePermits,
  tasks,
  Turnstile
} from "../fixtures/holders.ts"
import { type Deployment, Signals } from "./deployment.ts"

/** Killed holders and waiters. */
export const holders = (deployment: Deployment): void => {
  const layer = Layer.provideMerge(layerShared, deployment.layer("holdersWorker", tasks))

  describe(`processes that wait for one another, ${deployment.name}`, () => {
    it.live("are told of it, and the other one goes on (S-34)", () =>
      Effect.gen(function*() {
        const [log, gate, slots] = yield* Effect.all([Log, Gate, Slots])
        const crossing = yield* gate.withLock(Effect.gen(function*() {
          const crossing = yield* Process.spawn(Holders, Cross, {})
          yield* log.take
          yield* untilWaiting(gate, 1)
          const error = yield* Effect.flip(slots.withPermit(Effect.void))
          assert.match(
            error.message,
            /^acquire on Semaphore "holders\/Slots" would wait for ever: .* holds Lock "holders\/Gate" and waits for /
          )
          return crossing
        }))
        yield* crossing.result
        assert.strictEqual(yield* slots.available, 2)
      }).pipe(Effect.scoped, Effect.provide(layer)))
  })

  describe(`a process that is killed, ${deployment.name}`, () => {
    it.live("leaves its locks, permits and conditions to the processes that wait (F-8.1.6, R-1)", () =>
      Effect.gen(function*() {
        const [log, gate, slots, bell] = yield* Effect.all([Log, Gate, Slots, Bell])
        const holder = yield* Process.spawn(Holders, HoldAll, {})
        yield* log.take
        assert.strictEqual(yield* slots.available, 0)
        const waiting = yield* Effect.forkChild(Effect.all([
          gate.withHold(({ abandoned }) => Effect.succeed(abandoned)),
          slots.withPermits(2)(Effect.succeed(2)),
          bell.withHold(({ abandoned }) => Effect.succeed(abandoned))
        ], { concurrency: "unbounded" }))
        yield* Effect.forEach([gate, slots, bell], (object) => untilWaiting(object, 1))
        yield* holder.kill()
        assert.deepStrictEqual(yield* Fiber.join(waiting), [true, 2, true])
        assert.deepStrictEqual([yield* gate.isHeld, yield* slots.available, yield* bell.isHeld], [false, 2, false])
      }).pipe(Effect.scoped, Effect.provide(layer)))

    it.live("while it waits for a lock or permits takes none, and holds up no other waiter (F-8.1.7, R-3)", () =>
      Effect.gen(function*() {
        const [gate, slots] = yield* Effect.all([Gate, Slots])
        const go = yield* Deferred.make<void>()
        const holder = yield* Effect.forkChild(gate.withLock(slots.withPermit(Deferred.await(go))))
        const waiters = yield* Effect.forEach([TakePermits, TakeLock], (task) => Process.spawn(Holders, task, {}))
        yield* untilWaiting(slots, 1)
        yield* untilWaiting(gate, 1)
        // Waits behind the request for both permits, although one permit is free.
        const next = yield* Effect.forkChild(slots.withPermit(Effect.succeed("in")))
        yield* untilWaiting(slots, 2)
        yield* Effect.forEach(waiters, (waiter) => waiter.kill())
        assert.strictEqual(yield* Fiber.join(next), "in")
        yield* untilWaiting(gate, 0)
        yield* Deferred.succeed(go, undefined)
        yield* Fiber.join(holder)
        assert.deepStrictEqual([yield* gate.isHeld, yield* slots.available], [false, 2])
        assert.isFalse(yield* gate.withHold(({ abandoned }) => Effect.succeed(abandoned)))
      }).pipe(Effect.scoped, Effect.provide(layer)))

    it.live("while it waits for a notification uses none up, not even one that it had received (F-8.2.5, S-15)", () =>
      Effect.gen(function*() {
        const bell = yield* Bell
        for (const moment of ["before", "after"] as const) {
          const dying = yield* Process.spawn(Holders, Listen, {})
          yield* untilWaiting(bell, 1)
          const next = yield* Effect.forkChild(bell.withLock(bell.wait))
          yield* untilWaiting(bell, 2)
          yield* bell.withLock(Effect.gen(function*() {
            if (moment === "after") assert.strictEqual(yield* bell.notify(1), 1)
            yield* dying.kill()
            yield* untilWaiting(bell, 1)
            if (moment === "before") assert.strictEqual(yield* bell.notify(1), 1)
          }))
          yield* Fiber.join(next)
          assert.isFalse(yield* bell.isHeld)
        }
      }).pipe(Effect.scoped, Effect.provide(layer)))

    it.live("leaves no entry that it held (S-11)", () =>
      Effect.gen(function*() {
        const board = yield* Board
        const holder = yield* Process.spawn(Holders, HoldEntry, {})
        assert.strictEqual(yield* board.untilHas("worker"), 1)
        yield* board.set("main", 0)
        yield* holder.kill()
        yield* board.untilRemoved("worker")
        assert.deepStrictEqual(yield* board.entries, [["main", 0]])
      }).pipe(Effect.scoped, Effect.provide(layer)))

    it.live("while it fills a queue fails the readers, once they have read what it had offered (S-19)", () =>
      Effect.gen(function*() {
        const log = yield* Log
        const producer = yield* Process.spawn(Holders, Produce, {})
        assert.strictEqual(yield* log.take, "holding")
        const reader = yield* Effect.forkChild(Effect.flip(Stream.runDrain(log.stream)))
        yield* untilWaiting(log, 1)
        yield* producer.kill()
        assert.strictEqual((yield* Fiber.join(reader)).reason._tag, "ProducerLost")
      }).pipe(Effect.scoped, Effect.provide(layer)))
  })
  describe(`a process that is frozen, ${deployment.name}`, () => {
    it.live("loses a lock after `holdFor`, and has lost it when it goes on", () =>
      Effect.gen(function*() {
        const [log, turnstile, board] = yield* Effect.all([Log, Turnstile, Board])
        const { signal } = yield* Signals
        const holder = yield* Process.spawn(Holders, HoldFrozen, {})
        yield* log.take
        yield* signal(holder.pid, "SIGSTOP")
        assert.isTrue(yield* turnstile.withHold(({ abandoned }) => Effect.succeed(abandoned)))
        yield* signal(holder.pid, "SIGCONT")
        assert.strictEqual(yield* holder.result, "LockLost")
        assert.isFalse(yield* board.has("worker"))
      }).pipe(Effect.scoped, Effect.provide(layer)))
  })
}
