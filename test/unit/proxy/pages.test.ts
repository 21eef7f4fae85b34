/** Pages through a connection: pulled one by one, of one instant, and nothing is left in the manager (S-11, S-29). */
import { cell, isCell } from "#core/engine/Value.ts"
import { pages } from "#core/proxy/pages.ts"
import type { Remote } from "#core/proxy/Remote.ts"
import * as Shared from "#core/proxy/Shared.ts"
import { Manager, ManagerError } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Stream } from "effect"
import { bag } from "../../support/bag.ts"
import { forEachInterruption } from "../../support/interruption.ts"
import * as Memory from "../../support/Memory.ts"

interface Bag extends Shared.Shared {
  readonly remote: Remote<typeof bag>
}

const open = Shared.open<Bag, typeof bag, void, never>(
  { kind: "Bag", proxy: (remote) => ({ [Shared.TypeId]: remote, remote }) },
  { options: {} },
  undefined
)

const connected = (limits: { readonly frameBytesMax?: number } = {}) =>
  Effect.gen(function*() {
    const memory = yield* Memory.make({ limits, kinds: [bag] })
    const client = yield* memory.connect()
    return { memory, client, as: Effect.provideService(Manager.Manager, client.manager) }
  })

const filled = ({ remote }: Bag, texts: ReadonlyArray<string>) =>
  Effect.forEach(texts, (text) => remote.call("put", ["", cell(text)], () => Exit.void), { discard: true })

const texts = (remote: Remote<typeof bag>, size?: number) =>
  pages(remote, (parts) => Exit.succeed(parts.filter(isCell).map(({ text }) => text)), size)

const numbers = Array.from({ length: 20 }, (_, n) => String(n))

const grants = ({ server }: Memory.Memory) => server.engine.state.counts.holders

describe("pages", () => {
  it.live("are of the instant at which the stream began, and are asked for one by one", () =>
    Effect.gen(function*() {
      const { as, memory } = yield* connected()
      const bag = yield* as(open)
      yield* filled(bag, numbers)
      const arrays: Array<ReadonlyArray<string>> = []
      yield* Stream.runForEachArray(texts(bag.remote, 150), (page) =>
        Effect.gen(function*() {
          assert.strictEqual(grants(memory), 1)
          arrays.push(page)
          yield* bag.remote.call("empty", [], () => Exit.void)
        }))
      assert.deepStrictEqual(arrays.flat(), numbers)
      assert.isAbove(arrays.length, 4)
      yield* Memory.until("the scan is given back", () => grants(memory) === 0)
    }).pipe(Effect.scoped))

  it.live("of nothing, or of what fits into one, need no scan", () =>
    Effect.gen(function*() {
      const { as, memory } = yield* connected()
      const bag = yield* as(open)
      assert.deepStrictEqual(yield* Stream.runCollect(texts(bag.remote)), [])
      yield* filled(bag, numbers)
      const { index } = memory.server.engine.state
      assert.deepStrictEqual(yield* Stream.runCollect(texts(bag.remote)), numbers)
      assert.strictEqual(memory.server.engine.state.index, index)
    }).pipe(Effect.scoped))

  it.live("fit into a frame, however small frames are, and so does a value that fills one", () =>
    Effect.gen(function*() {
      const { as } = yield* connected({ frameBytesMax: 1_000 })
      const bag = yield* as(open)
      const large = JSON.stringify("ä€".repeat(170))
      const values = [...numbers, large, large, ...numbers, large]
      yield* filled(bag, values)
      assert.deepStrictEqual(yield* Stream.runCollect(texts(bag.remote)), values)
    }).pipe(Effect.scoped))

  it.live("end their scan when their reader stops, and fail with what does not decode", () =>
    Effect.gen(function*() {
      const { as, memory } = yield* connected()
      const bag = yield* as(open)
      yield* filled(bag, numbers)
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(texts(bag.remote, 1), 3)), numbers.slice(0, 3))
      const error = bag.remote.notEncoded("pages", { message: "the third" })
      const failing = pages(
        bag.remote,
        (parts) => parts.some((part) => isCell(part) && part.text === "2") ? Exit.fail(error) : Exit.succeed(parts),
        1
      )
      const failed = yield* Effect.flip(Stream.runDrain(failing))
      assert.instanceOf(failed, ManagerError.ManagerError)
      assert.strictEqual(failed, error)
      yield* Memory.until("the scans are given back", () => grants(memory) === 0)
    }).pipe(Effect.scoped))

  it.live("leave no scan behind, wherever they are interrupted (S-10)", () =>
    Effect.gen(function*() {
      const steps = yield* forEachInterruption(
        connected(),
        ({ as, client, memory }) =>
          Effect.gen(function*() {
            const bag = yield* as(open)
            yield* filled(bag, numbers.slice(0, 4))
            return { bag, client, memory }
          }),
        {
          program: ({ bag }) => Stream.runCollect(texts(bag.remote, 1)),
          check: ({ client, memory }, exit) =>
            Effect.gen(function*() {
              yield* Memory.settled(memory, client)
              assert.strictEqual(grants(memory), 0)
              if (Exit.isSuccess(exit)) assert.deepStrictEqual(exit.value, numbers.slice(0, 4))
            })
        }
      )
      assert.isAbove(steps, 10)
    }).pipe(Effect.scoped))
})
