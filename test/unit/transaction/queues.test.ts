/** Queues and lists in transactions. */
import { Manager, SharedList, SharedQueue, SharedRef, Transaction } from "@effect-multiprocessing/core"
import { Effect, Fiber, Option, Schema, type Scope } from "effect"
import { assert, describe, it } from "vitest"
import { untilWaiting } from "../../support/untilWaiting.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Manager.Manager | Scope.Scope>) =>
  Effect.runPromise(effect.pipe(Effect.scoped, Effect.provide(Manager.layerMemory)))

const number = SharedRef.make({ schema: Schema.Int, initial: 0 })

describe("a queue in a transaction", () => {
  it("gives its first items, in order, then those that the transaction has offered", () =>
    run(Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ item: Schema.Int })
      yield* queue.offerAll([1, 2])
      const taken = yield* Transaction.tx(Effect.gen(function*() {
        yield* queue.tx.offer(3)
        yield* queue.tx.offer(4)
        const { poll, take } = queue.tx
        return [yield* take, yield* take, yield* take, yield* poll, yield* poll]
      }))
      assert.deepStrictEqual(taken, [1, 2, 3, Option.some(4), Option.none()])
      assert.strictEqual(yield* queue.size, 0)
    })))

  it("waits for an item, and takes nothing if the transaction fails", () =>
    run(Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ item: Schema.Int })
      const taking = yield* Effect.forkChild(Transaction.tx(queue.tx.take))
      yield* untilWaiting(queue, 1)
      yield* queue.offer(7)
      assert.strictEqual(yield* Fiber.join(taking), 7)
      yield* queue.offer(8)
      yield* Effect.exit(Transaction.tx(Effect.andThen(queue.tx.take, Effect.fail("no"))))
      assert.strictEqual(yield* queue.take, 8)
    })))

  it("waits for room, holds nothing meanwhile, and does not overtake an offer that waits", () =>
    run(Effect.gen(function*() {
      const [queue, done] = [yield* SharedQueue.make({ item: Schema.Int, capacity: 1 }), yield* number]
      yield* queue.offer(1)
      const moving = yield* Effect.forkChild(Transaction.tx(Effect.andThen(done.tx.set(1), queue.tx.offer(3))))
      yield* untilWaiting(queue, 1)
      const offering = yield* Effect.forkChild(queue.offer(2))
      yield* untilWaiting(queue, 2)
      assert.deepStrictEqual([yield* done.get, yield* queue.take], [0, 1])
      yield* Fiber.join(offering)
      assert.strictEqual(yield* queue.take, 2)
      yield* Fiber.join(moving)
      assert.deepStrictEqual([yield* done.get, yield* queue.take], [1, 3])
    })))

  it("that is closed refuses an offer, which the body may catch", () =>
    run(Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ item: Schema.Int })
      yield* queue.close
      assert.strictEqual((yield* Effect.flip(Transaction.tx(queue.tx.offer(1))))._tag, "QueueClosed")
      assert.strictEqual((yield* Effect.flip(Transaction.tx(queue.tx.take)))._tag, "QueueClosed")
      const done = yield* number
      yield* Transaction.tx(Effect.catchTag(queue.tx.offer(1), "QueueClosed", () => done.tx.set(1)))
      assert.strictEqual(yield* done.get, 1)
    })))

  it("never has room for more than its capacity", () =>
    run(Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ item: Schema.Int, capacity: 1 })
      const error = yield* Effect.flip(Transaction.tx(Effect.andThen(queue.tx.offer(1), queue.tx.offer(2))))
      assert.include(
        error.message,
        "offer on Queue #1 was refused: a transaction offers 2 items, and the queue has a capacity of 1"
      )
    })))

  it("loses an item in the step in which what its work writes takes effect", () =>
    run(Effect.gen(function*() {
      const [queue, done] = [yield* SharedQueue.make({ item: Schema.Int, attempts: 2 }), yield* number]
      yield* queue.offerAll([1, 2])
      yield* queue.processTx((n) => done.tx.update((sum) => sum + n))
      assert.deepStrictEqual([yield* done.get, yield* queue.size], [1, 1])
      const failing = queue.processTx(() => Effect.andThen(done.tx.set(9), Effect.fail("no")))
      assert.strictEqual(yield* Effect.flip(failing), "no")
      assert.deepStrictEqual([yield* done.get, yield* queue.size], [1, 1])
      // A lease that is lost writes nothing.
      const lost = queue.processTx(() =>
        Effect.andThen(done.tx.set(9), Effect.flatMap(Manager.Manager, ({ remove }) => remove(queue)))
      )
      assert.strictEqual((yield* Effect.flip(lost))._tag, "ManagerError")
      assert.strictEqual(yield* done.get, 1)
    })))

  it("is drained in transactions, one for each item, until it is closed or one fails", () =>
    run(Effect.gen(function*() {
      const [queue, done] = [yield* SharedQueue.make({ item: Schema.Int, attempts: 1 }), yield* number]
      const closed = yield* SharedQueue.make({ item: Schema.Int })
      yield* closed.close
      const add = (n: number) => done.tx.update((sum) => sum + n)
      yield* queue.offerAll([1, 2, 3, 4])
      assert.strictEqual(yield* Effect.flip(queue.processAllTx((n) => Effect.andThen(add(n), Effect.fail("no")))), "no")
      // A failure of `f`, although it says of another queue that it is closed.
      const error = yield* Effect.flip(queue.processAllTx((n) => Effect.andThen(add(n), closed.tx.offer(n))))
      assert.strictEqual(error._tag, "QueueClosed")
      const draining = yield* Effect.forkChild(queue.processAllTx(add))
      yield* untilWaiting(queue, 1)
      assert.strictEqual(yield* done.get, 7)
      yield* queue.close
      yield* Fiber.join(draining)
    })))
})

describe("a list in a transaction", () => {
  it("is as the transaction has left it, and only the difference is written", () =>
    run(Effect.gen(function*() {
      const list = yield* SharedList.make({ item: Schema.Int, initial: [1, 2, 3, 4] })
      const seen = yield* Transaction.tx(Effect.gen(function*() {
        yield* list.tx.append(5)
        yield* list.tx.set(-1, 6)
        const removed = yield* list.tx.removeAt(1)
        return [removed, yield* list.tx.size, yield* list.tx.get(1), yield* list.tx.get(9)]
      }))
      assert.deepStrictEqual(seen, [2, 4, Option.some(3), Option.none()])
      assert.deepStrictEqual(yield* list.toArray, [1, 3, 4, 6])
    })))

  it("to which a transaction only appends is not read, so others may change it", () =>
    run(Effect.gen(function*() {
      const list = yield* SharedList.make({ item: Schema.Int })
      let runs = 0
      yield* Transaction.tx(Effect.gen(function*() {
        runs++
        yield* list.tx.append(2)
        yield* list.append(1)
      }))
      assert.deepStrictEqual([runs, yield* list.toArray], [1, [1, 2]])
    })))

  it("wakes a transaction that waits for a change of it", () =>
    run(Effect.gen(function*() {
      const list = yield* SharedList.make({ item: Schema.Int })
      const waiting = yield* Effect.forkChild(
        Transaction.tx(Effect.flatMap(list.tx.size, (size) => size === 0 ? Transaction.txRetry : Effect.succeed(size)))
      )
      yield* untilWaiting(list, 1)
      yield* list.append(1)
      assert.strictEqual(yield* Fiber.join(waiting), 1)
    })))
})
