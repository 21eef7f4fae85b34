/** One session's flow control (S-8, S-12), with an engine that only writes down its inputs. */
import type { Input } from "#core/engine/Inputs.ts"
import { type Argument, cell } from "#core/engine/Value.ts"
import { Reader } from "#core/protocol/Bytes.ts"
import { FrameSplitter, headerBytes } from "#core/protocol/Frame.ts"
import { ClientWriter, type FromServer, readFromServer, SharedArguments, type Told } from "#core/protocol/Message.ts"
import { SessionShell } from "#core/server/SessionShell.ts"
import { defaults } from "@effect-multiprocessing/core/Limits"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"

const session = 7
const settling = 99
const refused = 98

/** A session over a link whose pending bytes, and over an engine whose remembered replies, the test sets. */
const setUp = (shared = new SharedArguments(), known: ReadonlySet<number> = new Set(), opens = true) => {
  const chunks: Array<Uint8Array> = []
  const splitter = new FrameSplitter(Infinity)
  const inputs: Array<Input> = []
  const said: Array<FromServer> = []
  const given = { pendingBytes: 0, remembered: 0, rememberedBytes: 0 }
  const link = {
    send: (bytes: Uint8Array) => {
      chunks.push(bytes)
      if (bytes.length > 10_000) given.pendingBytes += bytes.length
      splitter.push(bytes, (frame) => {
        const reader = new Reader(frame)
        while (!reader.done) said.push(readFromServer(reader, session))
      })
    },
    pendingBytes: () => given.pendingBytes,
    read: () => Effect.never
  }
  const shell = new SessionShell(
    session,
    link,
    { ...defaults, inFlightMax: 4, outboundBytesMax: 100 },
    {
      step: (input) => {
        inputs.push(input)
        if (input._tag === "Request") given.remembered++
        if (input._tag === "Acknowledge") given.remembered -= input.to - input.from + 1
      },
      remembered: () => given.remembered,
      rememberedBytes: () => given.rememberedBytes,
      settles: ({ calls }) => [settling, refused].includes(calls[0]!.operation),
      settlesNow: ({ calls }) => calls[0]!.operation === settling,
      isKnown: (sequence) => known.has(sequence),
      now: () => 0
    },
    shared,
    { isResumed: known.size > 0 }
  )
  if (opens) shell.open(new Uint8Array(0))
  chunks.length = 0
  /** Says something in one turn. */
  const hear = (say: (writer: ClientWriter) => void) => {
    const writer = new ClientWriter()
    say(writer)
    assert.isTrue(shell.receive(writer.take().subarray(headerBytes)))
    shell.turn()
  }
  const ran = () => inputs.flatMap((input) => input._tag === "Request" ? [input.sequence] : [])
  return { shell, hear, inputs, ran, said, given, chunks, hasLeft: () => Deferred.isDoneUnsafe(shell.left) }
}

const request = (writer: ClientWriter, sequence: number, operation = 0, args: ReadonlyArray<Argument> = []) =>
  writer.request(sequence, 1, operation, [], 0, args, Infinity)

const requests = (from: number, to: number) => (writer: ClientWriter) => {
  for (let sequence = from; sequence <= to; sequence++) request(writer, sequence)
}

