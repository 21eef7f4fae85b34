import * as Format from "#core/engine/Format.ts"
import { kindOf } from "#core/engine/Kind.ts"
import { answer, operationsOf, ready, wait } from "#core/engine/Operation.ts"
import { count } from "#core/engine/Parameter.ts"
import { assert, describe, it } from "@effect/vitest"
import { EngineHarness, texts, value } from "../../support/EngineHarness.ts"

describe("a lane (S-13)", () => {
  it("serves its waiters in the order in which they came", () => {
    const harness = new EngineHarness()
    const clients = Array.from({ length: 5 }, () => harness.open())
    const queue = clients[0]!.make("Queue", "queue", { capacity: 9, attempts: 1 })
    const takes = clients.map((client) => [client, client.call(queue, "take")] as const)
    for (let item = 0; item < 5; item++) clients[0]!.call(queue, "offer", [value(item)])
    assert.deepStrictEqual(takes.map(([client, take]) => texts(client.answer(take))[0]), ["0", "1", "2", "3", "4"])
  })

  it("lets nobody barge in: an arrival joins the tail though it could go at once", () => {
    const harness = new EngineHarness()
    const [a, b, c] = [harness.open(), harness.open(), harness.open()]
    const queue = a.make("Queue", "queue", { capacity: 1, attempts: 1 })
    a.call(queue, "offer", [value(1)])
    const second = b.call(queue, "offer", [value(2)])
    const third = c.call(queue, "offer", [value(3)])
    a.call(queue, "take")
    assert.deepStrictEqual([b.waits(second), c.waits(third)], [false, true])
    assert.deepStrictEqual(texts(a.get(queue, "take")), ["2"])
  })

  it("refuses at once what can never go, and lets it wait for nobody", () => {
    const harness = new EngineHarness()
    const [holder, waiter, mistaken] = [harness.open(), harness.open(), harness.open()]
    const ref = holder.make("Ref", "ref", { value: "" }, value(1))
    holder.get(ref, "reserve", ["value"])
    waiter.call(ref, "reserve", ["value"])
    assert.isFalse(mistaken.waits(mistaken.call(ref, "reserve", ["nothing"])))
  })

  it("moves on when its head is cancelled or dies, at no cost to those behind it", () => {
    const harness = new EngineHarness()
    const [holder, cancelled, dead, last] = [harness.open(), harness.open(), harness.open(), harness.open()]
    const lock = holder.make("Lock", "lock")
    const token = Number(holder.get(lock, "acquire")[0])
    const first = cancelled.call(lock, "acquire")
    const second = dead.call(lock, "acquire")
    const third = last.call(lock, "acquire")
    assert.strictEqual(cancelled.cancel(first), "withdrawn")
    dead.end()
    assert.deepStrictEqual([cancelled.waits(first), dead.waits(second), last.waits(third)], [true, true, true])
    holder.get(lock, "release", [token])
    assert.isFalse(last.waits(third))
  })

  it("goes on when a waiter that held up the head's reason to wait is gone", () => {
    const harness = new EngineHarness()
    const [main, worker] = [harness.open(), harness.open()]
    const queue = main.make("Queue", "queue", { capacity: 1, attempts: 1 })
    main.call(queue, "offer", [value(1)])
    worker.call(queue, "takeLease")
    const waiting = main.call(queue, "offer", [value(2)])
    assert.isTrue(main.waits(waiting))
    // One attempt: the item of the dead session is a dead letter, which leaves room.
    worker.end()
    assert.isFalse(main.waits(waiting))
  })

  it("says once that a call waits, and nothing more until it is answered (S-16)", () => {
    const harness = new EngineHarness()
    const [holder, waiter] = [harness.open(), harness.open()]
    const lock = holder.make("Lock", "lock")
    const token = Number(holder.get(lock, "acquire")[0])
    waiter.call(lock, "acquire")
    holder.get(lock, "isHeld")
    holder.get(lock, "release", [token])
    const told = harness.outputs.filter((output) => output.session === waiter.session).map(({ _tag }) => _tag)
    assert.deepStrictEqual(told, ["Parked", "Reply"])
  })
})

interface Stairs {
  open: boolean
  height: number
}

const { change, read } = operationsOf<Stairs, "watchers" | "climbers">()

/** Climbers wait until the stairs are open, and watchers for one height. */
const stairs = kindOf<Stairs>()({
  name: "Stairs",
  lanes: ["watchers", "climbers"],
  options: {},
  operations: {
    open: change({
      parameters: [],
      decide: ({ open }) => open ? answer() : ready,
      apply: (state) => {
        state.open = true
        return []
      }
    }),
    climb: change({
      parameters: [],
      lane: "climbers",
      decide: ({ open }) => open ? ready : wait,
      apply: (state) => [++state.height]
    }),
    until: read([count], ({ height }) => [height], {
      lane: "watchers",
      decide: ({ height }, [wanted]) => height === wanted ? ready : wait
    })
  },
  initial: () => ({ open: false, height: 0 }),
  pristine: () => false,
  values: () => [],
  version: 1,
  format: Format.struct({ open: Format.boolean, height: Format.count }),
  check: () => []
})

describe("a read that waits", () => {
  it("sees every change before the next one is made, of several that go in one step (S-29)", () => {
    const harness = new EngineHarness({}, [stairs])
    const [main, watcher] = [harness.open(), harness.open()]
    const object = main.make("Stairs")
    for (let i = 0; i < 3; i++) main.call(object, "climb")
    const seen = [3, 2, 1].map((height) => watcher.call(object, "until", [height]))
    main.get(object, "open")
    assert.deepStrictEqual(seen.map((call) => watcher.answer(call)), [[3], [2], [1]])
    const indexes = seen.map((sequence) =>
      harness.outputs.find((output) =>
        output._tag === "Reply" && output.session === watcher.session && output.sequence === sequence
      )
    ).map((output) => output?._tag === "Reply" && output.index)
    assert.deepStrictEqual(indexes, [5, 4, 3])
  })
})
