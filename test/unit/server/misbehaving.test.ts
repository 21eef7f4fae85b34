/** One client that breaks the protocol, or whose session breaks: it ends alone, and all others go on. */
import { lock as lockKind } from "#core/engine/kinds/lock.ts"
import { ClientWriter } from "#core/protocol/Message.ts"
import type { Link } from "#core/transport/Link.ts"
import { Manager, SharedLock } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Logger } from "effect"
import * as Memory from "../../support/Memory.ts"
import * as raw from "../../support/raw.ts"

const operation = (name: keyof typeof lockKind.operations) => Object.keys(lockKind.operations).indexOf(name)

/** A client that holds the lock "held" with a fiber that waits to release it. */
const holding = (memory: Memory.Memory) =>
  Effect.gen(function*() {
    const { manager } = yield* memory.connect()
    const lock = yield* Effect.provideService(SharedLock.make({ name: "held" }), Manager.Manager, manager)
    const held = yield* Deferred.make<void>()
    const over = yield* Deferred.make<void>()
    const body = Effect.andThen(Deferred.succeed(held, undefined), Deferred.await(over))
    const fiber = yield* Effect.forkChild(lock.withLock(body))
    yield* Deferred.await(held)
    /** Releases it, and gets it again. */
    const goOn = Effect.gen(function*() {
      yield* Deferred.succeed(over, undefined)
      yield* Fiber.join(fiber)
      return yield* lock.withLock(Effect.succeed("goes on"))
    })
    return { goOn }
  })

describe("a client that uses a sequence twice is ended alone, told why, and leaves nothing", () => {
  const ends = (name: string, again: (writer: ClientWriter, own: { object: number; token: number }) => void) =>
    it.live(name, () =>
      Effect.gen(function*() {
        const memory = yield* Memory.make()
        const { state } = memory.server.engine
        const { goOn } = yield* holding(memory)
        const { client } = yield* memory.dial()
        const said: Array<string> = []
        const { ended, session } = yield* raw.session(client, (message) => {
          if (message._tag === "Closing") said.push(message.reason)
        })
        const writer = new ClientWriter()
        writer.request(1, 0, 0, [], 0, ["Lock", "", "own", 0], Infinity)
        writer.request(2, state.nextObject, operation("acquire"), [], 0, [], Infinity)
        writer.request(3, state.names.get("held")!, operation("acquire"), [], 0, [], Infinity)
        client.send(writer.take())
        yield* Memory.until("it waits", () => state.counts.waiters === 1)
        const [token] = state.sessions.get(session)!.grants.keys()
        again(writer, { object: state.names.get("own")!, token: token! })
        client.send(writer.take())
        yield* Memory.until("the link is ended", ended)
        assert.deepStrictEqual(said, ["sequence 3 was used before"])
        assert.isFalse(state.sessions.has(session))
        assert.strictEqual(state.counts.waiters, 0)
        assert.strictEqual(yield* goOn, "goes on")
      }))

  ends("to give back, while the call of that sequence waits", (writer, { object, token }) => {
    writer.request(3, object, operation("release"), [], 0, [token], Infinity)
  })
  ends("for the same call", (writer) => writer.request(3, 1, operation("acquire"), [], 0, [], Infinity))
  ends("for a subscription", (writer) => writer.watch(3, 1, 1))
  ends("for a request of several calls", (writer, { object }) => {
    writer.joint(3, [], [1, object].map((object) => ({ object, operation: operation("isHeld"), args: [] })), Infinity)
  })
})

describe("a session that breaks ends alone, reports its defect once, and the manager goes on, when", () => {
  const breaks = (name: string, broken: (link: Link, isBroken: () => boolean) => Link) =>
    it.live(`${name} throws`, () => {
      const reports: Array<Cause.Cause<unknown>> = []
      return Effect.gen(function*() {
        const memory = yield* Memory.make()
        const { state } = memory.server.engine
        const { goOn } = yield* holding(memory)
        const defect = yield* Effect.forkChild(Effect.exit(memory.server.awaitDefect))
        let isBroken = false
        const { manager } = yield* memory.connect({ server: (link) => broken(link, () => isBroken) })
        isBroken = true
        const exit = yield* Effect.exit(manager.inspect)
        assert.isTrue(Exit.isFailure(exit))
        yield* Memory.until("its session is gone", () => state.sessions.size === 1)
        assert.strictEqual(yield* goOn, "goes on")
        assert.isUndefined(defect.pollUnsafe())
        assert.deepStrictEqual(reports.map((cause) => Cause.pretty(cause).includes("a bug of this session")), [true])
      }).pipe(Effect.provide(Logger.layer([Logger.make<unknown, void>(({ cause }) => void reports.push(cause))])))
    })

  const fail = () => {
    throw new Error("a bug of this session")
  }

  breaks("what sends", (link, isBroken) => ({ ...link, send: (bytes) => isBroken() ? fail() : link.send(bytes) }))
  breaks("what looks for pending bytes", (link, isBroken) => ({
    ...link,
    pendingBytes: () => isBroken() ? fail() : link.pendingBytes()
  }))
  breaks("what reads", (link, isBroken) => ({
    ...link,
    read: (reader) => link.read({ ...reader, onBytes: (bytes) => isBroken() ? fail() : reader.onBytes(bytes) })
  }))
})
