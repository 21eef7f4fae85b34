/** Sessions that survive their links (S-6, S-7). */
import { assert, describe, it } from "@effect/vitest"
import { EngineHarness, handleOf, texts, value } from "../../support/EngineHarness.ts"

const grace = { milliseconds: 5_000, secretHash: "hash" }

/** A client with a grace, one without, and a lock that the first one holds. */
const setUp = () => {
  const harness = new EngineHarness()
  const [client, other] = [harness.open(grace), harness.open()]
  const lock = other.make("Lock", "lock")
  const token = Number(client.get(lock, "acquire")[0])
  return { harness, client, other, lock, token, session: harness.engine.state.sessions.get(client.session)! }
}

describe("a session whose link is lost", () => {
  it("ends at once if it has no grace", () => {
    const { client, harness, lock, other } = setUp()
    other.unlink()
    assert.isFalse(harness.engine.state.sessions.has(other.session))
    assert.deepStrictEqual(client.get(lock, "isHeld"), [1])
  })

  it("keeps what it holds until its grace is over, and not longer", () => {
    const { client, harness, lock, other } = setUp()
    harness.time(1_000)
    client.unlink()
    const waiting = other.call(lock, "acquire")
    assert.strictEqual(harness.engine.nextDeadline, 6_000)
    harness.time(5_999)
    assert.isTrue(other.waits(waiting))
    harness.time(6_000)
    assert.strictEqual(other.answer(waiting)[1], 1, "the next holder learns that the lock was abandoned")
    assert.isFalse(harness.engine.state.sessions.has(client.session))
    assert.isUndefined(harness.engine.nextDeadline)
  })

  it("does not get a longer grace by being lost again", () => {
    const { client, harness } = setUp()
    client.unlink()
    harness.time(3_000)
    client.unlink()
    assert.strictEqual(harness.engine.nextDeadline, 5_000)
  })

  it("goes on with a new link, and has its whole grace again", () => {
    const { client, harness, lock, other, token } = setUp()
    const waiting = other.call(lock, "acquire")
    client.unlink()
    harness.time(4_999)
    client.link()
    harness.time(60_000)
    assert.isTrue(other.waits(waiting))
    client.unlink()
    assert.strictEqual(harness.engine.nextDeadline, 65_000)
    client.link()
    assert.deepStrictEqual(client.get(lock, "release", [token]), [])
    assert.isFalse(other.waits(waiting))
  })

  it("is told of nothing by subscriptions, which its client makes again", () => {
    const { client, harness, other } = setUp()
    const ref = other.make("Ref", "ref", { value: "integer" }, value(0))
    client.congestion(true)
    client.watch(ref, 9)
    client.unlink()
    assert.strictEqual(harness.object(ref).watchers.size, 0)
    client.link()
    const watch = client.watch(ref, 9)
    other.get(ref, "set", ["value", value(1)])
    assert.strictEqual(client.events(watch).length, 1)
  })

  it("ends when the replies that it cannot get have more bytes than may be in flight", () => {
    const harness = new EngineHarness({ inFlightBytesMax: 2_000 })
    const [client, other] = [harness.open(grace), harness.open()]
    const queue = other.make("Queue", "queue", { capacity: 9, attempts: 2 })
    for (let i = 0; i < 9; i++) client.call(queue, "take")
    client.unlink()
    const large = { text: JSON.stringify("x".repeat(500)), handles: [] }
    other.call(queue, "offer", [large])
    assert.strictEqual(harness.engine.nextDeadline, 5_000)
    for (let i = 0; i < 4; i++) other.call(queue, "offer", [large])
    assert.strictEqual(harness.engine.nextDeadline, 0)
    harness.time(0)
    assert.isFalse(harness.engine.state.sessions.has(client.session))
    assert.strictEqual(Number(other.get(queue, "size")[0]), 5, "what it was given is back")
  })

  it("can be ended by hand", () => {
    const { client, harness, other } = setUp()
    client.unlink()
    assert.deepStrictEqual(other.get(0, "endSession", [client.session]), [1])
    harness.time(0)
    assert.deepStrictEqual(other.get(0, "endSession", [client.session]), [0])
  })

  it("is saved and loaded, with its deadline and the fates of its cancelled requests", () => {
    const { client, harness, lock } = setUp()
    client.cancel(client.call(lock, "acquire"))
    client.unlink()
    const loaded = harness.reload(harness.engine)
    assert.strictEqual(loaded.nextDeadline, 5_000)
    assert.strictEqual(loaded.state.sessions.get(client.session)!.fates.size, 1)
  })
})