describe("a session", () => {
  it("runs requests up to the limit of remembered replies, and the next ones as soon as these are acknowledged", () => {
    const { hear, ran } = setUp()
    hear(requests(1, 6))
    assert.deepStrictEqual(ran(), [1, 2, 3, 4])
    hear((writer) => writer.acknowledge(1, 1))
    assert.deepStrictEqual(ran(), [1, 2, 3, 4, 5])
    hear((writer) => {
      request(writer, 7)
      writer.acknowledge(2, 4)
    })
    assert.deepStrictEqual(ran(), [1, 2, 3, 4, 5, 6, 7])
  })

  it("runs none while its client does not read, and all once the link has drained", () => {
    const { given, hear, ran, shell } = setUp()
    given.pendingBytes = 100
    hear(requests(1, 3))
    assert.deepStrictEqual(ran(), [])
    given.pendingBytes = 0
    shell.resume()
    assert.deepStrictEqual(ran(), [1, 2, 3])
  })

  it("runs at once what was sent over an earlier link, too: its reply may be what makes room", () => {
    const { given, hear, ran } = setUp(undefined, new Set([1, 2, 3, 5, 6]))
    given.remembered = 4
    hear(requests(1, 7))
    assert.deepStrictEqual(ran(), [1, 2, 3, 5, 6])
  })

  it("sends nothing before its client knows that it has begun", () => {
    const { given, said, shell } = setUp(undefined, new Set([1]), false)
    shell.tell({ _tag: "Parked", session, sequence: 1 })
    shell.tell({ _tag: "Cancelled", session, sequence: 2, fate: "stands" })
    shell.endTurn()
    shell.close("over")
    assert.deepStrictEqual(said, [])
    shell.open(new Uint8Array(0))
    shell.resume()
    assert.deepStrictEqual(said.map(({ _tag }) => _tag), ["Closing", "Parked", "Cancelled"])
    assert.strictEqual(given.pendingBytes, 0)
  })

  it("lets requests that only give back overtake, and everything that is no request", () => {
    const { given, hear, inputs } = setUp()
    given.pendingBytes = 100
    hear((writer) => {
      request(writer, 1)
      request(writer, 2, settling)
      writer.cancel(9)
      writer.drop(1, 1)
      writer.credit(3, 1)
    })
    assert.deepStrictEqual(inputs.map(({ _tag }) => _tag), ["Request", "Cancel", "Drop", "Credit"])
  })

  it("runs at once what gives back too late, beyond its window too, until 262144 replies more are remembered", () => {
    const { given, hasLeft, hear, ran, said } = setUp()
    given.remembered = 4
    hear((writer) => {
      requests(1, 4)(writer)
      request(writer, 5, refused)
    })
    assert.deepStrictEqual([ran(), hasLeft()], [[5], false])
    given.remembered = 4 + 262_144
    hear((writer) => request(writer, 6, settling))
    assert.deepStrictEqual([ran(), hasLeft()], [[5, 6], false], "there are only as many of these as grants")
    hear((writer) => request(writer, 7, refused))
    assert.isTrue(hasLeft())
    assert.deepStrictEqual(said.at(-1), { _tag: "Closing", reason: "more than 262148 unacknowledged replies" })
  })

  it("counts a deferred request until it runs: a client may have a window of them again and again", () => {
    const { given, hasLeft, hear, ran, shell } = setUp()
    for (let from = 1; from <= 13; from += 4) {
      given.pendingBytes = 100
      hear(requests(from, from + 3))
      given.pendingBytes = 0
      shell.resume()
      hear((writer) => writer.acknowledge(from, from + 3))
    }
    assert.isFalse(hasLeft())
    assert.lengthOf(ran(), 16)
  })

  it("withdraws a deferred request itself, says so at the end of the turn, and never runs it", () => {
    const { given, hear, inputs, said, shell } = setUp()
    given.pendingBytes = 100
    hear(requests(1, 2))
    hear((writer) => writer.cancel(1))
    assert.deepStrictEqual(said, [{ _tag: "Cancelled", session, sequence: 1, fate: "withdrawn" }])
    given.pendingBytes = 0
    shell.resume()
    assert.deepStrictEqual(inputs.map((input) => "sequence" in input && input.sequence), [2])
  })

  it("is ended, and told why, when more requests than its window are deferred", () => {
    const { given, hasLeft, hear, said } = setUp()
    given.pendingBytes = 100
    hear(requests(1, 4))
    assert.isFalse(hasLeft())
    hear(requests(5, 5))
    assert.isTrue(hasLeft())
    assert.deepStrictEqual(said, [{ _tag: "Closing", reason: "more than 4 calls in flight (inFlightMax)" }])
  })

  it("tells with its next frame that calls wait, or when they make up half of the window", () => {
    const { said, shell } = setUp()
    const parked = (sequence: number) => ({ _tag: "Parked", session, sequence }) as const
    shell.tell(parked(1))
    shell.endTurn()
    assert.deepStrictEqual(said, [])
    shell.tell({ _tag: "Revoked", session, grant: 5 })
    shell.endTurn()
    assert.deepStrictEqual(said.map(({ _tag }) => _tag), ["Parked", "Revoked"])
    shell.tell(parked(2))
    shell.tell(parked(3))
    shell.endTurn()
    assert.strictEqual(said.length, 4)
  })
})

