/** What transactions refuse, and what an interruption leaves behind: nothing. */
import * as Remote from "#core/proxy/Remote.ts"
import { Manager, ManagerError, SharedMap, SharedQueue, SharedRef, Transaction } from "@effect-multiprocessing/core"
import { Effect, Exit, Fiber, Schema, type Scope } from "effect"
import { assert, describe, it } from "vitest"
import { untilWaiting } from "../../support/untilWaiting.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Manager.Manager | Scope.Scope>) =>
  Effect.runPromise(effect.pipe(Effect.scoped, Effect.provide(Manager.layerMemory)))

const number = SharedRef.make({ schema: Schema.Int, initial: 0 })

const reasonOf = <A, R>(effect: Effect.Effect<A, Transaction.TransactionConflict | ManagerError.ManagerError, R>) =>
  Effect.map(Effect.flip(effect), (error) => {
    assert.instanceOf(error, ManagerError.ManagerError)
    return error.reason
  })

describe("a transaction", () => {
  it("that reads a deleted object fails, and so does one that waits for it", () =>
    run(Effect.gen(function*() {
      const [gone, waited, other] = [yield* number, yield* number, yield* number]
      const { remove } = yield* Manager.Manager
      yield* remove(gone)
      const reading = Transaction.tx(Effect.andThen(other.tx.set(1), gone.tx.get))
      assert.strictEqual((yield* reasonOf(reading))._tag, "ObjectNotFound")
      const waiting = yield* Effect.forkChild(
        Effect.flip(Transaction.tx(Effect.flatMap(waited.tx.get, () => Transaction.txRetry)))
      )
      yield* untilWaiting(waited, 1)
      yield* remove(waited)
      assert.include((yield* Fiber.join(waiting)).message, "removed")
      assert.strictEqual(yield* other.get, 0)
    })))

  it("cannot handle a read that is refused, which nothing would check when it commits", () =>
    run(Effect.gen(function*() {
      const [gone, other] = [yield* number, yield* number]
      const { remove } = yield* Manager.Manager
      yield* remove(gone)
      let handled = 0
      const handles = Effect.catchTag(gone.tx.get, "ManagerError", () => Effect.sync(() => ++handled))
      assert.strictEqual(
        (yield* reasonOf(Transaction.tx(Effect.andThen(handles, other.tx.set(1)))))._tag,
        "ObjectNotFound"
      )
      assert.deepStrictEqual([handled, yield* other.get], [0, 0])
    })))

  it("spans one manager", () =>
    run(Effect.gen(function*() {
      const here = yield* number
      const there = yield* Effect.provide(number, Manager.layerMemory, { local: true })
      const both = Transaction.tx(Effect.andThen(here.tx.set(1), there.tx.set(1)))
      assert.strictEqual((yield* reasonOf(both))._tag, "CrossSpace")
      assert.strictEqual(yield* here.get, 0)
    })))

  it("that conflicts for ever fails", () =>
    run(Effect.gen(function*() {
      const contended = yield* number
      const error = yield* Effect.flip(Transaction.tx(Effect.gen(function*() {
        const n = yield* contended.tx.get
        yield* contended.set(n + 1)
        yield* contended.tx.set(n)
      })))
      assert.instanceOf(error, Transaction.TransactionConflict)
      assert.strictEqual(yield* contended.get, 1_000)
    })))

  it("that has read nothing has nothing to wait for", () =>
    run(Effect.gen(function*() {
      assert.include((yield* reasonOf(Transaction.tx(Transaction.txRetry))).message, "nothing was read")
    })))

  it("reads at most 1,000 times", () =>
    run(Effect.gen(function*() {
      const map = yield* SharedMap.make({ key: Schema.Int, value: Schema.Int })
      const read = (times: number) =>
        Transaction.tx(Effect.forEach(Array.from({ length: times }, (_, i) => i), map.tx.get))
      assert.lengthOf(yield* read(1_000), 1_000)
      assert.include((yield* reasonOf(read(1_001))).message, "at most 1000 times")
    })))

  it("cannot be made together with other calls", () =>
    run(Effect.gen(function*() {
      const [a, b] = [yield* number, yield* number]
      const together = Manager.atomic([b.set(1), Transaction.tx(a.tx.update((n) => n + 1))])
      assert.isTrue(Exit.isFailure(yield* Effect.exit(together)))
      assert.deepStrictEqual([yield* a.get, yield* b.get], [0, 0])
    })))

  it("that fibers of one body read for reads what was true together", () =>
    run(Effect.gen(function*() {
      const refs = yield* Effect.all(Array.from({ length: 8 }, () => number))
      const write = Effect.forEach(Array.from({ length: 50 }, (_, n) => n), (n) =>
        Manager.atomic(refs.map(({ set }) => set(n))))
      const read = Transaction.tx(Effect.all(
        refs.map(({ tx }) =>
          tx.get
        ),
        { concurrency: "unbounded" }
      ))
      const writing = yield* Effect.forkChild(write)
      while (writing.pollUnsafe() === undefined) {
        const seen = yield* read
        assert.strictEqual(new Set(seen).size, 1, String(seen))
      }
    })))

  it("leaves nothing behind, wherever it is interrupted", () =>
    run(Effect.gen(function*() {
      const [a, b] = [yield* number, yield* number]
      const queue = yield* SharedQueue.make({ item: Schema.Int, capacity: 2 })
      yield* queue.offer(0)
      const transfer = Transaction.tx(Effect.gen(function*() {
        const n = yield* a.tx.get
        yield* Effect.yieldNow
        yield* b.tx.update((n) => n - 1)
        yield* queue.tx.offer((yield* queue.tx.take) + 1)
        yield* a.tx.set(n + 1)
      }))
      // Two contend, so that conflicts and reservations are interrupted, too.
      for (let steps = 0; steps < 120; steps++) {
        const fibers = [yield* Effect.forkChild(transfer), yield* Effect.forkChild(transfer)]
        yield* Effect.repeat(Effect.yieldNow, { times: steps })
        yield* Fiber.interrupt(fibers[steps % 2]!)
        yield* Fiber.join(fibers[1 - steps % 2]!)
        const [left, right, items] = yield* Manager.atomic([a.get, b.get, queue.size])
        assert.deepStrictEqual([left + right, items], [0, 1])
      }
      assert.strictEqual(yield* queue.take, yield* a.get)
      const { holders, waiters } = yield* (yield* Manager.Manager).counts
      assert.deepStrictEqual({ holders, waiters }, { holders: 0, waiters: 0 })
      assert.strictEqual(a[Remote.TypeId].connection.pending, 0)
    })))
})
