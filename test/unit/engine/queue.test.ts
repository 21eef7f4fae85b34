import { cell } from "#core/engine/Value.ts"
import { assert, describe, it } from "@effect/vitest"
import { type Client, EngineHarness, handleOf, texts, value } from "../../support/EngineHarness.ts"

interface Options {
  readonly capacity?: number
  readonly attempts?: number
  readonly deadLetterCapacity?: number
  readonly deadLetterStrategy?: "sliding" | "suspend"
}

const setUp = (options: Options = {}) => {
  const harness = new EngineHarness()
  const main = harness.open()
  const queue = main.make("Queue", "queue", { capacity: 100, attempts: 5, ...options })
  const offer = (...items: ReadonlyArray<number>) => items.map((item) => main.call(queue, "offer", [value(item)]))
  /** Takes everything that is there, as text. */
  const drain = () =>
    Array.from({ length: Number(main.get(queue, "size")[0]) }, () => texts(main.get(queue, "take"))[0])
  /** Ids of all dead letters, attempts, reasons and items. */
  const letters = () => texts(main.get(queue, "deadLetters", [0, 1_000, 10_000])).slice(2)
  /** Offers items that become dead letters. */
  const bury = (...items: ReadonlyArray<number>) => {
    for (const item of items) {
      offer(item)
      main.get(queue, "reject", [Number(main.get(queue, "takeLease")[0]), "no"])
    }
  }
  return { harness, main, queue, offer, drain, letters, bury }
}

describe("put-back (S-17)", () => {
  it("returns what a dead session had taken to its old place, before what is still queued", () => {
    const { drain, harness, offer, queue } = setUp()
    const worker = harness.open()
    offer(1, 2, 3, 4)
    for (let i = 0; i < 3; i++) worker.call(queue, "take")
    offer(5)
    worker.end()
    assert.deepStrictEqual(drain(), ["1", "2", "3", "4", "5"])
  })

  it("keeps the order of enqueueing, whoever gives back first", () => {
    const { drain, harness, offer, queue } = setUp()
    const [a, b, c] = [harness.open(), harness.open(), harness.open()]
    offer(1, 2, 3, 4)
    const leases = [a, b, c].map((worker) => Number(worker.get(queue, "takeLease")[0]))
    b!.get(queue, "giveBack", [leases[1]!, 0, ""])
    c!.end()
    a!.get(queue, "giveBack", [leases[0]!, 1, "no"])
    assert.deepStrictEqual(drain(), ["1", "2", "3", "4"])
  })

  it("may exceed the capacity, drops nothing and lets no offer in before there is room", () => {
    const { harness, main, offer, queue } = setUp({ capacity: 2 })
    const worker = harness.open()
    offer(1, 2)
    worker.call(queue, "take")
    worker.call(queue, "take")
    offer(3, 4)
    const [waiting] = offer(5)
    worker.end()
    assert.deepStrictEqual(main.get(queue, "size"), [4, 0])
    assert.isTrue(main.waits(waiting!))
    const order = Array.from({ length: 4 }, () => texts(main.get(queue, "take"))[0])
    assert.deepStrictEqual(order, ["1", "2", "3", "4"])
    assert.deepStrictEqual(main.answer(waiting!), [])
  })
})

describe("capacity (S-17)", () => {
  it("is freed by a plain take at once, and by a leased item only when it is settled", () => {
    const { harness, main, offer, queue } = setUp({ capacity: 1 })
    const worker = harness.open()
    offer(1)
    const [second, third] = offer(2, 3)
    worker.call(queue, "take")
    assert.isFalse(main.waits(second!))
    const lease = Number(worker.get(queue, "takeLease")[0])
    assert.isTrue(main.waits(third!))
    worker.get(queue, "ack", [lease])
    assert.isFalse(main.waits(third!))
  })
})

