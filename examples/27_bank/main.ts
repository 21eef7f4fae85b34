/**
 * A bank as a kind of the program's own. Python registers a class with its manager (`BaseManager.register`, SEED-47). Here
 * a kind is a state, operations, and a pure transition for each.
 *
 *     $ npm run example examples/27_bank/main.ts
 *     a clerk was killed in the middle of its work
 *     whenever both were looked at, the bank and its branch had 400
 *     the savings are 50
 *
 * A transition runs as a whole or not at all, and so does a transaction of two banks. So a process can be killed at any
 * time. `pay` waits until the money is there.
 */
import { Process, Task, TaskGroup, Transaction } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Fiber, Layer, Random, Schema } from "effect"
import { TheBank, TheBranch } from "./bank.ts"

const accounts = ["ada", "ben", "cem", "dee"]

const Trade = Task.make("Trade", { payload: { transfers: Schema.Number } })
const Tasks = TaskGroup.make("bank", { tasks: [Trade] })
const banks = Layer.merge(TheBank.layer, TheBranch.layer)

const transfer = Effect.gen(function*() {
  const bank = yield* TheBank
  const [from, to] = [accounts[yield* Random.nextIntBetween(0, 3)]!, accounts[yield* Random.nextIntBetween(0, 3)]!]
  yield* bank.transfer({ from, to, amount: yield* Random.nextIntBetween(1, 50) })
}).pipe(Effect.catchTag("Overdrawn", () => Effect.void))

/** Moves half of an account from the bank to the branch, or all of it back. */
const move = Effect.gen(function*() {
  const [bank, branch] = [yield* TheBank, yield* TheBranch]
  const account = accounts[yield* Random.nextIntBetween(0, 3)]!
  yield* Transaction.tx(Effect.gen(function*() {
    const [here, there] = [yield* bank.tx.balance(account), yield* branch.tx.balance(account)]
    if (there > 0) {
      yield* branch.tx.withdraw({ account, amount: there })
      yield* bank.tx.deposit({ account, amount: there })
    } else if (here > 1) {
      const amount = Math.floor(here / 2)
      yield* bank.tx.withdraw({ account, amount })
      yield* branch.tx.deposit({ account, amount })
    }
  }))
})

const tasks = Tasks.toLayer({
  Trade: ({ transfers }) => Effect.orDie(Effect.repeat(Effect.andThen(transfer, move), { times: transfers - 1 }))
}).pipe(Layer.provide(banks))

const main = Effect.gen(function*() {
  const [bank, branch] = [yield* TheBank, yield* TheBranch]
  for (const account of accounts) yield* bank.deposit({ account, amount: 100 })
  const totals = new Set<number>()
  const look = Effect.flatMap(
    Transaction.tx(Effect.all([bank.tx.total, branch.tx.total])),
    ([here, there]) => Effect.sync(() => totals.add(here + there))
  )
  yield* Effect.forkScoped(Effect.forever(look))

  const killed = yield* Process.spawn(Tasks, Trade, { transfers: Infinity })
  const others = yield* Effect.forkChild(
    Effect.all([1, 2].map(() => Process.run(Tasks, Trade, { transfers: 200 })), { concurrency: "unbounded" })
  )
  yield* branch.state.until(({ deposits }) => deposits > 0)
  yield* killed.kill()
  yield* Console.log("a clerk was killed in the middle of its work")
  yield* Fiber.join(others)
  yield* look
  yield* Console.log(`whenever both were looked at, the bank and its branch had ${[...totals].join(" or ")}`)

  // The branch is closed, in one step.
  yield* Transaction.tx(
    Effect.forEach(accounts, (account) =>
      Effect.flatMap(branch.tx.balance(account), (amount) =>
        amount === 0
          ? Effect.void
          : Effect.andThen(branch.tx.withdraw({ account, amount }), bank.tx.deposit({ account, amount }))))
  )
  // Waits until ada has 50, which the others see to.
  const saved = yield* Effect.forkChild(bank.pay({ from: "ada", to: "savings", amount: 50 }))
  for (const account of ["ben", "cem", "dee"]) {
    yield* bank.transfer({ from: account, to: "ada", amount: 50 }).pipe(Effect.catchTag("Overdrawn", () => Effect.void))
  }
  yield* Fiber.join(saved)
  yield* Console.log(`the savings are ${yield* bank.balance("savings")}`)
}).pipe(Effect.provide(banks), Effect.scoped)

NodeManager.runMain(main, { tasks, kinds: [TheBank] })