describe("a request that is sent again over a new link", () => {
  const resumed = () => {
    const all = setUp()
    const ref = all.client.make("Ref", "ref", { value: "integer" }, value(0))
    /** Loses the link after a call, gets a new one, makes a change between both, and sends the call again. */
    const again = (sequence: number) => {
      all.client.unlink()
      all.other.get(ref, "add", ["value", 1])
      all.client.link()
      return all.client.resend(sequence)
    }
    return { ...all, again, ref }
  }

  it("has taken effect once, if it was a change: its reply is the same", () => {
    const { again, client, harness, ref } = resumed()
    const add = client.call(ref, "add", ["value", 10])
    const [told] = [harness.outputs.at(-1)!]
    assert.deepStrictEqual(again(add), [told])
    assert.deepStrictEqual(texts(client.get(ref, "get", ["value"]))[0], "11")
  })

  it("takes effect if the manager never got it", () => {
    const { client, harness, ref } = resumed()
    client.unlink()
    client.link()
    const before = harness.engine.state.index
    client.call(ref, "add", ["value", 10])
    assert.strictEqual(harness.engine.state.index, before + 1)
  })

  it("is refused again, if it was refused, also when it would not be refused any more", () => {
    const { again, client, harness, lock, other, token } = resumed()
    const refused = client.call(lock, "release", [token + 99])
    const [told] = [harness.outputs.at(-1)!]
    assert.deepStrictEqual(again(refused), [told])
    const queue = other.make("Queue", "queue", { capacity: 1, attempts: 1 })
    other.get(queue, "close")
    const offer = client.call(queue, "offer", [value(1)])
    assert.strictEqual(client.outcome(offer)?._tag, "Failure")
    const refusal = harness.outputs.at(-1)!
    assert.deepStrictEqual(again(offer), [refusal])
  })

  it("changes nothing, if it changed nothing, also when it would by now", () => {
    const { again, client, harness, lock, other, token } = resumed()
    const tried = other.call(lock, "tryAcquire")
    assert.deepStrictEqual(other.answer(tried), [])
    const mine = client.call(lock, "isHeld")
    const second = harness.open(grace)
    const failed = second.call(lock, "tryAcquire")
    second.unlink()
    client.get(lock, "release", [token])
    second.link()
    const [reply] = second.resend(failed)
    assert.deepStrictEqual(reply?._tag === "Reply" && reply.outcome, { _tag: "Success", reply: [] })
    assert.deepStrictEqual(client.get(lock, "isHeld"), [0])
    assert.strictEqual(again(mine).length, 1)
  })

  it("reads what is there by now, if it was a read", () => {
    const { again, client, ref } = resumed()
    const get = client.call(ref, "get", ["value"])
    const [reply] = again(get)
    assert.deepStrictEqual(
      reply?._tag === "Reply" && reply.outcome._tag === "Success" && texts(reply.outcome.reply)[0],
      "1"
    )
  })

  it("releases once, also when it had overtaken others", () => {
    const { client, harness, lock, other, token } = resumed()
    const waiting = other.call(lock, "acquire")
    const release = client.call(lock, "release", [token])
    const told = harness.outputs.findLast((output) => output.session === client.session)!
    const next = Number(other.answer(waiting)[0])
    client.unlink()
    client.link()
    assert.deepStrictEqual(client.resend(release), [told])
    assert.deepStrictEqual(other.get(lock, "release", [next]), [])
  })

  it("keeps its place, if it waits", () => {
    const { again, client, lock, other, token } = resumed()
    const waiting = client.call(lock, "acquire")
    const later = other.call(lock, "acquire")
    assert.deepStrictEqual(again(waiting), [{ _tag: "Parked", session: client.session, sequence: waiting }])
    client.call(lock, "release", [token])
    assert.isFalse(client.waits(waiting))
    assert.isTrue(other.waits(later))
  })

  it("is replied to once over that link, if it is a read that has waited and goes on before it is sent again (I3)", () => {
    const { client, other, ref } = resumed()
    const waiting = client.call(ref, "untilChanged", ["value", 0])
    assert.isTrue(client.waits(waiting))
    client.unlink()
    client.link()
    other.get(ref, "add", ["value", 1])
    assert.isFalse(client.waits(waiting))
    assert.deepStrictEqual(client.resend(waiting), [])
    client.unlink()
    client.link()
    assert.strictEqual(client.resend(waiting).length, 1)
  })

  it("is told, after its reply, that what it was granted is revoked", () => {
    const { client, harness, other } = resumed()
    const second = other.make("Lock", "second")
    const acquire = client.call(second, "acquire")
    const reply = harness.outputs.at(-1)!
    client.unlink()
    other.get(0, "delete", [second])
    client.link()
    const grant = Number(client.answer(acquire)[0])
    assert.deepStrictEqual(client.resend(acquire), [reply, { _tag: "Revoked", session: client.session, grant }])
  })

  it("is forgotten when the client acknowledges it", () => {
    const { client, ref, session } = resumed()
    const first = client.call(ref, "add", ["value", 1])
    client.cancel(client.call(ref, "add", ["value", 1]))
    client.acknowledge(0, Number.MAX_SAFE_INTEGER)
    assert.deepStrictEqual([session.answered.size, session.fates.size], [0, 0])
    client.link()
    assert.deepStrictEqual(client.resend(first), [])
  })

  it("has the fate that its cancel had", () => {
    const { client, lock, other, session } = resumed()
    const waiting = client.call(lock, "acquire")
    const second = other.make("Lock", "second")
    const held = client.call(second, "acquire")
    assert.deepStrictEqual([client.cancel(waiting), client.cancel(held)], ["withdrawn", "compensated"])
    client.unlink()
    client.link()
    assert.deepStrictEqual([client.cancel(waiting), client.cancel(held)], ["withdrawn", "compensated"])
    assert.deepStrictEqual(client.resend(waiting, held), [])
    assert.deepStrictEqual(other.get(second, "isHeld"), [0])
    client.acknowledge(waiting)
    client.acknowledge(held)
    assert.strictEqual(session.fates.size, 0)
  })
})