/** A value of 64 kibibytes. */
const large = cell(JSON.stringify("x".repeat(64 * 1024)))

describe("the memory of a session whose client does not read is bounded in bytes (S-8), for", () => {
  const reply = (sequence: number): Told => ({
    _tag: "Reply",
    session,
    sequence,
    index: sequence,
    outcome: { _tag: "Success", reply: [large] }
  })

  it("the replies of one turn: each becomes bytes only when there is room", () => {
    const { given, inputs, said, shell } = setUp()
    for (let sequence = 1; sequence <= 200; sequence++) shell.tell(reply(sequence))
    shell.endTurn()
    assert.strictEqual(said.length, 1)
    assert.deepStrictEqual(inputs, [{ _tag: "Congestion", session, isCongested: true }])
    for (let sequence = 2; sequence <= 200; sequence++) {
      given.pendingBytes = 0
      shell.resume()
      assert.deepStrictEqual(said.at(-1), reply(sequence))
      assert.strictEqual(said.length, sequence)
    }
    assert.deepStrictEqual(inputs.slice(1), [{ _tag: "Congestion", session, isCongested: false }])
  })

  it("requests: none runs before the waiting outputs are written", () => {
    const { given, hear, ran, shell } = setUp()
    shell.tell(reply(1))
    shell.tell(reply(2))
    hear(requests(3, 3))
    assert.deepStrictEqual(ran(), [])
    given.pendingBytes = 0
    shell.resume()
    assert.deepStrictEqual(ran(), [], "the second reply fills the link again")
    given.pendingBytes = 0
    shell.resume()
    assert.deepStrictEqual(ran(), [3])
  })

  it("deferred requests: a client that keeps to its window is not ended, and one that does not is", () => {
    const { given, hasLeft, hear, ran, said, shell } = setUp()
    const { frameBytesMax, inFlightBytesMax } = defaults
    const share = cell(JSON.stringify("x".repeat(inFlightBytesMax / 2)))
    const frame = cell(JSON.stringify("x".repeat(frameBytesMax - 100)))
    given.pendingBytes = 100
    hear((writer) => request(writer, 1, 0, [share]))
    hear((writer) => request(writer, 2, 0, [cell(share.text.slice(8))]))
    hear((writer) => request(writer, 3, 0, [frame]))
    assert.isFalse(hasLeft(), "the last call that the window admits may have any size")
    hear((writer) => writer.cancel(3))
    hear((writer) => request(writer, 4, 0, [frame]))
    assert.isFalse(hasLeft(), "what was withdrawn does not count")
    given.pendingBytes = 0
    shell.resume()
    assert.deepStrictEqual(ran(), [1, 2, 4])
    given.remembered = 0
    given.pendingBytes = 100
    hear((writer) => request(writer, 5, 0, [share]))
    hear((writer) => request(writer, 6, 0, [share]))
    assert.isFalse(hasLeft(), "what has run does not count")
    hear((writer) => request(writer, 7, 0, [cell(frame.text + "x".repeat(100))]))
    assert.isTrue(hasLeft())
    const reason = `more than ${inFlightBytesMax} bytes of calls in flight (inFlightBytesMax)`
    assert.deepStrictEqual(said.at(-1), { _tag: "Closing", reason })
  })

  it("remembered replies: requests are deferred while they have more bytes, and run once they are acknowledged", () => {
    const { given, hear, ran, shell } = setUp()
    given.rememberedBytes = defaults.inFlightBytesMax
    hear(requests(1, 2))
    assert.deepStrictEqual(ran(), [])
    given.rememberedBytes = 0
    shell.resume()
    assert.deepStrictEqual(ran(), [1, 2])
  })

  it("subscriptions", () => {
    const { given, hasLeft, hear, said } = setUp()
    given.pendingBytes = 100
    hear((writer) => {
      for (let sequence = 1; sequence <= 262_144; sequence++) writer.watch(sequence, 1, 1)
    })
    assert.isFalse(hasLeft())
    hear((writer) => writer.watch(262_145, 1, 1))
    assert.isTrue(hasLeft())
    assert.deepStrictEqual(said, [{ _tag: "Closing", reason: "more than 262144 waiting subscriptions" }])
  })

  it("cancels", () => {
    const { given, hasLeft, shell } = setUp()
    given.pendingBytes = 100
    const cancelled = (sequence: number) => shell.tell({ _tag: "Cancelled", session, sequence, fate: "stands" })
    for (let sequence = 1; sequence <= 262_144; sequence++) cancelled(sequence)
    assert.isFalse(hasLeft())
    cancelled(262_145)
    assert.isTrue(hasLeft())
  })

  it("cancels: those that were read count no more", () => {
    const { given, hasLeft, shell } = setUp()
    for (let round = 0; round < 2; round++) {
      given.pendingBytes = 100
      for (let sequence = 1; sequence <= 200_000; sequence++) {
        shell.tell({ _tag: "Cancelled", session, sequence, fate: "stands" })
      }
      given.pendingBytes = 0
      shell.resume()
    }
    assert.isFalse(hasLeft())
  })
})

