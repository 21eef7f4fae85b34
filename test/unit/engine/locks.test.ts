import { assert, describe, it } from "@effect/vitest"
import { EngineHarness, value } from "../../support/EngineHarness.ts"

const setUp = () => {
  const harness = new EngineHarness()
  const main = harness.open()
  const lock = main.make("Lock", "lock")
  const ref = main.make("Ref", "ref", { value: "integer" }, value(0))
  return { harness, main, lock, ref }
}

describe("the guard (S-21, I5)", () => {
  it("admits an operation while every hold in it is current, and refuses it from the release on", () => {
    const { lock, main, ref } = setUp()
    const token = Number(main.get(lock, "acquire")[0])
    assert.deepStrictEqual(main.get(ref, "add", ["value", 1], [token]), [1])
    main.get(lock, "release", [token])
    assert.strictEqual(main.get(ref, "add", ["value", 1], [token]), `FencedOut ${token}`)
    assert.strictEqual(main.get(ref, "get", ["value"], [token]), `FencedOut ${token}`)
  })

  it("refuses a hold of another session, a grant that is no hold, and a number that is nothing", () => {
    const { harness, lock, main, ref } = setUp()
    const queue = main.make("Queue", "queue", { capacity: 1, attempts: 1 })
    main.call(queue, "offer", [value(1)])
    const lease = Number(main.get(queue, "takeLease")[0])
    const token = Number(harness.open().get(lock, "acquire")[0])
    for (const id of [token, lease, 9_999]) {
      assert.strictEqual(main.get(ref, "add", ["value", 1], [id]), `FencedOut ${id}`)
    }
  })

  it("is checked again when a waiting call's turn comes", () => {
    const { lock, main, harness } = setUp()
    const queue = main.make("Queue", "queue", { capacity: 1, attempts: 1 })
    const token = Number(main.get(lock, "acquire")[0])
    main.call(queue, "offer", [value(1)])
    const waiting = main.call(queue, "offer", [value(2)], [token])
    main.get(lock, "release", [token])
    harness.open().call(queue, "take")
    assert.strictEqual(main.answer(waiting), `FencedOut ${token}`)
    assert.deepStrictEqual(main.get(queue, "size"), [0, 0])
  })

  it("never stands over acquire, release, or giving back", () => {
    const { lock, main } = setUp()
    const queue = main.make("Queue", "queue", { capacity: 2, attempts: 5 })
    main.call(queue, "offer", [value(1)])
    const stale = [9_999]
    const lease = Number(main.get(queue, "takeLease")[0])
    assert.deepStrictEqual(main.get(queue, "giveBack", [lease, 0, ""], stale), [])
    const token = Number(main.get(lock, "acquire", [], stale)[0])
    assert.deepStrictEqual(main.get(lock, "release", [token], stale), [])
  })
})

describe("a lock (S-20, I5)", () => {
  it("hands out tokens that grow", () => {
    const { harness, lock } = setUp()
    const tokens = Array.from({ length: 5 }, () => {
      const client = harness.open()
      const token = Number(client.get(lock, "acquire")[0])
      client.get(lock, "release", [token])
      return token
    })
    assert.deepStrictEqual(tokens, [...new Set(tokens)].sort((a, b) => a - b))
  })

  it("can only be released by the session that holds it (R-2)", () => {
    const { harness, lock, main } = setUp()
    const token = Number(main.get(lock, "acquire")[0])
    assert.strictEqual(harness.open().get(lock, "release", [token]), `NotHeld ${token}`)
    assert.deepStrictEqual(main.get(lock, "isHeld"), [1])
  })

  it("is not taken by tryAcquire while it is held, and then answers nothing", () => {
    const { harness, lock, main } = setUp()
    const other = harness.open()
    const token = Number(main.get(lock, "tryAcquire")[0])
    assert.deepStrictEqual(other.get(lock, "tryAcquire"), [])
    main.get(lock, "release", [token])
    assert.strictEqual(other.get(lock, "tryAcquire").length, 2)
  })

  it("tells the next holder that it was abandoned, and only that one (R-1)", () => {
    const { harness, lock, main } = setUp()
    const dying = harness.open()
    dying.call(lock, "acquire")
    dying.end()
    const [token, abandoned] = main.get(lock, "acquire") as ReadonlyArray<number>
    assert.strictEqual(abandoned, 1)
    main.get(lock, "release", [token!])
    assert.strictEqual(main.get(lock, "acquire")[1], 0)
  })

  it("stays abandoned until a holder has released it, whoever was granted it and gave it back in between", () => {
    const { harness, lock, main } = setUp()
    const dying = harness.open()
    dying.call(lock, "acquire")
    dying.end()
    const interrupted = main.call(lock, "acquire")
    main.cancel(interrupted)
    assert.strictEqual(main.get(lock, "acquire")[1], 1)
  })

  it("that is abandoned is not forgotten, though nobody has it open", () => {
    const { harness } = setUp()
    const dying = harness.open()
    const lock = dying.make("Lock", "gate")
    dying.call(lock, "acquire")
    dying.end()
    const next = harness.open()
    assert.strictEqual(next.get(next.make("Lock", "gate"), "acquire")[1], 1)
  })

  it("tells its holder when it is deleted", () => {
    const { harness, lock, main } = setUp()
    const holder = harness.open()
    const token = Number(holder.get(lock, "acquire")[0])
    main.get(0, "delete", [lock])
    const revoked = harness.outputs.filter(({ _tag }) => _tag === "Revoked")
    assert.deepStrictEqual(revoked, [{ _tag: "Revoked", session: holder.session, grant: token }])
  })
})
