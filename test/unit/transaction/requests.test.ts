/** How many requests a transaction makes, and that fibers of one body do not get into each other's way. */
import {
  Kind,
  Manager,
  SharedMap,
  SharedObject,
  SharedQueue,
  SharedRef,
  Transaction
} from "@effect-multiprocessing/core"
import { Effect, Fiber, Option, Schema, type Scope } from "effect"
import { assert, describe, it } from "vitest"
import { Tally } from "../../support/links.ts"
import * as Memory from "../../support/Memory.ts"
import { untilWaiting } from "../../support/untilWaiting.ts"

const Int = { schema: Schema.Int, initial: 0 }
const unbounded = { concurrency: "unbounded" } as const

const Counter = Kind.make("test/Counter", {
  state: Schema.Int,
  initial: 0,
  operations: { next: Kind.change({ success: Schema.Int }) },
  transitions: { next: (n) => Kind.reply(n + 1, n + 1) }
})

/** Runs a program whose requests are counted. */
const run = <A, E>(program: (tally: Tally) => Effect.Effect<A, E, Manager.Manager | Scope.Scope>) =>
  Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const memory = yield* Memory.make()
    const tally = new Tally()
    const { manager } = yield* memory.connect({ client: tally.wrap })
    return yield* Effect.provideService(program(tally), Manager.Manager, manager)
  })))

/** The requests of an effect. */
const requestsOf = <A, E, R>(tally: Tally, effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const before = tally.of("Request")
    return Effect.map(effect, () => tally.of("Request") - before)
  })

describe("a transaction", () => {
  it("makes one request for all reads of its fibers in one turn, and one for its commit", () =>
    run((tally) =>
      Effect.gen(function*() {
        const refs = yield* Effect.all(Array.from({ length: 8 }, () => SharedRef.make(Int)))
        const map = yield* SharedMap.make({ key: Schema.String, value: Schema.Int })
        // Opens the gate.
        yield* Transaction.tx(refs[0]!.tx.set(1))
        const all = Effect.gen(function*() {
          const numbers = yield* Effect.all([...refs.map(({ tx }) => tx.get), map.tx.size], unbounded)
          yield* refs[0]!.tx.set(numbers.reduce((sum, n) => sum + n, 1))
        })
        assert.strictEqual(yield* requestsOf(tally, Transaction.tx(all)), 2)
        assert.strictEqual(yield* refs[0]!.get, 2)
        yield* map.setAll([["a", 1], ["b", 2]])
        assert.strictEqual(yield* requestsOf(tally, Transaction.tx(map.tx.entries)), 2)
        assert.strictEqual(yield* requestsOf(tally, Transaction.tx(map.tx.getAll(["a", "b", "c"]))), 1)
      })
    ))

  it("reads in one request, after a conflict or a wait, what the run before has read", () =>
    run((tally) =>
      Effect.gen(function*() {
        const refs = yield* Effect.all(Array.from({ length: 4 }, () => SharedRef.make(Int)))
        const [first] = refs as [SharedRef.SharedNumber]
        yield* Transaction.tx(first.tx.set(0))
        let runs = 0
        const conflicting = Effect.gen(function*() {
          const numbers = yield* Effect.forEach(refs, ({ tx }) => tx.get)
          if (++runs === 1) yield* first.set(1)
          yield* first.tx.set(numbers.reduce((sum, n) => sum + n, 1))
        })
        // Four reads, the change, a commit that is refused; all reads, a commit.
        assert.strictEqual(yield* requestsOf(tally, Transaction.tx(conflicting)), 6 + 2)
        assert.deepStrictEqual([runs, yield* first.get], [2, 2])
        const waiting = yield* Effect.forkChild(Transaction.tx(Effect.gen(function*() {
          const numbers = yield* Effect.forEach(refs, ({ tx }) => tx.get)
          return numbers[3] === 0 ? yield* Transaction.txRetry : numbers
        })))
        yield* untilWaiting(refs[3]!, 1)
        const requests = yield* requestsOf(tally, Effect.andThen(refs[3]!.set(5), Fiber.join(waiting)))
        assert.strictEqual(requests, 2)
        assert.deepStrictEqual(yield* Fiber.join(waiting), [2, 0, 0, 5])
      })
    ))

  it("goes on with the reads of its other fibers when one is refused with an error that a body may handle", () =>
    run(() =>
      Effect.gen(function*() {
        const refs = yield* Effect.all([1, 2, 3].map((initial) => SharedRef.make({ schema: Schema.Int, initial })))
        const closed = yield* SharedQueue.make({ item: Schema.Int })
        yield* closed.close
        const take = Effect.catchTag(closed.tx.take, "QueueClosed", () => Effect.succeed(0))
        const [first, ...others] = refs.map(({ tx }) => tx.get)
        assert.deepStrictEqual(yield* Transaction.tx(Effect.all([first!, take, ...others], unbounded)), [1, 0, 2, 3])
      })
    ))

  it("takes another item for each fiber of its body, and runs their operations on one object one after the other", () =>
    Effect.runPromise(
      Effect.gen(function*() {
        const queue = yield* SharedQueue.make({ item: Schema.Int })
        const counter = yield* SharedObject.make(Counter)
        yield* queue.offerAll([1, 2, 3])
        const taken = yield* Transaction.tx(
          Effect.all([queue.tx.poll, queue.tx.poll, counter.tx.next, queue.tx.poll, counter.tx.next], unbounded)
        )
        assert.deepStrictEqual(taken, [Option.some(1), Option.some(2), 1, Option.some(3), 2])
        assert.deepStrictEqual([yield* queue.size, yield* counter.state.get], [0, 2])
      }).pipe(Effect.scoped, Effect.provide(Manager.layerMemoryWith({ kinds: [Counter] })))
    ))
})
