import type { RequestInput } from "#core/engine/Inputs.ts"
import { assert, describe, it } from "@effect/vitest"
import { EngineHarness, texts, value } from "../../support/EngineHarness.ts"

describe("cancel (S-10)", () => {
  it("withdraws a waiting call: it takes an index and never takes effect", () => {
    const harness = new EngineHarness()
    const [main, other] = [harness.open(), harness.open()]
    const queue = main.make("Queue", "queue", { capacity: 1, attempts: 1 })
    const take = other.call(queue, "take")
    const before = harness.engine.state.index
    assert.strictEqual(other.cancel(take), "withdrawn")
    assert.strictEqual(harness.engine.state.index, before + 1)
    assert.strictEqual(harness.journal.at(-1)!.cause, "withdrawn")
    main.call(queue, "offer", [value(1)])
    assert.deepStrictEqual(main.get(queue, "size"), [1, 0])
  })

  it("compensates a grant that nobody received, by a change of its own", () => {
    const harness = new EngineHarness()
    const client = harness.open()
    const queue = client.make("Queue", "queue", { capacity: 1, attempts: 1 })
    const lock = client.make("Lock", "lock")
    client.call(queue, "offer", [value(1)])
    for (const [object, operation] of [[queue, "take"], [queue, "takeLease"], [lock, "acquire"]] as const) {
      assert.strictEqual(client.cancel(client.call(object, operation)), "compensated")
      assert.strictEqual(harness.journal.at(-1)!.cause, "revoked")
    }
    assert.deepStrictEqual(client.get(queue, "size"), [1, 0])
    assert.deepStrictEqual(client.get(lock, "isHeld"), [0])
  })

  it("lets stand what has committed otherwise, and what it does not know", () => {
    const harness = new EngineHarness()
    const client = harness.open()
    const ref = client.make("Ref", "ref", { value: "integer" }, value(0))
    const set = client.call(ref, "set", ["value", value(1)])
    const before = harness.engine.state.index
    assert.strictEqual(client.cancel(set), "stands")
    assert.strictEqual(client.cancel(9_999), "stands")
    assert.strictEqual(harness.engine.state.index, before)
    assert.deepStrictEqual(texts(client.get(ref, "get", ["value"]))[0], "1")
  })

  it("is idempotent: always answered, and without effect the second time", () => {
    const harness = new EngineHarness()
    const [holder, waiter] = [harness.open(), harness.open()]
    const lock = holder.make("Lock", "lock")
    const held = holder.call(lock, "acquire")
    const waiting = waiter.call(lock, "acquire")
    assert.deepStrictEqual([waiter.cancel(waiting), waiter.cancel(waiting)], ["withdrawn", "stands"])
    assert.deepStrictEqual([holder.cancel(held), holder.cancel(held)], ["compensated", "stands"])
    assert.deepStrictEqual(holder.get(lock, "isHeld"), [0])
  })

  it("undoes nothing that was settled before", () => {
    const harness = new EngineHarness()
    const client = harness.open()
    const lock = client.make("Lock", "lock")
    const held = client.call(lock, "acquire")
    const [token] = client.answer(held) as ReadonlyArray<number>
    client.get(lock, "release", [token!])
    client.call(lock, "acquire")
    assert.strictEqual(client.cancel(held), "stands")
    assert.deepStrictEqual(client.get(lock, "isHeld"), [1])
  })
})

describe("a sequence (S-7, I3)", () => {
  it("is used once: asked again over another link, it is answered with the remembered reply and changes nothing", () => {
    const harness = new EngineHarness()
    const client = harness.open()
    const ref = client.make("Ref", "ref", { value: "integer" }, value(0))
    const add = client.call(ref, "add", ["value", 1])
    const request = harness.inputs.at(-1)!
    client.link()
    assert.deepStrictEqual(harness.again(request), [harness.outputs.at(-1)!])
    assert.deepStrictEqual(harness.again(request), [], "over one link it is told once")
    client.acknowledge(add)
    client.link()
    assert.deepStrictEqual(harness.again(request), [], "what was acknowledged is forgotten")
    assert.deepStrictEqual(texts(client.get(ref, "get", ["value"]))[0], "1")
  })

  it("is told that it waits when it waits and is asked again, and has its place once", () => {
    const harness = new EngineHarness()
    const client = harness.open()
    const queue = client.make("Queue", "queue", { capacity: 1, attempts: 1 })
    const sequence = client.call(queue, "take")
    const parked = { _tag: "Parked", session: client.session, sequence } as const
    assert.deepStrictEqual(harness.again(harness.inputs.at(-1)!), [parked])
    assert.strictEqual(harness.object(queue).waiting, 1)
  })
})

