/** A peer that has not proved the key is a stranger: it gets no memory, no time and no secret. */
import * as Handshake from "#core/protocol/Handshake.ts"
import type { Link } from "#core/transport/Link.ts"
import * as MemoryLink from "#core/transport/MemoryLink.ts"
import { Manager } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted, type Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Memory from "../../support/Memory.ts"
import * as raw from "../../support/raw.ts"

const text = (text: string) => raw.frame(new TextEncoder().encode(text))

/** A link between a stranger and the server; `served` ends with it. */
const dial = (memory: Memory.Memory) =>
  Effect.gen(function*() {
    const pair = MemoryLink.makePair({ schedule: setImmediate })
    let reading = false
    const end: Link = {
      ...pair.server,
      read: (reader) =>
        Effect.suspend(() => {
          reading = true
          return Effect.ensuring(pair.server.read(reader), Effect.sync(() => reading = false))
        })
    }
    const served = yield* Effect.forkChild(Effect.scoped(memory.server.serve(end)))
    return { link: pair.client, served, reading: () => reading, read: yield* raw.frames(pair.client) }
  })

const nobodyIn = ({ server }: Memory.Memory) => assert.strictEqual(server.engine.state.sessions.size, 0)

describe("a stranger", () => {
  const refused = (
    name: string,
    lies: (memory: Memory.Memory) => Effect.Effect<raw.Lies, unknown, Scope.Scope>,
    reason: (typeof Handshake.Refused.Type)["reason"]
  ) =>
    it.live(`${name} is refused as ${reason}, and the link is over`, () =>
      Effect.gen(function*() {
        const memory = yield* Memory.make()
        const { link, read, reading, served } = yield* dial(memory)
        const verdict = yield* raw.shakeHands(link, read, yield* lies(memory))
        assert.deepStrictEqual(verdict, { _tag: "Refused", reason })
        yield* Fiber.join(served)
        assert.isFalse(reading(), "nobody reads a link that is not served any more")
        nobodyIn(memory)
      }))

  refused("with the wrong key", () => Effect.succeed({ key: Redacted.make("a guess") }), "WrongKey")
  refused("with another version", () => Effect.succeed({ version: Handshake.protocolVersion + 1 }), "WrongVersion")
  refused(
    "that has changed the name of another's response",
    () => Effect.succeed({ signed: { name: "a" } }),
    "WrongKey"
  )
  refused("that has changed the pid of another's response", () => Effect.succeed({ signed: { pid: 1 } }), "WrongKey")
  refused(
    "that has changed how long another may be silent",
    () => Effect.succeed({ silenceMs: 60_000, signed: { silenceMs: 1 } }),
    "WrongKey"
  )
  refused("that repeats a proof for another challenge", (memory) =>
    Effect.gen(function*() {
      const { read } = yield* dial(memory)
      const { nonce } = yield* Effect.flatMap(read.next, Handshake.read(Handshake.Challenge))
      return { nonce }
    }), "WrongKey")

  for (
    const [name, said] of Object.entries({
      "something that is no JSON": text("hello"),
      "JSON of something else": text(`{"version":1}`),
      "a nonce that is too short": text(
        JSON.stringify({
          version: Handshake.protocolVersion,
          nonce: "x",
          name: "",
          pid: 0,
          session: { _tag: "Begin" },
          proof: ""
        })
      ),
      "a secret that is too short": text(JSON.stringify({
        version: Handshake.protocolVersion,
        nonce: "n".repeat(32),
        name: "",
        pid: 0,
        session: { _tag: "Resume", instance: "", session: 1, secret: "", index: 0 },
        proof: ""
      })),
      "an empty frame": text("")
    })
  ) {
    it.live(`that sends ${name} is refused as Malformed, and the link is over`, () =>
      Effect.gen(function*() {
        const memory = yield* Memory.make()
        const { link, read, served } = yield* dial(memory)
        yield* read.next
        link.send(said)
        const verdict = yield* Effect.flatMap(read.next, Handshake.read(Handshake.Verdict))
        assert.deepStrictEqual(verdict, { _tag: "Refused", reason: "Malformed" })
        yield* Fiber.join(served)
        nobodyIn(memory)
      }))
  }

  it.live("that announces a frame larger than a handshake is cut off before it has sent the frame", () =>
    Effect.gen(function*() {
      const memory = yield* Memory.make()
      const { link, served } = yield* dial(memory)
      link.send(new Uint8Array([0xff, 0xff, 0xff, 0x7f]))
      yield* Fiber.join(served)
      nobodyIn(memory)
    }))

  it.live("that sends many messages at once is cut off", () =>
    Effect.gen(function*() {
      const memory = yield* Memory.make()
      const { link, served } = yield* dial(memory)
      for (let i = 0; i < 10; i++) link.send(text("hello"))
      yield* Fiber.join(served)
      nobodyIn(memory)
    }))

  it.effect("that sends nothing is cut off after handshakeMs, and makes room for others (R-12)", () =>
    Effect.gen(function*() {
      const memory = yield* Memory.make({ limits: { unauthenticatedMax: 1, handshakeMs: 3_000 } })
      const silent = yield* dial(memory)
      yield* silent.read.next
      const second = yield* dial(memory)
      const verdict = yield* Effect.flatMap(second.read.next, Handshake.read(Handshake.Greeting))
      assert.deepStrictEqual(verdict, { _tag: "Refused", reason: "TooManyHandshakes" })
      yield* Fiber.join(second.served)
      yield* TestClock.adjust(2_999)
      assert.isUndefined(silent.served.pollUnsafe())
      yield* TestClock.adjust(1)
      yield* Fiber.join(silent.served)
      const { manager } = yield* memory.connect()
      assert.strictEqual((yield* manager.inspect).counts.sessions, 1)
    }))

  it.effect("that sends a byte a second is cut off after handshakeMs, and disturbs nobody", () =>
    Effect.gen(function*() {
      const memory = yield* Memory.make()
      const { manager } = yield* memory.connect()
      const { link, read, served } = yield* dial(memory)
      yield* read.next
      const bytes = text(JSON.stringify({ version: Handshake.protocolVersion, nonce: "n".repeat(32) }))
      for (let second = 0; second < 5; second++) {
        assert.isUndefined(served.pollUnsafe())
        link.send(bytes.slice(second, second + 1))
        yield* TestClock.adjust(1_000)
        assert.strictEqual((yield* manager.counts).sessions, 1)
      }
      yield* Fiber.join(served)
      assert.strictEqual((yield* manager.counts).sessions, 1)
    }))

  it.live("learns neither the key nor a proof that would open it", () =>
    Effect.gen(function*() {
      const memory = yield* Memory.make()
      const { read } = yield* dial(memory)
      const challenge = new TextDecoder().decode(yield* read.next)
      assert.notInclude(challenge, Redacted.value(Memory.key))
      assert.deepStrictEqual(Object.keys(JSON.parse(challenge)).sort(), ["magic", "nonce", "version"])
    }))
})

