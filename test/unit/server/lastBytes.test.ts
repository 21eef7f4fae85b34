/** A client that has left and does not read its last bytes. */
import { ClientWriter } from "#core/protocol/Message.ts"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Holdable } from "../../support/links.ts"
import * as Memory from "../../support/Memory.ts"
import * as raw from "../../support/raw.ts"

/** A manager of one session, whose client has said goodbye with replies unread. */
const left = Effect.gen(function*() {
  const memory = yield* Memory.make({ limits: { sessionsMax: 1 } })
  const held = new Holdable()
  const { client } = yield* memory.dial({ server: held.wrap })
  yield* raw.session(client)
  const { state } = memory.server.engine
  held.hold()
  const writer = new ClientWriter()
  writer.request(1, 0, 0, [], 0, ["Lock", "", "lock", 0], Infinity)
  client.send(writer.take())
  yield* Memory.until("a reply is pending", () => held.pendingBytes > 0)
  writer.goodbye()
  client.send(writer.take())
  yield* Memory.until("it has left", () => state.sessions.size === 0)
  return { memory, held }
})

it.effect("counts as a session until it has read them", () =>
  Effect.gen(function*() {
    const { held, memory } = yield* left
    assert.include((yield* Effect.flip(memory.connect())).message, "sessions")
    held.release()
    yield* memory.connect()
  }))

it.effect("counts as a session for a second at most, and then its link is closed", () =>
  Effect.gen(function*() {
    const { memory } = yield* left
    assert.include((yield* Effect.flip(memory.connect())).message, "sessions")
    yield* TestClock.adjust("1 second")
    yield* memory.connect()
  }))

it.effect("and that the server has ended keeps its link until it has said goodbye: the reason is in its last bytes", () =>
  Effect.gen(function*() {
    const memory = yield* Memory.make({ limits: { sessionsMax: 1 } })
    const { client } = yield* memory.dial()
    const read = yield* raw.frames(client)
    yield* raw.shakeHands(client, read)
    let ended = false
    yield* read.handOver(Infinity, { onFrame: () => true, onTurnEnd: () => {} }).pipe(
      Effect.ensuring(Effect.sync(() => ended = true)),
      Effect.ignore,
      Effect.forkScoped
    )
    const writer = new ClientWriter()
    for (const again of [1, 1]) writer.request(again, 0, 0, [], 0, ["Lock", "", "lock", 0], Infinity)
    client.send(writer.take())
    yield* Memory.until("the session has ended", () => memory.server.engine.state.sessions.size === 0)
    assert.include((yield* Effect.flip(memory.connect())).message, "sessions")
    assert.isFalse(ended)
    writer.goodbye()
    client.send(writer.take())
    yield* Memory.until("the link has ended", () => ended)
    yield* memory.connect()
  }))