describe("delivery (S-18, S-19)", () => {
  it("is settled by its receipt, and comes back if its session dies before that", () => {
    const { drain, harness, offer, queue } = setUp()
    const worker = harness.open()
    offer(1, 2)
    const first = worker.call(queue, "take")
    worker.call(queue, "take")
    worker.acknowledge(first)
    worker.end()
    assert.deepStrictEqual(drain(), ["2"])
  })

  it("leaves the attempts when it is withdrawn, and raises them when the session dies or the work fails", () => {
    const { harness, offer, queue } = setUp()
    offer(1)
    const attempt = (worker = harness.open()) => {
      const sequence = worker.call(queue, "takeLease")
      const [lease, attempt] = worker.answer(sequence) as ReadonlyArray<number>
      return { worker, sequence, lease: lease!, attempt: attempt! }
    }
    const cancelled = attempt()
    assert.strictEqual(cancelled.worker.cancel(cancelled.sequence), "compensated")
    const interrupted = attempt()
    interrupted.worker.get(queue, "giveBack", [interrupted.lease, 0, ""])
    const died = attempt()
    died.worker.end()
    const failed = attempt()
    failed.worker.get(queue, "giveBack", [failed.lease, 1, "no"])
    assert.deepStrictEqual([cancelled, interrupted, died, failed, attempt()].map((_) => _.attempt), [1, 1, 1, 2, 3])
  })

  it("ends among the dead letters after the last attempt, with the reason, and never at the head again", () => {
    const { drain, harness, letters, offer, queue } = setUp({ attempts: 2 })
    offer(1, 2)
    harness.open().call(queue, "takeLease")
    const worker = harness.open()
    worker.get(queue, "giveBack", [Number(worker.get(queue, "takeLease")[0]), 1, "first"])
    worker.get(queue, "giveBack", [Number(worker.get(queue, "takeLease")[0]), 1, "second"])
    assert.deepStrictEqual(letters(), [1, 2, "second", "2"])
    harness.step({ _tag: "End", session: 2 })
    assert.deepStrictEqual(drain(), ["1"])
  })

  it("goes to the dead letters at once when it is rejected", () => {
    const { letters, main, offer, queue } = setUp()
    offer(1)
    main.get(queue, "reject", [Number(main.get(queue, "takeLease")[0]), "does not decode"])
    assert.deepStrictEqual(letters(), [1, 0, "does not decode", "1"])
  })

  it("belongs to one session: nobody else can settle it (R-2)", () => {
    const { harness, offer, queue } = setUp()
    const [owner, stranger] = [harness.open(), harness.open()]
    offer(1)
    const lease = Number(owner.get(queue, "takeLease")[0])
    const before = harness.hash
    for (const [operation, ...args] of [["ack"], ["giveBack", 1, ""], ["reject", ""]] as const) {
      assert.strictEqual(stranger.get(queue, operation, [lease, ...args]), `NotHeld ${lease}`)
    }
    assert.deepStrictEqual(owner.get(queue, "ack", [lease]), [])
    assert.strictEqual(owner.get(queue, "ack", [lease]), `NotHeld ${lease}`)
    assert.notStrictEqual(harness.hash, before)
  })
})

