/** The relay of a realm's process: what a worker does not read stays in the leader, which counts it. */
import * as Relay from "#node/relay.ts"
import { type Link, Manager } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { until } from "../../support/Memory.ts"

const chunk = new Uint8Array(64 * 1024)

/** A link of which the other side reads nothing until it is told so. */
const unread = () => {
  let pending = 0
  let drained = () => {}
  const link: Link.Link = {
    send: (bytes) => pending += bytes.length,
    pendingBytes: () => pending,
    read: ({ onDrain }) =>
      Effect.callback(() => {
        drained = onDrain
      })
  }
  const readAll = () => {
    pending = 0
    drained()
  }
  return { link, pending: () => pending, readAll }
}

describe("a worker that does not read", () => {
  it.live("holds up its link to the leader, and goes on when it reads", () =>
    Effect.gen(function*() {
      const worker = unread()
      let sent = 0
      // As long as it is read it has more.
      const leader: Link.Link = {
        send: () => {},
        pendingBytes: () => 0,
        read: ({ onBytes }) =>
          Effect.forever(Effect.andThen(
            Effect.sync(() => {
              sent += chunk.length
              onBytes(chunk)
            }),
            Effect.yieldNow
          ))
      }
      yield* Effect.forkScoped(Effect.scoped(Relay.make(Effect.succeed(leader)).serve(worker.link)))
      for (let round = 0; round < 3; round++) {
        const before = sent
        yield* until("it is full", () => worker.pending() >= Relay.unreadBytesMax)
        yield* Effect.repeat(Effect.yieldNow, { times: 1_000 })
        assert.isAbove(sent, before)
        assert.isAtMost(worker.pending(), Relay.unreadBytesMax + 2 * chunk.length)
        worker.readAll()
      }
    }).pipe(Effect.scoped))

  it.live("of a leader in the same process holds its replies up, too", () =>
    Effect.gen(function*() {
      let pending = () => 0
      let drains = 0
      const serve = (link: Link.Link) =>
        Effect.suspend(() => {
          pending = link.pendingBytes
          for (let i = 0; i < 4; i++) link.send(new Uint8Array(100_000))
          return Effect.ignore(link.read({ onBytes: () => {}, onDrain: () => drains++ }))
        })
      const link = yield* Manager.openLocal({ serve })
      yield* until("it has sent", () => pending() > 0)
      assert.strictEqual(pending(), 400_000 - 64 * 1024)
      let read = 0
      yield* Effect.forkScoped(link.read({ onBytes: ({ length }) => void (read += length), onDrain: () => {} }))
      yield* until("all is read", () => read === 400_000)
      assert.deepStrictEqual([pending(), drains], [0, 1])
    }).pipe(Effect.scoped))
})
