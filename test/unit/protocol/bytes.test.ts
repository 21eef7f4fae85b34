import { type Argument, bytesMaxOf } from "#core/engine/Value.ts"
import { Reader, Writer } from "#core/protocol/Bytes.ts"
import { FrameSplitter, headerBytes } from "#core/protocol/Frame.ts"
import {
  ClientWriter,
  type FromClient,
  type FromServer,
  readFromClient,
  readFromServer,
  ServerWriter
} from "#core/protocol/Message.ts"
import { Random } from "#core/testing/Random.ts"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { frame } from "../../support/raw.ts"

const Id = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
/** Texts that UTF-8 can encode. */
const Text = Schema.String.check(Schema.makeFilter((text) => text.isWellFormed()))
const AnArgument = Schema.Union([
  Schema.Null,
  Schema.Number,
  Text,
  Schema.Struct({ text: Text, handles: Schema.Array(Id) }),
  Schema.Struct({ bytes: Schema.Uint8Array, handles: Schema.Tuple([]) })
])
const Arguments = Schema.Array(AnArgument)

const session = 7

const fromClient = (frame: Uint8Array): ReadonlyArray<FromClient> => {
  const reader = new Reader(frame.subarray(headerBytes))
  const messages: Array<FromClient> = []
  while (!reader.done) messages.push(readFromClient(reader, session))
  assert.isFalse(reader.malformed)
  return messages
}

const fromServer = (frame: Uint8Array): ReadonlyArray<FromServer> => {
  const reader = new Reader(frame.subarray(headerBytes))
  const messages: Array<FromServer> = []
  while (!reader.done) messages.push(readFromServer(reader, session))
  assert.isFalse(reader.malformed)
  return messages
}

const odd: ReadonlyArray<Argument> = [
  null,
  0,
  -0,
  NaN,
  Infinity,
  -1.5,
  Number.MAX_SAFE_INTEGER,
  "",
  "ä €",
  "🙂\u0000",
  "x".repeat(100_000),
  { text: "", handles: [] },
  { bytes: new Uint8Array(0), handles: [] },
  { bytes: Uint8Array.from({ length: 100_000 }, (_, i) => i), handles: [] },
  { text: "{}", handles: [1, 2, Number.MAX_SAFE_INTEGER] }
]

describe("what is written is read", () => {
  it("every kind of argument, however odd", () => {
    const writer = new ClientWriter()
    writer.request(1, 2, 3, [4], 1, odd, Infinity)
    assert.deepStrictEqual(fromClient(writer.take()), [
      { _tag: "Request", session, sequence: 1, guard: [4], stalls: 1, calls: [{ object: 2, operation: 3, args: odd }] }
    ])
  })

  it.prop("batches of requests", [Schema.Array(Schema.Tuple([Id, Id, Schema.Array(Id), Arguments]))], ([requests]) => {
    const writer = new ClientWriter()
    for (const [sequence, object, guard, args] of requests) {
      writer.request(sequence, object, 255, guard, guard.length, args, Infinity)
    }
    writer.goodbye()
    assert.deepStrictEqual(fromClient(writer.take()), [
      ...requests.map(([sequence, object, guard, args]) =>
        ({
          _tag: "Request",
          session,
          sequence,
          guard,
          stalls: guard.length,
          calls: [{ object, operation: 255, args }]
        }) as const
      ),
      { _tag: "Goodbye" }
    ])
    assert.isTrue(writer.isEmpty)
  })

  it.prop("the other messages of a client", [Id, Id], ([a, b]) => {
    const writer = new ClientWriter()
    writer.cancel(a)
    writer.acknowledge(a, b)
    writer.drop(a, b)
    writer.watch(a, b, 5)
    writer.credit(a, b)
    writer.unwatch(a)
    assert.deepStrictEqual(fromClient(writer.take()), [
      { _tag: "Cancel", session, sequence: a },
      { _tag: "Acknowledge", session, from: a, to: b },
      { _tag: "Drop", session, object: a, times: b },
      { _tag: "Watch", session, sequence: a, object: b, credit: 5 },
      { _tag: "Credit", session, sequence: a, credit: b },
      { _tag: "Unwatch", session, sequence: a }
    ])
  })

  it.prop("the messages of a server", [Id, Id, Arguments, Text], ([sequence, index, parts, text]) => {
    const said: ReadonlyArray<FromServer> = [
      { _tag: "Reply", session, sequence, index, outcome: { _tag: "Success", reply: parts } },
      { _tag: "Reply", session, sequence, index, outcome: { _tag: "Failure", error: text, details: parts } },
      { _tag: "Parked", session, sequence },
      ...(["withdrawn", "compensated", "stands"] as const).map((fate) =>
        ({ _tag: "Cancelled", session, sequence, fate }) as const
      ),
      ...(["change", "reset", "ended"] as const).map((event) =>
        ({ _tag: "Event", session, sequence, index, event, parts }) as const
      ),
      { _tag: "Revoked", session, grant: index },
      { _tag: "Closing", reason: text }
    ]
    const writer = new ServerWriter()
    for (const message of said) assert.isTrue(writer.write(message, Infinity))
    assert.deepStrictEqual(fromServer(writer.take()), said)
  })

  it.prop("numbers, exactly, in as few bytes as their size needs", [Schema.Array(Schema.Number)], ([numbers]) => {
    const sizes: ReadonlyArray<readonly [bytes: number, ...numbers: ReadonlyArray<number>]> = [
      [1, 0, 1, 246],
      [3, 247, 251, 252, 255, 256, 0xffff],
      [4, 0x1_0000, 1_000_000, 0xff_ffff],
      [5, 0x100_0000, 2 ** 31, 0xffff_ffff],
      [9, 2 ** 32, Number.MAX_SAFE_INTEGER, -0, -1, 0.5, NaN, Infinity, -Infinity, Number.MIN_VALUE]
    ]
    const writer = new Writer(0)
    for (const number of numbers) writer.number(number)
    for (const [bytes, ...ofSize] of sizes) {
      for (const number of ofSize) {
        const before = writer.length
        writer.number(number)
        assert.strictEqual(writer.length - before, bytes)
      }
    }
    const reader = new Reader(writer.take())
    for (const number of [...numbers, ...sizes.flatMap(([, ...ofSize]) => ofSize)]) {
      assert.isTrue(Object.is(reader.number(), number))
    }
    assert.isTrue(reader.done && !reader.malformed)
  })

  it("texts of every length, of units of one byte and of three", () => {
    const texts = [0, 1, 12, 13, 82, 83, 246, 247, 21_845, 21_846, 65_535, 65_536].flatMap((length) => [
      "x".repeat(length),
      "€".repeat(length),
      `${"x".repeat(length)}ä`
    ])
    const writer = new Writer(0)
    for (const text of texts) writer.text(text)
    const reader = new Reader(writer.take())
    for (const text of texts) assert.strictEqual(reader.text(), text)
    assert.isTrue(reader.done && !reader.malformed)
  })

  it.prop("in no more bytes than an argument may take", [Arguments], ([args]) => {
    const writer = new ClientWriter()
    for (const argument of [...args, ...odd]) {
      const before = writer.bytes
      writer.request(1, 2, 3, [], 0, [], Infinity)
      const without = writer.bytes
      writer.request(1, 2, 3, [], 0, [argument], Infinity)
      assert.isAtMost(writer.bytes - without - (without - before), bytesMaxOf(argument))
    }
  })

  it("nothing of a message that would be too large", () => {
    const writer = new ClientWriter()
    assert.isTrue(writer.request(1, 1, 1, [], 0, ["x".repeat(100)], 200))
    assert.isFalse(writer.request(2, 1, 1, [], 0, ["x".repeat(200)], 200))
    assert.isTrue(writer.request(3, 1, 1, [], 0, [], 200))
    const sequences = fromClient(writer.take()).map((message) => message._tag === "Request" && message.sequence)
    assert.deepStrictEqual(sequences, [1, 3])
  })
})

