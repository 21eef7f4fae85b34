/** A session by hand: the ways in which it ends, and frames that are malformed or cannot be sent. */
import { queue as queueKind } from "#core/engine/kinds/queue.ts"
import { cell } from "#core/engine/Value.ts"
import { headerBytes } from "#core/protocol/Frame.ts"
import { ClientWriter } from "#core/protocol/Message.ts"
import * as Remote from "#core/proxy/Remote.ts"
import { Manager, SharedQueue } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema } from "effect"
import * as Memory from "../../support/Memory.ts"
import * as raw from "../../support/raw.ts"

/** A session that holds a lock. */
const holding = (limits: Memory.MemoryOptions["limits"] = {}) =>
  Effect.gen(function*() {
    const memory = yield* Memory.make({ limits })
    const { client } = yield* memory.dial()
    const said: Array<string> = []
    const { ended } = yield* raw.session(client, (message) => {
      if (message._tag === "Closing") said.push(message.reason)
    })
    const { state } = memory.server.engine
    const writer = new ClientWriter()
    writer.request(1, 0, 0, [], 0, ["Lock", "", "lock", 0], Infinity)
    writer.request(2, 1, 0, [], 0, [], Infinity)
    client.send(writer.take())
    yield* Memory.until("it holds the lock", () => state.counts.holders === 1)
    return { memory, client, writer, state, ended, said }
  })

describe("a session ends, its holds are released, and its client is told why, when", () => {
  const ends = (
    name: string,
    reasons: ReadonlyArray<string>,
    say: (writer: ClientWriter) => Uint8Array<ArrayBuffer>,
    limits?: Memory.MemoryOptions["limits"]
  ) =>
    it.live(`${name}`, () =>
      Effect.gen(function*() {
        const { client, ended, said, state, writer } = yield* holding(limits)
        client.send(say(writer))
        yield* Memory.until("the link is ended", ended)
        assert.deepStrictEqual(said, reasons)
        assert.strictEqual(state.sessions.size, 0)
        assert.strictEqual(state.counts.holders, 0)
      }))

  ends("it says goodbye", [], (writer) => {
    writer.goodbye()
    return writer.take()
  })
  ends(
    "it sends a message that is not of this protocol",
    ["the manager has ended this session: a frame arrived that is not of this protocol"],
    () => raw.frame(new Uint8Array([99]))
  )
  ends(
    "it announces a frame that is too large",
    ["the manager has ended this session: a frame of more than 1999 bytes arrived"],
    () => raw.frame(new Uint8Array(2_000)).subarray(0, 5),
    { frameBytesMax: 1_999 }
  )
})

it.live("no message of a frame has an effect if one of them is malformed", () =>
  Effect.gen(function*() {
    const { client, ended, memory, writer } = yield* holding()
    writer.request(3, 0, 0, [], 0, ["Map", "", "written by a broken frame", 0], Infinity)
    const frame = writer.take().subarray(headerBytes)
    client.send(raw.frame(Uint8Array.from([...frame, 99])))
    yield* Memory.until("the link is ended", ended)
    const { manager } = yield* memory.connect()
    assert.deepStrictEqual((yield* manager.inspect).objects.map(({ name }) => name), ["lock"])
  }))

it.live("an item that fits into no reply is refused to everyone that waits for it, in the turn of its offer", () =>
  Effect.gen(function*() {
    const frameBytesMax = 2_000
    const memory = yield* Memory.make({ limits: { frameBytesMax } })
    const { state } = memory.server.engine
    const { manager } = yield* memory.connect()
    const queue = yield* Effect.provideService(
      SharedQueue.make({ name: "jobs", item: Schema.String }),
      Manager.Manager,
      manager
    )
    const jobs = state.objects.get(state.names.get("jobs")!)!
    const operation = (name: keyof typeof queueKind.operations) => Object.keys(queueKind.operations).indexOf(name)
    const { client } = yield* memory.dial()
    yield* raw.session(client)
    // This client sends nothing when its call is refused. A message would be another turn of the event loop.
    const writer = new ClientWriter()
    writer.request(1, jobs.id, operation("takeLease"), [], 0, [], frameBytesMax)
    client.send(writer.take())
    yield* Memory.until("the first waits", () => jobs.waiting === 1)
    const second = yield* Effect.forkChild(Effect.flip(Effect.scoped(queue.takeLease)))
    yield* Memory.until("the second waits", () => jobs.waiting === 2)
    const fits = (length: number) =>
      writer.request(2, jobs.id, operation("offer"), [], 0, [cell(JSON.stringify("x".repeat(length)))], frameBytesMax)
    for (let length = frameBytesMax; !fits(length); length--);
    client.send(writer.take())
    assert.include((yield* Fiber.join(second)).message, "frameBytesMax")
    assert.strictEqual(state.counts.holders, 0)
    assert.strictEqual(jobs.state.items.length, 1)
  }))

it.live("messages before a goodbye in one frame still count", () =>
  Effect.gen(function*() {
    const { client, ended, memory, state, writer } = yield* holding()
    writer.request(3, 1, 2, [], 0, [2], Infinity)
    writer.goodbye()
    client.send(writer.take())
    yield* Memory.until("the link is ended", ended)
    assert.strictEqual(state.counts.holders, 0)
    const { manager } = yield* memory.connect()
    const opened = Remote.directory(manager.connection).call("open", ["Lock", "", "lock", 0], ([, created]) =>
      Exit.succeed(created))
    assert.strictEqual(yield* opened, 1, "it was released in good order, and then forgotten")
  }).pipe(Effect.provide(Manager.layerCrypto)))