describe("after a link was lost a client tells", () => {
  it("which holds it has, and is told which are not current", () => {
    const { client, lock, other, token } = setUp()
    const second = other.make("Lock", "second")
    const lost = Number(client.get(second, "acquire")[0])
    client.unlink()
    other.get(0, "delete", [second])
    client.link()
    assert.deepStrictEqual(client.holds(token, lost, 9_999), [lost, 9_999])
    assert.deepStrictEqual(client.get(lock, "isHeld"), [1])
  })

  it("which handles it has: those that were lost on the way are dropped, whatever the manager counts", () => {
    const { client, harness, other, session } = setUp()
    const ref = other.make("Ref", "ref", { value: "" }, value(0))
    const [first, second] = [other.make("Queue", null, queue), other.make("Queue", null, queue)]
    other.get(ref, "set", ["value", handleOf(first, second)])
    client.acknowledge(client.call(ref, "get", ["value"]))
    client.acknowledge(client.call(ref, "get", ["value"]))
    client.unlink()
    client.link()
    assert.deepStrictEqual([session.imports.get(first), session.imports.get(second)], [2, 2])
    client.imports([[first, 1]])
    assert.deepStrictEqual([session.imports.get(first), session.imports.get(second)], [1, undefined])
    client.imports([[first, 5]])
    assert.strictEqual(session.imports.get(first), 1, "it has at most what it was given")
    other.get(ref, "set", ["value", value(0)])
    other.drop(first)
    other.drop(second)
    assert.deepStrictEqual([harness.exists(first), harness.exists(second)], [true, false])
  })

  it("of a range of objects only, and handles in replies that it has not acknowledged count besides", () => {
    const { client, other, session } = setUp()
    const ref = other.make("Ref", "ref", { value: "" }, value(0))
    const [first, second] = [other.make("Queue", null, queue), other.make("Queue", null, queue)]
    other.get(ref, "set", ["value", handleOf(first, second)])
    const unread = client.call(ref, "get", ["value"])
    client.unlink()
    client.link()
    client.imports([])
    assert.deepStrictEqual([session.imports.get(first), session.imports.get(second)], [1, 1])
    client.acknowledge(unread)
    client.imports([], 0, first)
    assert.deepStrictEqual([session.imports.get(first), session.imports.get(second)], [undefined, 1])
  })
})

const queue = { capacity: 9, attempts: 1 }
