/** The gate of a server (S-3): no frame leaves before its turn is committed, and all leave in their order. */
import { map as mapKind } from "#core/engine/kinds/record.ts"
import { cell } from "#core/engine/Value.ts"
import { ClientWriter } from "#core/protocol/Message.ts"
import { Gate } from "#core/server/Gate.ts"
import { Random } from "#core/testing/Random.ts"
import type { Link } from "#core/transport/Link.ts"
import { Manager, SharedMap, SharedRef } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Memory from "../../support/Memory.ts"

/** A commit policy that holds turns from `hold` on. */
class Holding {
  readonly held: Array<() => void> = []
  #holds = false

  readonly commit = (release: () => void): void => {
    if (this.#holds) this.held.push(release)
    else release()
  }

  hold(): void {
    this.#holds = true
  }

  /** Releases the held turns, and every later one at once. */
  release(): void {
    this.#holds = false
    for (const release of this.held) release()
  }
}

const setUp = (limits: Memory.MemoryOptions["limits"] = {}) =>
  Effect.gen(function*() {
    const holding = new Holding()
    const memory = yield* Memory.make({ commit: holding.commit, limits })
    const sent = { frames: 0 }
    const connect = Effect.map(
      memory.connect({
        server: (link) => ({
          ...link,
          send: (bytes) => {
            sent.frames++
            link.send(bytes)
          }
        })
      }),
      ({ manager }) => Effect.provideService(Manager.Manager, manager)
    )
    return { holding, memory, sent, connect, state: memory.server.engine.state }
  })

const number = { name: "number", schema: Schema.Int, initial: 0 }

describe("while a turn is held", () => {
  it.live("no reply, read or event leaves, though the engine goes on; released, they leave in order", () =>
    Effect.gen(function*() {
      const { connect, holding, sent, state } = yield* setUp()
      const written = yield* (yield* connect)(SharedRef.make(number))
      const watched = yield* (yield* connect)(SharedRef.make(number))
      const seen: Array<number> = []
      yield* Effect.forkChild(Stream.runForEach(watched.changes, (value) => Effect.sync(() => seen.push(value))))
      yield* Memory.until("it is watched", () => seen.length === 1)
      const { frames } = sent
      const { index } = state
      holding.hold()
      const set = yield* Effect.forkChild(written.set(1))
      yield* Memory.until("it is set", () => state.index === index + 1)
      const get = yield* Effect.forkChild(watched.get)
      yield* Memory.until("it is read", () => holding.held.length === 2)
      const increment = yield* Effect.forkChild(written.increment)
      yield* Memory.until("it is incremented", () => state.index === index + 2)
      // A later turn waits for the earlier ones.
      holding.held[2]!()
      holding.held[1]!()
      for (let i = 0; i < 20; i++) yield* Effect.yieldNow
      assert.strictEqual(sent.frames, frames)
      assert.deepStrictEqual([set, get, increment].map((fiber) => fiber.pollUnsafe()), [
        undefined,
        undefined,
        undefined
      ])
      holding.release()
      assert.deepStrictEqual([yield* Fiber.join(get), yield* Fiber.join(increment)], [1, 2])
      yield* Memory.until("every change is seen", () => seen.length === 3)
      assert.deepStrictEqual(seen, [0, 1, 2])
    }))

  it.live("its bytes count as pending: requests beyond outboundBytesMax are deferred, and run after the release", () =>
    Effect.gen(function*() {
      const { connect, holding } = yield* setUp({ outboundBytesMax: 1 })
      const ref = yield* (yield* connect)(SharedRef.make(number))
      holding.hold()
      const first = yield* Effect.forkChild(ref.get)
      yield* Memory.until("it is read", () => holding.held.length === 1)
      const others = yield* Effect.forEach([1, 2, 3, 4], () => Effect.forkChild(ref.get))
      for (let i = 0; i < 20; i++) yield* Effect.yieldNow
      assert.strictEqual(holding.held.length, 1)
      holding.release()
      assert.deepStrictEqual(yield* Effect.forEach([first, ...others], Fiber.join), [0, 0, 0, 0, 0])
    }))

  it.effect("a session that the server has ended hears why after its release, however late, before its link closes", () =>
    Effect.gen(function*() {
      const { holding, memory, state } = yield* setUp({ inFlightMax: 4 })
      let wire: Link | undefined
      const { manager } = yield* memory.connect({ client: (link) => wire = link })
      const options = { name: "map", key: Schema.Int, value: Schema.Int }
      const map = yield* Effect.provideService(SharedMap.make(options), Manager.Manager, manager)
      holding.hold()
      yield* Effect.forkChild(Effect.ignore(map.size))
      yield* Memory.until("an earlier turn is held", () => holding.held.length === 1)
      const writer = new ClientWriter()
      const set = Object.keys(mapKind.operations).indexOf("set")
      for (let i = 0; i < 20; i++) {
        writer.request(1_000 + i, state.names.get("map")!, set, [], 0, ["1", cell("1")], 1_000)
      }
      wire!.send(writer.take())
      yield* Memory.until("the session is gone", () => state.sessions.size === 0)
      holding.held[0]!()
      yield* TestClock.adjust("1 minute")
      holding.release()
      assert.include((yield* Effect.flip(map.size)).message, "more than 4 calls in flight (inFlightMax)")
    }))
})

it.prop("frames leave when their turn and all before are released, in order", [Schema.Int], ([seed]) => {
  const random = new Random(seed)
  const left: Array<number> = []
  const releases: Array<() => void> = []
  const gate = new Gate((release) => releases.push(release))
  const links = [0, 1].map(() =>
    gate.guard({ send: ([frame]) => left.push(frame!), pendingBytes: () => 0, read: () => Effect.never })
  )
  const turns: Array<{ readonly frames: ReadonlyArray<number>; isReleased: boolean }> = []
  let sent = 0
  for (let steps = 0; steps < 100; steps++) {
    if (random.chance(0.5)) {
      const frames = Array.from({ length: 1 + random.below(3) }, () => sent++)
      for (const frame of frames) random.pick(links)!.send(Uint8Array.of(frame))
      gate.endTurn()
      turns.push({ frames, isReleased: false })
    } else if (turns.length > 0) {
      const turn = random.below(turns.length)
      if (turns[turn]!.isReleased) continue
      turns[turn]!.isReleased = true
      releases[turn]!()
    }
    const held = turns.findIndex(({ isReleased }) => !isReleased)
    const released = held < 0 ? turns : turns.slice(0, held)
    assert.deepStrictEqual(left, released.flatMap(({ frames }) => frames))
    assert.strictEqual(links[0]!.pendingBytes() + links[1]!.pendingBytes(), sent - left.length)
  }
})

it.effect("a link reports its drain when the gate holds none of its bytes and none are pending", () =>
  Effect.gen(function*() {
    const releases: Array<() => void> = []
    const gate = new Gate((release) => releases.push(release))
    const given = { pendingBytes: 0, drains: 0, drain: () => {} }
    const link = gate.guard({
      send: () => {},
      pendingBytes: () => given.pendingBytes,
      read: ({ onDrain }) => {
        given.drain = onDrain
        return Effect.never
      }
    })
    yield* Effect.forkChild(link.read({ onBytes: () => {}, onDrain: () => given.drains++ }), { startImmediately: true })
    const send = () => {
      link.send(Uint8Array.of(1))
      gate.endTurn()
    }
    send()
    given.drain()
    assert.strictEqual(given.drains, 0, "the gate holds bytes")
    releases[0]!()
    assert.strictEqual(given.drains, 1)
    send()
    given.pendingBytes = 1
    releases[1]!()
    assert.strictEqual(given.drains, 1, "the link has bytes")
    given.pendingBytes = 0
    given.drain()
    assert.strictEqual(given.drains, 2)
  }))