describe("dead letters", () => {
  const text = (length: number) => cell(JSON.stringify("x".repeat(length)))

  it("are bounded: for one too many the oldest is discarded, with its handles, and counted", () => {
    const { bury, harness, letters, main, queue } = setUp({ deadLetterCapacity: 2 })
    const lock = main.make("Lock")
    main.get(queue, "offer", [handleOf(lock)])
    main.drop(lock)
    main.get(queue, "reject", [Number(main.get(queue, "takeLease")[0]), "no"])
    assert.isTrue(harness.exists(lock))
    main.drop(lock)
    bury(1, 2, 3)
    assert.isFalse(harness.exists(lock))
    assert.deepStrictEqual(letters(), [3, 0, "no", "2", 4, 0, "no", "3"])
    assert.deepStrictEqual(main.get(queue, "deadLetterCounts"), [2, 2])
  })

  it("may make deliveries wait instead, until one of them is dropped or retried", () => {
    const { bury, main, offer, queue } = setUp({ deadLetterCapacity: 1, deadLetterStrategy: "suspend" })
    bury(1)
    offer(2, 3)
    assert.deepStrictEqual(main.get(queue, "poll"), [])
    const [first, second] = [main.call(queue, "take"), main.call(queue, "takeLease")]
    assert.deepStrictEqual([main.waits(first), main.waits(second)], [true, true])
    assert.deepStrictEqual(main.get(queue, "drop", [1]), [1])
    assert.deepStrictEqual(texts(main.answer(first)), ["2"])
    const lease = Number(main.answer(second)[0])
    const third = main.call(queue, "take")
    main.get(queue, "reject", [lease, "no"])
    offer(4)
    assert.isTrue(main.waits(third))
    assert.deepStrictEqual(main.get(queue, "retry", [2]), [1])
    assert.deepStrictEqual(texts(main.answer(third)), ["4"])
    assert.deepStrictEqual(main.get(queue, "deadLetterCounts"), [0, 0])
  })

  it("leave a closed queue open for takers while deliveries wait", () => {
    const { bury, main, offer, queue } = setUp({ deadLetterCapacity: 1, deadLetterStrategy: "suspend" })
    bury(1)
    offer(2)
    const take = main.call(queue, "take")
    main.get(queue, "close")
    assert.isTrue(main.waits(take))
    main.get(queue, "drop", [1])
    assert.deepStrictEqual(texts(main.answer(take)), ["2"])
  })

  it("are dropped once, with their handles", () => {
    const { harness, letters, main, queue } = setUp()
    const lock = main.make("Lock")
    main.get(queue, "offer", [handleOf(lock)])
    main.get(queue, "reject", [Number(main.get(queue, "takeLease")[0]), "no"])
    main.drop(lock)
    main.drop(lock)
    assert.isTrue(harness.exists(lock))
    assert.deepStrictEqual(main.get(queue, "drop", [1]), [1])
    assert.isFalse(harness.exists(lock))
    assert.deepStrictEqual(letters(), [])
    assert.deepStrictEqual([main.get(queue, "drop", [1]), main.get(queue, "retry", [1])], [[0], [0]])
  })

  it("are retried as new items: at the end, with all attempts, and wait for room behind offers", () => {
    const { harness, letters, main, offer, queue } = setUp({ capacity: 2, attempts: 1 })
    offer(1, 2)
    main.get(queue, "giveBack", [Number(main.get(queue, "takeLease")[0]), 1, "no"])
    const [, fourth] = offer(3, 4)
    const retried = main.call(queue, "retry", [1])
    const other = harness.open()
    const again = other.call(queue, "retry", [1])
    assert.isTrue(main.waits(retried))
    main.get(queue, "take")
    assert.deepStrictEqual([main.waits(fourth!), main.waits(retried)], [false, true])
    assert.deepStrictEqual(texts(main.get(queue, "take")), ["3"])
    assert.deepStrictEqual([main.answer(retried), other.answer(again)], [[1], [0]])
    main.get(queue, "take")
    assert.deepStrictEqual(texts(main.get(queue, "takeLease")).slice(1), [1, "1"])
    assert.deepStrictEqual(letters(), [])
  })

  it("stay when the queue is closed before they are retried", () => {
    const { bury, letters, main, offer, queue } = setUp({ capacity: 1 })
    bury(1)
    offer(2)
    const waiting = main.call(queue, "retry", [1])
    main.get(queue, "close")
    assert.deepStrictEqual(
      [main.answer(waiting), main.get(queue, "retry", [1])],
      ["QueueClosed", "QueueClosed"]
    )
    assert.deepStrictEqual(letters(), [1, 0, "no", "1"])
  })

  it("are read page by page, to the newest of the first page, whatever is dropped and added in between", () => {
    const { bury, main, queue } = setUp()
    bury(1, 2, 3, 4)
    const page = (after: number, to: number) => texts(main.get(queue, "deadLetters", [after, to, 2 * bytesOfOne]))
    const bytesOfOne = 3 * 16 + (16 + 3 * 2) + (16 + 3)
    assert.deepStrictEqual(page(0, 1_000), [4, 1, 1, 0, "no", "1", 2, 0, "no", "2"])
    main.get(queue, "drop", [2])
    main.get(queue, "drop", [3])
    bury(5)
    assert.deepStrictEqual(page(2, 4), [4, 0, 4, 0, "no", "4"])
    assert.deepStrictEqual(page(4, 4), [4, 0])
  })

  it("are read without their items where an item and its reason are more than a page", () => {
    const { main, queue } = setUp()
    for (const length of [10, 200]) {
      main.get(queue, "offer", [text(length)])
      main.get(queue, "reject", [Number(main.get(queue, "takeLease")[0]), "r".repeat(50)])
    }
    const read = main.get(queue, "deadLetters", [0, 1_000, 600])
    assert.deepStrictEqual([read[5], read[9]], [text(10), null])
    assert.deepStrictEqual(main.get(queue, "deadLetter", [2]), [text(200)])
    assert.deepStrictEqual(main.get(queue, "deadLetter", [3]), [])
  })

  it("count with their reasons as bytes of the manager", () => {
    const { harness, main, offer, queue } = setUp()
    offer(1)
    const { bytes } = harness.engine.state
    main.get(queue, "reject", [Number(main.get(queue, "takeLease")[0]), "r".repeat(5_000)])
    assert.isAbove(harness.engine.state.bytes, bytes + 5_000)
    main.get(queue, "retry", [1])
    assert.strictEqual(harness.engine.state.bytes, bytes)
  })
})