describe("a client meets", () => {
  /** The reason for which a client fails to connect to a server that responds like this. */
  const meeting = (answer: (link: Link) => Effect.Effect<unknown, unknown, Scope.Scope>, binding?: string) =>
    Effect.gen(function*() {
      const pair = MemoryLink.makePair({ schedule: setImmediate })
      yield* Effect.forkChild(Effect.andThen(answer(pair.server), Effect.never))
      const options = { address: "somewhere", key: Memory.key, label: { name: "client", pid: 0 } }
      const connected = Manager.makeConnected(Effect.succeed({ ...pair.client, binding }), options)
      const { reason } = yield* Effect.flip(Effect.provide(connected, Manager.layerCrypto))
      return `${reason._tag} ${"why" in reason ? reason.why : reason.message}`
    })

  const challenge = (version: number) =>
    text(JSON.stringify({ magic: Handshake.magic, version, nonce: "0".repeat(64) }))

  const welcome = ({ server }: Memory.Memory) => ({
    _tag: "Welcome",
    session: 1,
    epoch: 1,
    instance: "0".repeat(32),
    operations: server.engine.operationTable,
    limits: { frameBytesMax: 1, inFlightMax: 1, inFlightBytesMax: 1, watchCredit: 1 }
  })

  const send = (...frames: ReadonlyArray<Uint8Array<ArrayBuffer>>) => (link: Link) =>
    Effect.sync(() => frames.forEach(link.send))

  it.live("a server that is no manager", () =>
    Effect.map(
      meeting(send(text("SSH-2.0-OpenSSH"))),
      (reason) => assert.strictEqual(reason, "HandshakeRefused NotAManager")
    ))

  it.live("a manager to which too many connect at once", () =>
    Effect.map(
      meeting(send(text(JSON.stringify({ _tag: "Refused", reason: "TooManyHandshakes" })))),
      (reason) => assert.strictEqual(reason, "HandshakeRefused TooManyHandshakes")
    ))

  it.live("a manager of another version", () =>
    Effect.map(
      meeting(send(challenge(Handshake.protocolVersion + 1))),
      (reason) => assert.strictEqual(reason, "HandshakeRefused WrongVersion")
    ))

  it.live("a server that does not know the key either", () =>
    Effect.gen(function*() {
      const real = yield* Memory.make()
      const verdict = { ...welcome(real), proof: "0".repeat(64) }
      const reason = yield* meeting(send(challenge(Handshake.protocolVersion), text(JSON.stringify(verdict))))
      assert.strictEqual(reason, "HandshakeRefused NotAManager")
    }))

  it.live("a server that reflects the client's own proof", () =>
    Effect.gen(function*() {
      const real = yield* Memory.make()
      const reflect = (link: Link) =>
        Effect.gen(function*() {
          const read = yield* raw.frames(link)
          link.send(challenge(Handshake.protocolVersion))
          const { proof } = yield* Effect.flatMap(read.next, Handshake.read(Handshake.Response))
          link.send(text(JSON.stringify({ ...welcome(real), proof })))
        })
      assert.strictEqual(yield* meeting(reflect), "HandshakeRefused NotAManager")
    }))

  it.live("a server that passes on the messages of another link", () =>
    Effect.gen(function*() {
      const real = yield* Memory.make()
      const passOn = (near: Link) =>
        Effect.gen(function*() {
          const { link } = yield* dial(real)
          const pass = (from: Link, to: Link) =>
            Effect.forkScoped(from.read({ onBytes: (bytes) => to.send(bytes.slice()), onDrain: () => {} }))
          yield* pass(near, link)
          yield* pass(link, near)
        })
      assert.strictEqual(yield* meeting(passOn, "the binding of one link"), "HandshakeRefused WrongKey")
    }))

  it.live("a frame that is larger than any handshake", () =>
    Effect.map(meeting(send(new Uint8Array([0xff, 0xff, 0xff, 0x7f]))), (reason) => {
      assert.include(reason, "ConnectFailed")
      assert.include(reason, "somewhere")
    }))

  it.effect("silence: it gives up after handshakeMs (R-11)", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(meeting(() => Effect.void), { startImmediately: true })
      yield* TestClock.adjust(5_000)
      assert.include(yield* Fiber.join(fiber), "it did not answer in time")
    }))
})
