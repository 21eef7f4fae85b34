/**
 * A bank as a kind of the program's own. Python registers a class with its manager (`BaseManager.register`, SEED-47). Here
 * a kind is a state, operations, and a pure transition for each.
 *
 *     $ npm run example examples/27_bank/main.ts
 *     a clerk was killed in the middle of its work
 *     in each state that was seen the bank had 400
 *     the savings are 50
 *
 * A transition runs as a whole or not at all, so a process can be killed at any time. `pay` waits until the money is
 * there.
 */
import { Process, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Fiber, Layer, Random, Schema, Stream } from "effect"
import { TheBank, total } from "./bank.ts"

const accounts = ["ada", "ben", "cem", "dee"]

const Trade = Task.make("Trade", { payload: { transfers: Schema.Number } })
const Tasks = TaskGroup.make("bank", { tasks: [Trade] })

const transfer = Effect.gen(function*() {
  const bank = yield* TheBank
  const [from, to] = [accounts[yield* Random.nextIntBetween(0, 3)]!, accounts[yield* Random.nextIntBetween(0, 3)]!]
  yield* bank.transfer({ from, to, amount: yield* Random.nextIntBetween(1, 50) })
}).pipe(Effect.catchTag("Overdrawn", () => Effect.void))

const tasks = Tasks.toLayer({
  Trade: ({ transfers }) => Effect.orDie(Effect.repeat(transfer, { times: transfers - 1 }))
}).pipe(Layer.provide(TheBank.layer))

const main = Effect.gen(function*() {
  const bank = yield* TheBank
  for (const account of accounts) yield* bank.deposit({ account, amount: 100 })
  const totals = new Set<number>()
  yield* Effect.forkScoped(
    Stream.runForEach(bank.state.changes, (state) => Effect.sync(() => totals.add(total(state))))
  )

  const killed = yield* Process.spawn(Tasks, Trade, { transfers: Infinity })
  const others = yield* Effect.forkChild(
    Effect.all([1, 2].map(() => Process.run(Tasks, Trade, { transfers: 500 })), { concurrency: "unbounded" })
  )
  yield* bank.state.until(({ balances }) => balances["ada"] !== 100)
  yield* killed.kill()
  yield* Console.log("a clerk was killed in the middle of its work")
  yield* Fiber.join(others)
  yield* Console.log(`in each state that was seen the bank had ${[...totals].join(" or ")}`)

  // Waits until ada has 50, which the others see to.
  const saved = yield* Effect.forkChild(bank.pay({ from: "ada", to: "savings", amount: 50 }))
  for (const account of ["ben", "cem", "dee"]) {
    yield* bank.transfer({ from: account, to: "ada", amount: 50 }).pipe(Effect.catchTag("Overdrawn", () => Effect.void))
  }
  yield* Fiber.join(saved)
  yield* Console.log(`the savings are ${yield* bank.balance("savings")}`)
}).pipe(Effect.provide(TheBank.layer), Effect.scoped)

NodeManager.runMain(main, { tasks, kinds: [TheBank] })
