/** The own kinds of the examples, simulated with processes that are killed, cut off and interrupted. */
import { Kind, Process, SharedObject, Task, TaskGroup } from "@effect-multiprocessing/core"
import { cancellable, type FaultName, harmlessFaults, simulate } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Random, Stream } from "effect"
import { Bank, Overdrawn, TheBank, total } from "../../examples/27_bank/bank.ts"
import { TheFrontier } from "../../examples/28_crawler/frontier.ts"
import { budget } from "../support/budget.ts"

const faults: ReadonlyArray<FaultName> = [...harmlessFaults, "kill", "cut"]

const Work = Task.make("Work", { payload: {} })
const Tasks = TaskGroup.make("examples", { tasks: [Work] })

/** Three processes do the work; each may end early. */
const threeTimes = Effect.forEach([1, 2, 3], () => Effect.exit(Process.run(Tasks, Work, {})), {
  concurrency: "unbounded"
})

const accounts = ["ada", "ben", "cem"]

/** Transfers at random, and looks at the total of every state that it sees. */
const bank = <Self, Name extends string>(
  Service: SharedObject.ServiceClass<
    Self,
    string,
    Kind.Kind<Name, typeof Bank.state, typeof Bank.options, typeof Bank.operations>
  >,
  seeds: number
) => {
  const transfer = Effect.gen(function*() {
    const bank = yield* Service
    const [from, to] = [accounts[yield* Random.nextIntBetween(0, 2)]!, accounts[yield* Random.nextIntBetween(0, 2)]!]
    const amount = yield* Random.nextIntBetween(1, 80)
    yield* cancellable(bank.transfer({ from, to, amount }))
    yield* Effect.timeoutOption(bank.pay({ from: to, to: from, amount }), 1_000)
  })
  const work = Effect.repeat(transfer, { times: 3 })
  const tasks = Tasks.toLayer({ Work: () => Effect.orDie(Effect.asVoid(work)) }).pipe(Layer.provide(Service.layer))
  const main = Effect.gen(function*() {
    const bank = yield* Service
    for (const account of accounts) yield* bank.deposit({ account, amount: 100 })
    const seen: Array<number> = []
    yield* Effect.forkScoped(
      Stream.runForEach(bank.state.changes, (state) => Effect.sync(() => seen.push(total(state))))
    )
    yield* threeTimes
    seen.push(total(yield* bank.state.get))
    assert.deepStrictEqual([...new Set(seen)], [300])
  }).pipe(Effect.scoped, Effect.provide(Service.layer))
  return simulate(main, { tasks, kinds: [Service], seeds, faults })
}

describe("the bank", () => {
  it.live("has the same total in every state that is seen", () =>
    Effect.gen(function*() {
      const { faults } = yield* bank(TheBank, budget(20))
      assert.isTrue(faults.kill > 0 && faults.cut > 0 && faults.cancel > 0)
    }))

  it.live("that loses money is found within 200 seeds", () =>
    Effect.gen(function*() {
      const Losing = Kind.make("bank/Losing", {
        state: Bank.state,
        initial: { balances: {}, deposits: 0 },
        operations: Bank.operations,
        transitions: {
          deposit: ({ balances, deposits }, { account, amount }) =>
            Kind.done({ balances: { ...balances, [account]: amount }, deposits: deposits + amount }),
          // Two writes of one account, if money is transferred from an account to itself.
          transfer: ({ balances, deposits }, { amount, from, to }) => {
            const balance = (balances[from] ?? 0) - amount
            if (balance < 0) return Kind.fail(new Overdrawn({ account: from, balance }))
            const paid = { ...balances, [from]: balance, [to]: (balances[to] ?? 0) + amount }
            return Kind.reply({ balances: paid, deposits }, balance)
          },
          pay: (state) => Kind.done(state),
          withdraw: (state) => Kind.done(state),
          balance: ({ balances }, account) => Kind.succeed(balances[account] ?? 0),
          total: (state) => Kind.succeed(total(state))
        },
        invariants: { "money is neither made nor lost": (state) => total(state) === state.deposits }
      })
      class LosingBank extends SharedObject.Service<LosingBank>()("bank/LosingBank", Losing) {}
      const error = yield* Effect.flip(bank(LosingBank, 200))
      assert.include(error.message, "money is neither made nor lost")
    }))
})

describe("the frontier", () => {
  it.live("gives each page to one process at a time until it has been visited, and lets the hosts rest", () =>
    Effect.gen(function*() {
      const visit = Effect.scoped(Effect.gen(function*() {
        const frontier = yield* TheFrontier
        const { host, path } = yield* frontier.next
        yield* Effect.sleep(7)
        const next = Number(path.slice(1)) + 1
        if (next < 4) yield* frontier.add({ pages: [{ host, path: `/${next}` }, { host: "b", path: "/3" }] })
      }))
      const work = Effect.forever(visit).pipe(Effect.catchTag("Finished", () => Effect.void))
      const tasks = Tasks.toLayer({ Work: () => Effect.orDie(work) }).pipe(Layer.provide(TheFrontier.layer))
      const main = Effect.gen(function*() {
        const frontier = yield* TheFrontier
        yield* frontier.add({ pages: [{ host: "a", path: "/0" }, { host: "b", path: "/0" }] })
        yield* threeTimes
        // The pages of the processes that have died are left.
        yield* Effect.exit(work)
        const { seen, visiting, waiting } = yield* frontier.state.get
        assert.deepStrictEqual([Object.keys(visiting).length, waiting.length], [0, 0])
        assert.strictEqual(Object.keys(seen).length, 8)
      }).pipe(Effect.scoped, Effect.provide(TheFrontier.layer))
      const run = yield* simulate(main, { tasks, kinds: [TheFrontier], seeds: Math.max(10, budget(10)), faults })
      assert.isAbove(run.faults.kill, 0)
    }))
})