describe("closing", () => {
  it("fails every offer, lets takers drain what is left, and then fails them", () => {
    const { main, offer, queue } = setUp({ capacity: 1 })
    const [, waiting] = offer(1, 2)
    main.get(queue, "close")
    assert.strictEqual(main.answer(waiting!), "QueueClosed")
    assert.strictEqual(main.answer(offer(3)[0]!), "QueueClosed")
    const taken = main.call(queue, "take")
    assert.deepStrictEqual(texts(main.answer(taken)), ["1"])
    const last = main.call(queue, "take")
    assert.isTrue(main.waits(last), "the item on its way may still come back")
    main.acknowledge(taken)
    assert.strictEqual(main.answer(last), "QueueClosed")
  })
})

describe("who does not wait", () => {
  it("adds as many as there is room for, in order, and overtakes nobody who waits (I4)", () => {
    const { drain, main, offer, queue } = setUp({ capacity: 3 })
    offer(1)
    const items = [2, 3, 4].map(value)
    assert.deepStrictEqual(main.get(queue, "offerAll", items), [2])
    assert.deepStrictEqual(main.get(queue, "offerAll", items), [0])
    assert.deepStrictEqual(main.get(queue, "isFull"), [1])
    assert.deepStrictEqual(drain(), ["1", "2", "3"])
    main.get(queue, "close")
    assert.strictEqual(main.get(queue, "offerAll", items), "QueueClosed")
  })

  it("adds no item where one with a fraction of a slot is left, as `offer` does", () => {
    const { main, queue } = setUp({ capacity: 1.5 })
    assert.deepStrictEqual(main.get(queue, "offerAll", [1, 2, 3].map(value)), [2])
  })

  it("takes the first item, or none", () => {
    const { harness, main, offer, queue } = setUp()
    assert.deepStrictEqual(main.get(queue, "poll"), [])
    offer(1, 2)
    const worker = harness.open()
    assert.deepStrictEqual(texts(worker.get(queue, "poll")), ["1"])
    worker.end()
    assert.deepStrictEqual(texts(main.get(queue, "poll")), ["1"])
  })

  it("drops what is queued, lets go of its handles, and makes room for those who wait", () => {
    const { harness, main, queue } = setUp({ capacity: 2 })
    const lock = main.make("Lock")
    const held = Number((main.get(queue, "offer", [handleOf(lock)]), main.get(queue, "takeLease")[0]))
    main.call(queue, "offer", [handleOf(lock)])
    const waiting = main.call(queue, "offer", [value(3)])
    main.drop(lock)
    main.drop(lock)
    assert.deepStrictEqual(main.get(queue, "clear"), [1])
    assert.isFalse(main.waits(waiting))
    assert.isTrue(harness.exists(lock))
    main.get(queue, "ack", [held])
    assert.isFalse(harness.exists(lock))
    assert.deepStrictEqual(main.get(queue, "clear"), [1])
    assert.deepStrictEqual(main.get(queue, "clear"), [0])
  })
})

describe("who waits until there is nothing to do", () => {
  it("hears of a moment in which the queue is empty, though an offer that waits fills it at once", () => {
    const { main, offer, queue } = setUp({ capacity: 1 })
    const [, second] = offer(1, 2)
    const empty = main.call(queue, "untilEmpty")
    main.get(queue, "take")
    assert.deepStrictEqual([main.answer(second!), main.get(queue, "size")], [[], [1, 0]])
    assert.deepStrictEqual(main.answer(empty), [])
  })

  it("waits for what is queued, leased, or delivered and not received; a dead letter is done", () => {
    const { harness, letters, main, offer, queue } = setUp({ attempts: 1 })
    const worker = harness.open()
    offer(1, 2, 3)
    const settled = main.call(queue, "untilSettled")
    const empty = main.call(queue, "untilEmpty")
    const lease = Number(worker.get(queue, "takeLease")[0])
    const taken = worker.call(queue, "take")
    harness.open().call(queue, "takeLease")
    assert.deepStrictEqual([main.waits(settled), main.waits(empty)], [true, false])
    worker.get(queue, "ack", [lease])
    worker.acknowledge(taken)
    assert.isTrue(main.waits(settled))
    harness.step({ _tag: "End", session: 3 })
    assert.strictEqual(letters()[3], "3")
    assert.isFalse(main.waits(settled))
  })
})

