/** Offers that wait for themselves: they are made for an item of their own full queue. */
import type { Argument } from "#core/engine/Value.ts"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { type Client, EngineHarness, value } from "../../support/EngineHarness.ts"

const setUp = (capacity: number) => {
  const harness = new EngineHarness()
  const main = harness.open()
  const queue = main.make("Queue", "queue", { capacity, attempts: 9 })
  const lease = (client: Client = main) => Number(client.get(queue, "takeLease")[0])
  const offer = (client: Client = main, ...leases: ReadonlyArray<number>) =>
    client.call(queue, "offer", [value(1), ...leases])
  return { harness, main, queue, lease, offer }
}

describe("a queue that waits for itself", () => {
  it("refuses at once the offer for the last of its items, if no item is queued, and names its capacity", () => {
    const { harness, lease, main, offer, queue } = setUp(2)
    const worker = harness.open()
    const all = [main, worker].map((client) => (offer(client), lease(client)))
    const first = offer(main, all[0]!)
    assert.isTrue(main.waits(first))
    assert.strictEqual(worker.answer(offer(worker, all[1]!)), "Deadlock 2")
    assert.isTrue(main.waits(first))
    worker.get(queue, "ack", [all[1]!])
    assert.deepStrictEqual(main.answer(first), [])
  })

  it("refuses it two seconds after the last change, if another process could take a queued item", () => {
    const { harness, lease, main, offer } = setUp(2)
    offer()
    const own = lease()
    const worker = harness.open()
    harness.time(1_000)
    offer()
    harness.time(1_500)
    const waiting = [offer(main, own), offer(main, own)]
    harness.time(3_499)
    assert.isTrue(waiting.every((call) => main.waits(call)))
    // A plain taker makes room for the first; the second is in the same place again.
    worker.get(main.make("Queue", "queue", { capacity: 2, attempts: 9 }), "take")
    assert.deepStrictEqual(waiting.map((call) => main.waits(call)), [false, true])
    harness.time(5_000)
    assert.isTrue(main.waits(waiting[1]!))
    for (const now of [5_499, 5_500, 7_500, 9_500]) harness.time(now)
    assert.strictEqual(main.answer(waiting[1]!), "Deadlock 2")
  })

  it("refuses the offer of a body that has lost its lock meanwhile for that (S-21)", () => {
    const { harness, lease, main, offer, queue } = setUp(2)
    const lock = main.make("Lock", "lock")
    const hold = Number(main.get(lock, "acquire")[0])
    offer()
    const own = lease()
    offer()
    const waiting = main.call(queue, "offer", [value(1), own], [hold])
    main.get(lock, "release", [hold])
    harness.time(2_000)
    assert.strictEqual(main.answer(waiting), `FencedOut ${hold}`)
  })

  it("refuses no offer while one of its items is worked on, nor one that is made for no item of it", () => {
    const { harness, lease, main, offer, queue } = setUp(2)
    const worker = harness.open()
    const all = [main, worker].map((client) => (offer(client), lease(client)))
    const waiting = [offer(main, all[0]!), offer(main), offer(main, 77)]
    for (let hour = 1; hour < 9; hour++) harness.time(hour * 3_600_000)
    assert.isTrue(waiting.every((call) => main.waits(call)))
    // The waiting retry of a dead letter is no offer for the item whose lease has its number.
    worker.get(queue, "reject", [all[1]!, "no"])
    assert.deepStrictEqual(waiting.map((call) => main.waits(call)), [false, true, true])
  })

  it("is seen again after it was saved and loaded", () => {
    const { harness, lease, main, offer } = setUp(2)
    offer()
    const own = lease()
    offer()
    const waiting = offer(main, own)
    harness.time(1_999)
    harness.time(2_000)
    assert.strictEqual(main.answer(waiting), "Deadlock 2")
    const replayed = harness.replay(() => true)
    assert.deepStrictEqual([replayed.hash, replayed.outputs], [harness.hash, harness.outputs])
  })

  const step = Schema.Literals(["feed", "feed", "take", "ack", "wait"])

  it.prop("is no queue with a process that takes its items, at any speed of at least one call in two seconds", [
    Arbitrary.array(Arbitrary.schema(step), { maxLength: 60 })
  ], ([steps]) => {
    const { harness, lease, main, offer, queue } = setUp(3)
    const worker = harness.open()
    offer()
    const own = lease()
    const offers: Array<number> = []
    let item: number | undefined
    let now = 0
    for (const what of steps) {
      if (what === "feed") offers.push(offer(main, own))
      else if (what === "take" && item === undefined && Number(worker.get(queue, "size")[0]) > 0) item = lease(worker)
      else if (what === "ack" && item !== undefined) item = void worker.get(queue, "ack", [item])
      // It has a break, but not while all wait for it.
      else if (what === "wait" && item !== undefined) harness.time(now += 10_000)
      else harness.time(now += 10)
    }
    for (const call of offers) assert.notStrictEqual(main.answer(call), "Deadlock 3")
  })
})

describe("a queue of which many items are worked on", () => {
  /** How often the arguments of offers are read, when the work on all items but one waits for room, and then on that one. */
  const reads = (size: number): number => {
    const { harness, lease, main, offer, queue } = setUp(size)
    const leases = Array.from({ length: size }, () => (offer(), lease()))
    let count = 0
    const counted = (...args: ReadonlyArray<Argument>) =>
      new Proxy(args, {
        get: (target, property) => {
          count++
          return Reflect.get(target, property) as unknown
        }
      })
    const request = (sequence: number, args: ReadonlyArray<Argument>) => {
      const operation = harness.object(queue).operations.findIndex(([name]) => name === "offer")
      const calls = [{ object: queue, operation, args }]
      harness.engine.step({ _tag: "Request", session: main.session, sequence, guard: [], stalls: 0, calls })
      return harness.engine.takeOutputs()
    }
    for (const lease of leases.slice(1)) request(10 * size + lease, counted(value(1), lease))
    for (const now of [2_000, 4_000, 6_000]) {
      harness.engine.step({ _tag: "Time", now })
      assert.deepStrictEqual(harness.engine.takeOutputs(), [])
    }
    assert.include(JSON.stringify(request(100 * size, counted(value(1), leases[0]!))), "Deadlock")
    return count
  }

  it("is examined at a cost that does not grow with them", () => {
    assert.isBelow(reads(200) / 200, 100)
  })
})