describe("frames", () => {
  const Bytes = Arbitrary.map(
    Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })))),
    (bytes) => Uint8Array.from(bytes)
  )

  it.prop(
    "are put together from any chunks",
    [Arbitrary.array(Bytes), Schema.Int],
    ([sent, seed]) => {
      const random = new Random(seed)
      const stream = Uint8Array.from(sent.flatMap((bytes) => [...frame(bytes)]))
      const splitter = new FrameSplitter(1_000)
      const got: Array<Uint8Array> = []
      for (let at = 0; at < stream.length;) {
        const size = random.chance(0.5) ? 1 + random.below(6) : 1 + random.below(100)
        assert.isTrue(splitter.push(stream.subarray(at, at + size), (frame) => got.push(frame.slice())))
        at += size
      }
      assert.deepStrictEqual(got, sent)
    }
  )

  it("may be as large as the limit, and no byte larger, however they are cut", () => {
    for (const chunk of [1, 3, 4, 5, 1_000]) {
      for (const [size, allowed] of [[64, true], [65, false], [0xffff_ffff, false]] as const) {
        const splitter = new FrameSplitter(64)
        const header = frame(new Uint8Array(Math.min(size, 65)))
        new DataView(header.buffer).setUint32(0, size, true)
        let trusted = true
        for (let at = 0; at < header.length && trusted; at += chunk) {
          trusted = splitter.push(header.subarray(at, at + chunk), () => {})
        }
        assert.strictEqual(trusted, allowed)
      }
    }
  })
})

describe("a reader", () => {
  it("takes no number that begins as something else does", () => {
    for (let first = 247; first <= 251; first++) {
      const reader = new Reader(new Uint8Array(20).fill(first))
      reader.number()
      assert.isTrue(reader.malformed && reader.done)
    }
  })

  it("never throws on random bytes, and says that they are malformed or reads to the end", () => {
    const random = new Random(1)
    for (let i = 0; i < 50_000; i++) {
      const bytes = Uint8Array.from({ length: random.below(60) }, () => random.below(random.pick([256, 25])))
      for (const read of [readFromClient, readFromServer]) {
        const reader = new Reader(bytes)
        let messages = 0
        while (!reader.done) {
          read(reader, session)
          assert.isAtMost(++messages, bytes.length)
        }
      }
    }
  })

  it("allocates no more than the bytes justify", () => {
    const writer = new Writer()
    writer.byte(1)
    writer.number(1)
    writer.number(0xffff_ffff)
    const reader = new Reader(writer.take())
    readFromClient(reader, session)
    assert.isTrue(reader.malformed)
  })

  it.prop("finds every cut in a message", [Arguments, Schema.Int], ([args, seed]) => {
    const writer = new ClientWriter()
    writer.request(1, 2, 3, [4, 5], 2, args, Infinity)
    const bytes = writer.take().subarray(headerBytes)
    const reader = new Reader(bytes.subarray(0, 1 + new Random(seed).below(bytes.length - 1)))
    readFromClient(reader, session)
    assert.isTrue(reader.malformed)
  })
})
