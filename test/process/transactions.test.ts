/** Transactions of real processes that are killed at random moments. */
import { Process } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Random } from "effect"
import { budget } from "../support/budget.ts"
import { Accounts, Carry, Done, shared, Tasks, Transfers } from "./fixtures/transfers.ts"
import { fixture } from "./harness.ts"

const accounts = ["a", "b", "c", "d"]

describe("processTx", () => {
  it.live("does the work of each item exactly once, whenever its workers are killed (S-17)", () =>
    Effect.gen(function*() {
      const kills = budget(3)
      const transfers = yield* Transfers
      const done = yield* Done
      const items = kills * 50
      yield* transfers.offerAll(Array.from({ length: items }, (_, i) => ({
        from: accounts[i % 4]!,
        to: accounts[(i * 7 + 1) % 4]!
      })))
      yield* Effect.forEach(
        Array.from({ length: kills }),
        Effect.fnUntraced(function*() {
          const worker = yield* Process.spawn(Tasks, Carry, undefined)
          // It has done some of the work, and is in the middle of more.
          yield* done.untilAtLeast((yield* done.get) + (yield* Random.nextIntBetween(1, 40)))
          yield* worker.kill()
        }, Effect.scoped),
        { concurrency: 2 }
      )
      yield* transfers.close
      yield* Process.run(Tasks, Carry, undefined)
      yield* transfers.untilSettled
      assert.strictEqual(yield* done.get, items)
      assert.deepStrictEqual(yield* transfers.deadLetterCounts, { kept: 0, discarded: 0 })
      const balances = (yield* (yield* Accounts).entries).map(([, balance]) => balance)
      assert.strictEqual(balances.reduce((sum, balance) => sum + balance, 0), 0)
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.provideMerge(shared, NodeManager.layerProgram({ entry: fixture("transfersMain") })))
    ))
})
