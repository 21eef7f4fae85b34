import { assert, describe, it } from "@effect/vitest"
import { type Client, EngineHarness } from "../../support/EngineHarness.ts"

const setUp = () => {
  const harness = new EngineHarness()
  const main = harness.open()
  const condition = main.make("Condition", "condition")
  const acquire = (client: Client) => Number(client.get(condition, "acquire")[0])
  const release = (client: Client, token: number) => client.get(condition, "release", [token])
  /** A client that waits for a notification. */
  const sleeper = (client = harness.open()) => {
    const token = acquire(client)
    return { client, token, call: client.call(condition, "wait", [token]) }
  }
  /** Notifies, as somebody who holds the lock only for that. */
  const notify = (most: number, client = harness.open()) => {
    const token = acquire(client)
    const woken = client.get(condition, "notify", [token, most])
    release(client, token)
    return woken
  }
  return { harness, main, condition, acquire, release, sleeper, notify }
}

type Sleeper = ReturnType<ReturnType<typeof setUp>["sleeper"]>

/** The tokens of those who have woken up, and nothing for the others. */
const tokens = (...sleepers: ReadonlyArray<Sleeper>) =>
  sleepers.map(({ call, client }) => client.waits(call) ? undefined : Number(client.answer(call)[0]))

const awake = (...sleepers: ReadonlyArray<Sleeper>) => tokens(...sleepers).map((token) => token !== undefined)

describe("a wait (S-15)", () => {
  it("gives the lock up as it begins, and has it again under a new token when it ends", () => {
    const { condition, main, notify, sleeper } = setUp()
    const waiter = sleeper()
    assert.deepStrictEqual(main.get(condition, "isHeld"), [0])
    assert.deepStrictEqual(notify(1), [1])
    const [token] = tokens(waiter)
    assert.isAbove(token!, waiter.token)
    assert.strictEqual(waiter.client.get(condition, "release", [waiter.token]), `NotHeld ${waiter.token}`)
    assert.deepStrictEqual(waiter.client.get(condition, "release", [token!]), [])
  })

  it("needs the lock, and so does a notification; refused, they change nothing", () => {
    const { acquire, condition, harness, sleeper } = setUp()
    const waiter = sleeper()
    const [holder, other] = [harness.open(), harness.open()]
    const token = acquire(holder)
    for (const wrong of [0, token, waiter.token]) {
      assert.strictEqual(other.get(condition, "wait", [wrong]), `NotHeld ${wrong}`)
      assert.strictEqual(other.get(condition, "notify", [wrong, 1]), `NotHeld ${wrong}`)
    }
    assert.deepStrictEqual(holder.get(condition, "isHeld"), [1])
    assert.deepStrictEqual(awake(waiter), [false])
  })

  it("hears nothing of a notification that was made before it", () => {
    const { notify, sleeper } = setUp()
    assert.deepStrictEqual(notify(5), [0])
    assert.deepStrictEqual(awake(sleeper()), [false])
  })

  it("goes on only when the notifier has released", () => {
    const { acquire, condition, harness, release, sleeper } = setUp()
    const waiter = sleeper()
    const notifier = harness.open()
    const token = acquire(notifier)
    notifier.get(condition, "notify", [token, 1])
    assert.deepStrictEqual(awake(waiter), [false])
    release(notifier, token)
    assert.deepStrictEqual(awake(waiter), [true])
  })

  it("refuses what is called under its old hold meanwhile (S-21)", () => {
    const { condition, sleeper } = setUp()
    const { client, token } = sleeper()
    assert.strictEqual(client.get(condition, "isHeld", [], [token]), `FencedOut ${token}`)
  })

  it("tells that the lock was abandoned in the meantime (R-1)", () => {
    const { acquire, condition, harness, sleeper } = setUp()
    const waiter = sleeper()
    const dying = harness.open()
    dying.get(condition, "notify", [acquire(dying), 1])
    dying.end()
    assert.strictEqual(waiter.client.answer(waiter.call)[1], 1)
  })

  it("is a release in good order itself: what was abandoned is not any more", () => {
    const { condition, harness, main, sleeper } = setUp()
    const dying = harness.open()
    dying.call(condition, "acquire")
    dying.end()
    sleeper()
    assert.strictEqual(main.get(condition, "acquire")[1], 0)
  })
})