describe("producers", () => {
  /** Adds a producer. */
  const add = (client: Client, queue: number) => Number(client.get(queue, "addProducer")[0])

  it("close the queue when the last one is done; takers drain it first", () => {
    const { harness, main, offer, queue } = setUp()
    const worker = harness.open()
    const [one, other] = [add(main, queue), add(worker, queue)]
    offer(1)
    main.get(queue, "endProducer", [one, 0])
    assert.strictEqual(worker.get(queue, "endProducer", [one, 0]), `NotHeld ${one}`)
    offer(2)
    const waiting = main.call(queue, "offer", [value(3)])
    worker.get(queue, "endProducer", [other, 0])
    worker.end()
    assert.deepStrictEqual(main.answer(waiting), [])
    assert.strictEqual(main.answer(offer(4)[0]!), "QueueClosed")
    assert.strictEqual(main.get(queue, "addProducer"), "QueueClosed")
    for (const n of [1, 2, 3]) {
      const take = main.call(queue, "take")
      assert.strictEqual(texts(main.answer(take))[0], String(n))
      main.acknowledge(take)
    }
    assert.strictEqual(main.get(queue, "take"), "QueueClosed")
  })

  it("fail its takers when the last one was lost, by its death or by its own word, once the queue is drained", () => {
    for (const isToldOf of [false, true]) {
      const { harness, main, offer, queue } = setUp()
      const worker = harness.open()
      const producer = add(worker, queue)
      offer(1)
      const lease = Number(main.get(queue, "takeLease")[0])
      const waiting = [main.call(queue, "take"), main.call(queue, "takeLease")]
      if (isToldOf) worker.get(queue, "endProducer", [producer, 1])
      worker.end()
      assert.deepStrictEqual(waiting.map((call) => main.waits(call)), [true, true])
      main.get(queue, "ack", [lease])
      assert.deepStrictEqual(waiting.map((call) => main.answer(call)), ["ProducerLost", "ProducerLost"])
      assert.deepStrictEqual(main.get(queue, "poll"), [])
      assert.strictEqual(main.answer(offer(2)[0]!), "QueueClosed")
    }
  })

  it("do not close the queue while one is left, and a later one takes the place of a lost one", () => {
    for (const isReplaced of [false, true]) {
      const { harness, main, queue } = setUp()
      const worker = harness.open()
      const left = add(main, queue)
      add(worker, queue)
      const waiting = main.call(queue, "take")
      worker.end()
      assert.isTrue(main.waits(waiting))
      if (isReplaced) main.get(queue, "endProducer", [add(main, queue), 0])
      assert.isTrue(main.waits(waiting))
      main.get(queue, "endProducer", [left, 0])
      assert.strictEqual(main.answer(waiting), isReplaced ? "QueueClosed" : "ProducerLost")
    }
  })

  it("have not been there if their call is cancelled", () => {
    const { harness, main, queue } = setUp()
    const worker = harness.open()
    const waiting = main.call(queue, "take")
    const cancelled = () => worker.cancel(worker.call(queue, "addProducer"))
    assert.strictEqual(cancelled(), "compensated")
    assert.isTrue(main.waits(waiting))
    // The place of a lost one is empty again.
    const [dying, left] = [harness.open(), add(main, queue)]
    add(dying, queue)
    dying.end()
    cancelled()
    main.get(queue, "endProducer", [left, 0])
    assert.strictEqual(main.answer(waiting), "ProducerLost")
  })

  it("are over when the queue is closed, lost or not", () => {
    const { harness, main, queue } = setUp()
    const worker = harness.open()
    add(worker, queue)
    main.get(queue, "close")
    worker.end()
    assert.strictEqual(main.get(queue, "take"), "QueueClosed")
    const replayed = harness.replay(() => true)
    assert.deepStrictEqual([replayed.hash, replayed.outputs], [harness.hash, harness.outputs])
  })
})