describe("acknowledgement (S-8)", () => {
  it("forgets the replies of a range, however large, and no waiting call", () => {
    const harness = new EngineHarness()
    const client = harness.open()
    const ref = client.make("Ref", "ref", { value: "integer" }, value(0))
    const queue = client.make("Queue", "queue", { capacity: 1, attempts: 1 })
    const waiting = client.call(queue, "take")
    for (let i = 0; i < 10; i++) client.call(ref, "add", ["value", 1])
    client.acknowledge(0, Number.MAX_SAFE_INTEGER)
    const { answered, parked } = harness.engine.state.sessions.get(client.session)!
    assert.deepStrictEqual([answered.size, [...parked.keys()]], [0, [waiting]])
  })

  it("is selective: what lies outside of the range stays, and an empty range is no error", () => {
    const harness = new EngineHarness()
    const client = harness.open()
    const ref = client.make("Ref", "ref", { value: "integer" }, value(0))
    client.acknowledge(0, 100)
    const [first, , third] = [1, 2, 3].map(() => client.call(ref, "add", ["value", 1]))
    client.acknowledge(first! + 1, third! - 1)
    client.acknowledge(third!, first!)
    const { answered } = harness.engine.state.sessions.get(client.session)!
    assert.deepStrictEqual(answered.values().map(({ sequence }) => sequence), [first, third])
  })
})

describe("the end of a session (S-11)", () => {
  it("is one step: what waits is withdrawn, what is held passes on, then the lanes are served", () => {
    const harness = new EngineHarness()
    const [dying, next] = [harness.open(), harness.open()]
    const lock = next.make("Lock", "lock")
    const queue = next.make("Queue", "queue", { capacity: 9, attempts: 5 })
    for (const item of [1, 2, 3]) next.call(queue, "offer", [value(item)])
    dying.call(lock, "acquire")
    dying.call(queue, "take")
    dying.call(queue, "takeLease")
    const waiting = next.call(lock, "acquire")
    const index = harness.engine.state.index
    dying.call(lock, "acquire")
    dying.end()
    const causes = harness.journal.slice(index).map(({ cause, operation }) => `${cause} ${operation}`.trim())
    assert.deepStrictEqual(causes, ["ended", "request acquire"])
    assert.deepStrictEqual(next.answer(waiting), [index + 2, 1], "the next holder learns that it was abandoned (R-1)")
    assert.deepStrictEqual([1, 2, 3].map(() => texts(next.get(queue, "take"))[0]), ["1", "2", "3"])
  })

  it("passes its holds on in the order in which it got them", () => {
    const harness = new EngineHarness()
    const [dying, next] = [harness.open(), harness.open()]
    const locks = [3, 1, 2].map((n) => next.make("Lock", `lock ${n}`))
    for (const lock of locks) dying.call(lock, "acquire")
    const waiting = locks.toReversed().map((lock) => next.call(lock, "acquire")).reverse()
    dying.end()
    const tokens = waiting.map((sequence) => Number(next.answer(sequence)[0]))
    assert.deepStrictEqual(tokens, [...tokens].sort((a, b) => a - b))
  })

  it("leaves nothing of what the session sent later", () => {
    const harness = new EngineHarness()
    const [main, dead] = [harness.open(), harness.open()]
    const ref = main.make("Ref", "ref", { value: "integer" }, value(0))
    dead.end()
    const before = harness.hash
    dead.call(ref, "set", ["value", value(1)])
    dead.watch(ref, 1)
    dead.cancel(1)
    dead.acknowledge(0, 10)
    dead.drop(ref)
    dead.end()
    assert.strictEqual(harness.hash, before)
  })
})

describe("a request passes the limits of its session (S-8)", () => {
  const setUp = () => {
    const harness = new EngineHarness()
    const [client, other] = [harness.open(), harness.open()]
    const condition = client.make("Condition", undefined)
    const token = Number(client.get(condition, "acquire")[0])
    const operations = Object.keys(harness.object(condition).kind.operations)
    const requestOf = (session: number, operation: string, tokens: ReadonlyArray<number>): RequestInput => ({
      _tag: "Request",
      session,
      sequence: 99,
      guard: [],
      stalls: 0,
      calls: tokens.map((token) => ({ object: condition, operation: operations.indexOf(operation), args: [token] }))
    })
    const settles = (operation: string, token: number) =>
      harness.engine.settles(requestOf(client.session, operation, [token]))
    const passes = ({ session }: { readonly session: number }, operation: string, ...tokens: ReadonlyArray<number>) =>
      harness.engine.settlesNow(requestOf(session, operation, tokens))
    return { client, condition, harness, other, passes, settles, token }
  }

  it("when it gives back what its session has", () => {
    const { client, passes, token } = setUp()
    assert.isTrue(passes(client, "release", token))
  })

  it("when it gives back what has ended, or what has gone", () => {
    const { client, condition, settles, token } = setUp()
    assert.isTrue(settles("release", token + 1))
    assert.isFalse(settles("acquire", token))
    client.get(condition, "release", [token])
    client.drop(condition)
    assert.isTrue(settles("acquire", token))
  })

  it("without a bound only when it gives back something", () => {
    const { client, other, passes, token } = setUp()
    assert.isFalse(passes(client, "release", token + 1))
    assert.isFalse(passes(other, "release", token), "what another session has")
    assert.isFalse(passes(client, "decline", token), "there is no notification to decline")
    assert.isFalse(passes(client, "acquire", token))
    assert.isFalse(passes(client, "release"), "a request without a call")
    assert.isFalse(passes({ session: 9_999 }, "release", token), "no session")
  })
})
