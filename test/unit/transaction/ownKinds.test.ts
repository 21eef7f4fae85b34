/** Own kinds in transactions: the manager runs their operations, and stores nothing before the commit. */
import { Kind, Manager, SharedObject, SharedRef, Transaction } from "@effect-multiprocessing/core"
import { Effect, Fiber, Schema, type Scope } from "effect"
import { assert, describe, it } from "vitest"
import { untilWaiting } from "../../support/untilWaiting.ts"

class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { balance: Schema.Int }) {}

const Account = Kind.make("test/Account", {
  state: Schema.Struct({ balance: Schema.Int }),
  initial: { balance: 0 },
  operations: {
    deposit: Kind.change({ payload: Schema.Int, success: Schema.Int }),
    withdraw: Kind.change({ payload: Schema.Int, error: Overdrawn }),
    /** Waits until there is enough. */
    pay: Kind.change({ payload: Schema.Int }),
    balance: Kind.read({ success: Schema.Int }),
    token: Kind.change({ success: Schema.Int }),
    later: Kind.change({ success: Schema.Int })
  },
  transitions: {
    deposit: ({ balance }, amount) => Kind.reply({ balance: balance + amount }, balance + amount),
    withdraw: ({ balance }, amount) =>
      balance < amount ? Kind.fail(new Overdrawn({ balance })) : Kind.done({ balance: balance - amount }),
    pay: ({ balance }, amount) => balance < amount ? Kind.wait : Kind.done({ balance: balance - amount }),
    balance: ({ balance }) => Kind.succeed(balance),
    token: ({ balance }, _, { index }) => Kind.reply({ balance }, index),
    later: ({ balance }, _, { now }) => balance === 0 ? Kind.waitUntil(now + 5) : Kind.reply({ balance: now }, now)
  }
})

const run = <A, E>(effect: Effect.Effect<A, E, Manager.Manager | Scope.Scope>) =>
  Effect.runPromise(effect.pipe(Effect.scoped, Effect.provide(Manager.layerMemoryWith({ kinds: [Account] }))))

describe("an object of an own kind in a transaction", () => {
  it("sees what the transaction has done, and others see it when all is done", () =>
    run(Effect.gen(function*() {
      const [a, b] = [yield* SharedObject.make(Account), yield* SharedObject.make(Account)]
      yield* a.deposit(10)
      const seen = yield* Transaction.tx(Effect.gen(function*() {
        yield* a.tx.withdraw(4)
        const after = yield* b.tx.deposit(4)
        assert.deepStrictEqual([yield* a.balance, yield* b.balance], [10, 0])
        return [yield* a.tx.balance, after, yield* b.tx.deposit(1)]
      }))
      assert.deepStrictEqual(seen, [6, 4, 5])
      assert.deepStrictEqual([yield* a.balance, yield* b.balance], [6, 5])
    })))

  it("fails with the error of its operation, which the body may catch", () =>
    run(Effect.gen(function*() {
      const account = yield* SharedObject.make(Account)
      const error = yield* Effect.flip(Transaction.tx(account.tx.withdraw(1)))
      assert.instanceOf(error, Overdrawn)
      yield* Transaction.tx(Effect.catchTag(account.tx.withdraw(1), "Overdrawn", () => account.tx.deposit(1)))
      assert.strictEqual(yield* account.balance, 1)
    })))

  it("waits where its transition waits, and nothing is half done", () =>
    run(Effect.gen(function*() {
      const [account, paid] = [
        yield* SharedObject.make(Account),
        yield* SharedRef.make({ schema: Schema.Int, initial: 0 })
      ]
      const paying = yield* Effect.forkChild(Transaction.tx(Effect.andThen(paid.tx.set(1), account.tx.pay(5))))
      yield* untilWaiting(account, 1)
      assert.strictEqual(yield* paid.get, 0)
      yield* account.deposit(5)
      yield* Fiber.join(paying)
      assert.deepStrictEqual([yield* paid.get, yield* account.balance], [1, 0])
    })))

  it("runs its transition again at the time for which that waits", () =>
    run(Effect.gen(function*() {
      const account = yield* SharedObject.make(Account)
      const waited = yield* Effect.forkChild(Transaction.tx(account.tx.later))
      yield* untilWaiting(account, 1)
      // It is tried again and again: the transition waits anew each time.
      yield* account.deposit(1)
      assert.isAbove(yield* Fiber.join(waited), 0)
    })))

  it("has one time and one index for all operations of a transaction, larger than those before", () =>
    run(Effect.gen(function*() {
      const account = yield* SharedObject.make(Account)
      const first = yield* account.token
      const [second, third] = yield* Transaction.tx(Effect.all([account.tx.token, account.tx.token]))
      assert.strictEqual(second, third)
      assert.isAbove(second, first)
      assert.isAbove(yield* account.token, second)
    })))
})
