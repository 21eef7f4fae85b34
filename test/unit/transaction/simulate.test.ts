/** Transactions under simulation, with every fault: money is neither made nor lost, no body sees a part, no wait is lost. */
import {
  Kind,
  Process,
  SharedMap,
  SharedObject,
  SharedRef,
  Task,
  TaskGroup,
  Transaction
} from "@effect-multiprocessing/core"
import { cancellable, type FaultName, harmlessFaults, simulate } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Schema } from "effect"
import { budget } from "../../support/budget.ts"

const everyFault: ReadonlyArray<FaultName> = [...harmlessFaults, "kill", "cut"]

class Accounts extends SharedMap.Service<Accounts>()("bank/Accounts", { key: Schema.String, value: Schema.Int }) {}
class Transfers extends SharedRef.Service<Transfers>()("bank/Transfers", { schema: Schema.Int, initial: 0 }) {}

const Vault = Kind.make("bank/Vault", {
  state: Schema.Int,
  initial: 0,
  operations: {
    deposit: Kind.change({ payload: Schema.Int }),
    /** Waits until there is as much. */
    withdraw: Kind.change({ payload: Schema.Int }),
    content: Kind.read({ success: Schema.Int })
  },
  transitions: {
    deposit: (content, amount) => Kind.done(content + amount),
    withdraw: (content, amount) => content < amount ? Kind.wait : Kind.done(content - amount),
    content: (content) => Kind.succeed(content)
  },
  invariants: { "is not overdrawn": (content) => content >= 0 }
})
class TheVault extends SharedObject.Service<TheVault>()("bank/TheVault", Vault) {}

const shared = Layer.mergeAll(Accounts.layer, Transfers.layer, TheVault.layer)
const names = ["a", "b", "c"]
const total = 300

const balanceOf = Effect.fnUntraced(function*(name: string) {
  return Option.getOrElse(yield* (yield* Accounts).tx.get(name), () => 0)
})

/** Fails the simulation if a body sees a part of another transaction. */
const audit = Effect.gen(function*() {
  let sum = yield* (yield* TheVault).tx.content
  for (const name of names) sum += yield* balanceOf(name)
  if (sum !== total) return yield* Effect.die(`a body saw ${sum}`)
})

const transfer = Effect.fnUntraced(function*(from: string, to: string, amount: number) {
  const accounts = yield* Accounts
  const transfers = yield* Transfers
  yield* audit
  const balance = yield* balanceOf(from)
  if (balance < amount) return
  yield* accounts.tx.set(from, balance - amount)
  yield* accounts.tx.set(to, (yield* balanceOf(to)) + amount)
  yield* audit
  yield* transfers.tx.update((n) => n + 1)
})

/** Puts money into the vault, or takes it out as soon as there is as much. */
const save = Effect.fnUntraced(function*(name: string, amount: number) {
  const accounts = yield* Accounts
  const vault = yield* TheVault
  const balance = yield* balanceOf(name)
  if (balance < amount) {
    yield* vault.tx.withdraw(amount)
    yield* accounts.tx.set(name, balance + amount)
  } else {
    yield* accounts.tx.set(name, balance - amount)
    yield* vault.tx.deposit(amount)
  }
})

/** Puts all of the largest account into the vault, if the vault has less than is ever taken out. */
const fill = Effect.gen(function*() {
  const vault = yield* TheVault
  if ((yield* vault.tx.content) >= 60) return
  const balances = yield* Effect.all(names.map(balanceOf), { concurrency: "unbounded" })
  const largest = Math.max(...balances)
  yield* (yield* Accounts).tx.set(names[balances.indexOf(largest)]!, 0)
  yield* vault.tx.deposit(largest)
})

const Work = Task.make("Work", { payload: { n: Schema.Int } })
const Wait = Task.make("Wait", { payload: {} })
const Tasks = TaskGroup.make("bank", { tasks: [Work, Wait] })

const tasks = Tasks.toLayer({
  Work: Effect.fnUntraced(function*({ n }) {
    for (let i = 0; i < 4; i++) {
      const [from, to] = [names[(n + i) % 3]!, names[(n + i + 1) % 3]!]
      yield* cancellable(Transaction.tx(transfer(from, to, 10 * n + i)))
      yield* cancellable(Transaction.tx(save(from, 20 * n)))
    }
  }, Effect.orDie),
  Wait: Effect.fnUntraced(function*() {
    const transfers = yield* Transfers
    yield* Transaction.tx(
      Transaction.orElse(
        Effect.flatMap(transfers.tx.get, (n) => n < 1_000 ? Transaction.txRetry : Effect.void),
        Effect.flatMap(transfers.tx.get, (n) => n < 3 ? Transaction.txRetry : audit)
      )
    )
  }, Effect.orDie)
}).pipe(Layer.provide(shared))

const main = Effect.gen(function*() {
  const accounts = yield* Accounts
  const transfers = yield* Transfers
  const vault = yield* TheVault
  yield* accounts.setAll(names.map((name) => [name, total / names.length]))
  const waiting = yield* Effect.forkScoped(Effect.exit(Process.run(Tasks, Wait, {})))
  const working = yield* Effect.forkChild(
    Effect.forEach([1, 2, 3], (n) => Effect.exit(Process.run(Tasks, Work, { n })), { concurrency: "unbounded" })
  )
  // Those that wait for the vault have it at last.
  yield* Effect.forkScoped(
    Effect.forever(Effect.andThen(Effect.sleep(500), Transaction.tx(fill)))
  )
  yield* Fiber.join(working)
  yield* Transaction.tx(audit)
  // A transaction that waits and was not killed goes on.
  yield* transfers.set(3)
  yield* Fiber.join(waiting)
  const sum = (yield* accounts.entries).reduce((sum, [, balance]) => sum + balance, yield* vault.content)
  if (sum !== total) return yield* Effect.die(`${sum} are left`)
}).pipe(Effect.scoped, Effect.provide(shared))

describe("a program with transactions", () => {
  it.live("keeps every promise, with processes that are killed, cut off and interrupted", () =>
    Effect.gen(function*() {
      const { faults } = yield* simulate(main, {
        tasks,
        kinds: [TheVault],
        seeds: Math.max(12, budget(12)),
        faults: everyFault
      })
      for (const fault of everyFault) assert.isAbove(faults[fault], 0, fault)
    }))
})