describe("a notification (S-15)", () => {
  it("wakes so many, who have waited longest, and they have the lock one after the other", () => {
    const { notify, release, sleeper } = setUp()
    const sleepers = [sleeper(), sleeper(), sleeper()] as const
    assert.deepStrictEqual(notify(2), [2])
    assert.deepStrictEqual(awake(...sleepers), [true, false, false])
    release(sleepers[0].client, tokens(sleepers[0])[0]!)
    assert.deepStrictEqual(awake(...sleepers), [true, true, false])
    release(sleepers[1].client, tokens(sleepers[1])[0]!)
    assert.deepStrictEqual(awake(...sleepers), [true, true, false])
    assert.deepStrictEqual(notify(2), [1])
    assert.deepStrictEqual(awake(...sleepers), [true, true, true])
  })

  it("puts whom it wakes behind those who want the lock already, before those who come later", () => {
    const { acquire, condition, harness, release, sleeper } = setUp()
    const waiter = sleeper()
    const [notifier, earlier, later] = [harness.open(), harness.open(), harness.open()]
    const token = acquire(notifier)
    const first = earlier.call(condition, "acquire")
    notifier.get(condition, "notify", [token, 1])
    const last = later.call(condition, "acquire")
    release(notifier, token)
    assert.deepStrictEqual([earlier.waits(first), ...awake(waiter), later.waits(last)], [false, false, true])
    release(earlier, Number(earlier.answer(first)[0]))
    assert.deepStrictEqual([...awake(waiter), later.waits(last)], [true, true])
  })

  it("is not used up by a waiter that is cancelled or dies before it has the lock (F-8.2.5)", () => {
    for (const way of ["cancel", "die"] as const) {
      const { acquire, condition, harness, release, sleeper } = setUp()
      const [gone, next] = [sleeper(), sleeper()]
      const notifier = harness.open()
      const token = acquire(notifier)
      notifier.get(condition, "notify", [token, 1])
      if (way === "cancel") assert.strictEqual(gone.client.cancel(gone.call), "withdrawn")
      else gone.client.end()
      assert.deepStrictEqual(awake(next), [false])
      release(notifier, token)
      assert.deepStrictEqual(awake(next), [true], way)
    }
  })

  it("is not used up by a waiter that is cancelled before it knows that it has the lock", () => {
    const { notify, sleeper } = setUp()
    const [gone, next] = [sleeper(), sleeper()]
    notify(1)
    assert.deepStrictEqual(awake(gone, next), [true, false])
    assert.strictEqual(gone.client.cancel(gone.call), "compensated")
    assert.deepStrictEqual(awake(next), [true])
  })

  it("passes on when who was woken declines it, and keeps the lock", () => {
    const { condition, notify, release, sleeper } = setUp()
    const [woken, next] = [sleeper(), sleeper()]
    notify(1)
    const [token] = tokens(woken)
    assert.deepStrictEqual(woken.client.get(condition, "decline", [token!]), [])
    assert.deepStrictEqual(woken.client.get(condition, "decline", [token!]), [])
    assert.deepStrictEqual(awake(next), [false])
    release(woken.client, token!)
    assert.deepStrictEqual(awake(next), [true])
    release(next.client, tokens(next)[0]!)
    assert.strictEqual(woken.client.get(condition, "decline", [token!]), `NotHeld ${token}`)
  })

  it("passes on when who was woken dies before it has released, with the lock abandoned", () => {
    const { notify, sleeper } = setUp()
    const [gone, next] = [sleeper(), sleeper()]
    notify(1)
    gone.client.end()
    assert.deepStrictEqual(awake(next), [true])
    assert.strictEqual(next.client.answer(next.call)[1], 1)
  })

  it("is used up once who was woken has given the lock up itself", () => {
    for (const way of ["release", "wait"] as const) {
      const { condition, notify, sleeper } = setUp()
      const [woken, next] = [sleeper(), sleeper()]
      notify(1)
      woken.client.call(condition, way, [tokens(woken)[0]!])
      woken.client.end()
      assert.deepStrictEqual(awake(next), [false], way)
    }
  })

  it("goes to nobody who began to wait after it", () => {
    const { acquire, condition, harness, sleeper } = setUp()
    const gone = sleeper()
    const notifier = harness.open()
    const token = acquire(notifier)
    notifier.get(condition, "notify", [token, 9])
    const late = { client: notifier, token, call: notifier.call(condition, "wait", [token]) }
    gone.client.end()
    assert.deepStrictEqual(awake(late), [false])
  })

  it("reaches everybody it can when several waits of one session end together", () => {
    const { acquire, condition, harness, release, sleeper } = setUp()
    const dying = harness.open()
    sleeper(dying)
    sleeper(dying)
    sleeper(dying)
    const early = sleeper()
    const [first, late, second] = [harness.open(), harness.open(), harness.open()]
    const token = acquire(first)
    const lates = late.call(condition, "acquire")
    const seconds = second.call(condition, "acquire")
    first.get(condition, "notify", [token, 1])
    release(first, token)
    // Begins to wait after the first notification and before the second.
    const waiter = { client: late, token, call: late.call(condition, "wait", [Number(late.answer(lates)[0])]) }
    const held = Number(second.answer(seconds)[0])
    second.get(condition, "notify", [held, 1])
    dying.end()
    release(second, held)
    release(early.client, tokens(early)[0]!)
    assert.deepStrictEqual(awake(early, waiter), [true, true])
  })
})

describe("a condition", () => {
  it("that somebody waits at is not forgotten, and is once nobody does", () => {
    const { condition, harness, main, sleeper } = setUp()
    const waiter = sleeper()
    waiter.client.make("Condition", "condition")
    main.end()
    assert.isTrue(harness.exists(condition))
    waiter.client.end()
    assert.isFalse(harness.exists(condition))
  })

  it("that is deleted fails those who wait", () => {
    const { condition, main, sleeper } = setUp()
    const waiter = sleeper()
    main.get(0, "delete", [condition])
    assert.strictEqual(waiter.client.answer(waiter.call), "ObjectDeleted")
  })
})