it("outputs leave in their order, large and small ones", () => {
  const { said, shell } = setUp()
  const outcome = (part: string | typeof large) => ({ _tag: "Success", reply: [part] }) as const
  const replies = ["small", large].map((part, i): Told => ({
    _tag: "Reply",
    session,
    sequence: i + 1,
    index: 1,
    outcome: outcome(part)
  }))
  for (const reply of replies) shell.tell(reply)
  shell.endTurn()
  assert.deepStrictEqual(said, replies)
})

it("a large change is encoded once for all its watchers", () => {
  const shared = new SharedArguments()
  const watchers = Array.from({ length: 50 }, () => setUp(shared))
  const event: Told = { _tag: "Event", session, sequence: 1, index: 1, event: "change", parts: ["value", large] }
  for (const { shell } of watchers) shell.tell(event)
  for (const { said } of watchers) assert.deepStrictEqual(said, [event])
  const bodies = watchers.map(({ chunks }) => chunks.at(-1))
  assert.strictEqual(new Set(bodies).size, 1)
})

it("a reply that fits into no frame is refused before it is encoded", () => {
  const { chunks, inputs, said, shell } = setUp()
  const reply = Array.from({ length: 10_000 }, () => large)
  shell.tell({ _tag: "Reply", session, sequence: 1, index: 1, outcome: { _tag: "Success", reply } })
  shell.endTurn()
  assert.strictEqual(chunks.length, 1)
  const outcome = {
    _tag: "Failure",
    error: "LimitExceeded",
    details: ["frameBytesMax", defaults.frameBytesMax]
  } as const
  assert.deepStrictEqual(said, [{ _tag: "Reply", session, sequence: 1, index: 1, outcome }])
  // The client knows neither of a grant nor of a subscription, so it has none.
  assert.deepStrictEqual(inputs, [{ _tag: "Cancel", session, sequence: 1 }, { _tag: "Unwatch", session, sequence: 1 }])
})
