import { assert, describe, it } from "@effect/vitest"
import { type Client, EngineHarness } from "../../support/EngineHarness.ts"

const setUp = (permits = 3) => {
  const harness = new EngineHarness()
  const main = harness.open()
  const semaphore = main.make("Semaphore", "semaphore", { permits })
  const take = (client: Client, n: number) => client.call(semaphore, "acquire", [n])
  return { harness, main, semaphore, take }
}

describe("a semaphore", () => {
  it("has as many permits as are free and held (I2)", () => {
    const { main, semaphore } = setUp()
    const token = Number(main.get(semaphore, "acquire", [2])[0])
    assert.deepStrictEqual(main.get(semaphore, "available"), [1])
    main.get(semaphore, "release", [token])
    assert.deepStrictEqual(main.get(semaphore, "available"), [3])
  })

  it("does not let a small request overtake a large one, whether it waits or not (S-13)", () => {
    const { harness, main, semaphore, take } = setUp()
    const [large, small] = [harness.open(), harness.open()]
    const token = Number(main.get(semaphore, "acquire", [1])[0])
    const three = take(large, 3)
    const one = take(small, 1)
    assert.deepStrictEqual(small.get(semaphore, "tryAcquire", [1]), [])
    assert.deepStrictEqual([large.waits(three), small.waits(one)], [true, true])
    main.get(semaphore, "release", [token])
    assert.deepStrictEqual([large.waits(three), small.waits(one)], [false, true])
    large.end()
    assert.isFalse(small.waits(one))
  })

  it("goes on with the small request when the large one before it is gone", () => {
    const { harness, main, semaphore, take } = setUp()
    const [large, small] = [harness.open(), harness.open()]
    main.get(semaphore, "acquire", [1])
    const three = take(large, 3)
    const one = take(small, 1)
    assert.strictEqual(large.cancel(three), "withdrawn")
    assert.isFalse(small.waits(one))
  })

  it("refuses at once what it can never have, and who waits is no reason to wait for that", () => {
    const { harness, main, semaphore, take } = setUp()
    const [waiter, greedy] = [harness.open(), harness.open()]
    main.get(semaphore, "acquire", [3])
    take(waiter, 1)
    for (const operation of ["acquire", "tryAcquire"]) {
      assert.strictEqual(greedy.get(semaphore, operation, [4]), "TooManyPermits 3")
    }
  })

  it("serves several at a time when enough comes back", () => {
    const { harness, main, semaphore, take } = setUp()
    const token = Number(main.get(semaphore, "acquire", [3])[0])
    const waiters = [1, 1, 2].map((n) => {
      const client = harness.open()
      return [client, take(client, n)] as const
    })
    main.get(semaphore, "release", [token])
    assert.deepStrictEqual(waiters.map(([client, call]) => client.waits(call)), [false, false, true])
  })

  it("has the permits of a dead session back, and a dead waiter takes none (F-8.1.6, F-8.1.7)", () => {
    const { harness, main, semaphore, take } = setUp()
    const [holder, dead] = [harness.open(), harness.open()]
    holder.get(semaphore, "acquire", [2])
    holder.get(semaphore, "acquire", [1])
    take(dead, 3)
    dead.end()
    assert.deepStrictEqual(main.get(semaphore, "available"), [0])
    holder.end()
    assert.deepStrictEqual(main.get(semaphore, "available"), [3])
  })

  it("has the permits of a cancelled grant back, once", () => {
    const { main, semaphore, take } = setUp()
    const call = take(main, 2)
    assert.strictEqual(main.cancel(call), "compensated")
    assert.strictEqual(main.cancel(call), "stands")
    assert.deepStrictEqual(main.get(semaphore, "available"), [3])
  })

  it("takes permits back only from the session that holds them, once", () => {
    const { harness, main, semaphore } = setUp()
    const token = Number(main.get(semaphore, "acquire", [2])[0])
    assert.strictEqual(harness.open().get(semaphore, "release", [token]), `NotHeld ${token}`)
    main.get(semaphore, "release", [token])
    assert.strictEqual(main.get(semaphore, "release", [token]), `NotHeld ${token}`)
  })

  it("guards like a lock, while its hold is current (S-21)", () => {
    const { main, semaphore } = setUp()
    const token = Number(main.get(semaphore, "acquire", [1])[0])
    assert.deepStrictEqual(main.get(semaphore, "available", [], [token]), [2])
    main.get(semaphore, "release", [token])
    assert.strictEqual(main.get(semaphore, "available", [], [token]), `FencedOut ${token}`)
  })

  it("needs a permit, and a whole number of them", () => {
    const { main } = setUp()
    for (const permits of [0, 0.5, -1, Infinity]) {
      assert.throws(() => main.make("Semaphore", null, { permits }), /InvalidOptions permits must be/)
    }
  })
})
