/**
 * The handshake: both sides prove that they know a key of the manager, and neither reveals it. A manager may have several
 * keys: the one that a client proves decides what the client may do.
 *
 * ```text
 *   server ─► Challenge  magic, version, nonce
 *   client ─► Response   version, nonce, name, pid, silence, session: Begin or Resume,
 *                        HMAC-SHA-256(key, "client" + transcript)
 *   server ─► Welcome    HMAC-SHA-256(key, "server" + transcript), session, role, epoch, instance, operations, limits
 *          or Refused    reason; also in the place of a challenge
 * ```
 *
 * The transcript covers the messages before it, so none of them can be changed or replayed. It covers the link's binding,
 * too: over TLS a peer between the two sides has two links, and each side would sign another transcript. Each message is
 * one frame of JSON of at most `handshakeBytesMax`. The binary messages of `Message.ts` come after the handshake.
 *
 * A session that survives its link has a secret, which its client chooses. The manager is told the hash when the session
 * begins, and keeps only that: who reads the manager's state cannot resume the session. Who resumes it tells the secret.
 */
import type { CryptoError } from "effect/crypto/CryptoError"
import * as Mac from "effect/crypto/Mac"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Writer } from "./Bytes.ts"
import { headerBytes } from "./Frame.ts"
import { refusals } from "./refusals.ts"

/** Raised whenever a message changes its form or its meaning. Both sides must have the same version. */
export const protocolVersion = 8

/** Distinguishes a manager from any other server. */
export const magic = "effect-multiprocessing"

const Nonce = Schema.String.check(Schema.isMinLength(32), Schema.isMaxLength(128))

/** The server's challenge to prove the key. */
export const Challenge = Schema.Struct({
  magic: Schema.Literal(magic),
  version: Schema.Int,
  nonce: Nonce
})

/** Characters of a client's name, at most. */
export const nameLengthMax = 256

/** The secret of a session. */
const Secret = Schema.String.check(Schema.isMinLength(32), Schema.isMaxLength(128))

/** A new session. Without a grace it ends with its link. */
const Begin = Schema.TaggedStruct("Begin", {
  grace: Schema.optional(Schema.Struct({
    milliseconds: Schema.Int.check(Schema.isGreaterThan(0)),
    secretHash: Schema.String.check(Schema.isMaxLength(128))
  }))
})

/** A session that has lost its link goes on over this one. */
export const Resume = Schema.TaggedStruct("Resume", {
  instance: Schema.String,
  session: Schema.Int,
  secret: Secret,
  /** The newest index that the client was told: a manager that has not reached it has lost changes. */
  index: Schema.Int
})

const Session = Schema.Union([Begin, Resume])

/** The session that a client asks for. */
export type Asked = typeof Session.Type

/** The client's reply. */
export const Response = Schema.Struct({
  version: Schema.Int,
  nonce: Nonce,
  name: Schema.String.check(Schema.isMaxLength(nameLengthMax)),
  pid: Schema.Int,
  /** How long it may say nothing before its link counts as lost, in milliseconds. Absent: as the manager has it. */
  silenceMs: Schema.optional(Schema.Int.check(Schema.isGreaterThan(0))),
  session: Session,
  proof: Schema.String
})

/** The roles of clients. */
export const Role = Schema.Literals(["owner", "client", "observer"])

/** A role. */
export type Role = typeof Role.Type

/** The server's verdict: the session begins, or goes on. */
export const Welcome = Schema.TaggedStruct("Welcome", {
  proof: Schema.String,
  session: Schema.Int,
  /** What the key makes of this client. */
  role: Role,
  /** How long the session survives its link, in milliseconds. 0: not at all. */
  graceMs: Schema.Int,
  /** How often its client asks whether the server is there, in milliseconds. 0: never. */
  heartbeatMs: Schema.Int,
  epoch: Schema.Int,
  /** 128 random bits that identify this manager (S-5). */
  instance: Schema.String,
  operations: Schema.Record(
    Schema.String,
    Schema.Array(Schema.Tuple([Schema.String, Schema.Literals(["read", "change", "grant"])]))
  ),
  limits: Schema.Struct({
    frameBytesMax: Schema.Int,
    inFlightMax: Schema.Int,
    inFlightBytesMax: Schema.Int,
    watchCredit: Schema.Int
  })
})

/** The server's verdict: there is no session. */
export const Refused = Schema.TaggedStruct("Refused", {
  reason: Schema.Literals(refusals)
})

/** The server's first message. */
export const Greeting = Schema.Union([Challenge, Refused])

/** The end of a handshake. */
export const Verdict = Schema.Union([Welcome, Refused])

/** The text that both sides sign. `binding`: that of the link. */
export const transcript = (
  challenge: typeof Challenge.Type,
  response: Omit<typeof Response.Type, "proof">,
  binding = ""
): string =>
  JSON.stringify([
    magic,
    challenge.version,
    challenge.nonce,
    response.version,
    response.nonce,
    response.name,
    response.pid,
    response.silenceMs ?? 0,
    ...asked(response.session),
    binding
  ])

const asked = (session: Asked): ReadonlyArray<string | number> =>
  session._tag === "Begin"
    ? ["begin", session.grace?.milliseconds ?? 0, session.grace?.secretHash ?? ""]
    : ["resume", session.instance, session.session, session.secret, session.index]

/** The key of a manager: any text that is hard to guess. */
export type ManagerKey = Redacted.Redacted<string>

/** Why this can be no key, as text for people, which does not show it; undefined: it can. */
export const keyIssue = (key: ManagerKey): string | undefined =>
  !Redacted.isRedacted(key) || typeof Redacted.value(key) !== "string"
    ? "its key must be Redacted"
    : Redacted.value(key) === ""
    ? "its key is empty"
    : undefined

/** A proof of knowing the key, as hexadecimal text. */
export const prove = (
  key: ManagerKey,
  side: "client" | "server",
  transcript: string
): Effect.Effect<string, CryptoError, Mac.Mac> => sign(Redacted.value(key), side + transcript)

/** The hash of a session's secret: no one finds the secret of it. */
export const hashOf = (secret: string): Effect.Effect<string, CryptoError, Mac.Mac> => sign(secret, "session")

/** HMAC-SHA-256 of a text, as hexadecimal text. */
const sign = (key: string, text: string): Effect.Effect<string, CryptoError, Mac.Mac> =>
  Effect.gen(function*() {
    const mac = yield* Mac.Mac
    const encoder = new TextEncoder()
    const macKey = yield* Mac.key(Mac.hmacSha256, encoder.encode(key))
    return hexadecimal(yield* mac.sign(macKey, encoder.encode(text)))
  })

/** Whether two proofs are the same, in constant time. */
export const sameProof = (left: string, right: string): boolean => {
  const encoder = new TextEncoder()
  return Mac.timingSafeEqual(encoder.encode(left), encoder.encode(right))
}

/** Bytes as hexadecimal text. */
export const hexadecimal = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

/** A handshake message as a frame. */
export const frame = <A, I>(schema: Schema.Codec<A, I>, message: A): Uint8Array<ArrayBuffer> => {
  const text = new TextEncoder().encode(JSON.stringify(Schema.encodeSync(schema)(message)))
  const writer = new Writer(headerBytes + text.length)
  writer.skip32()
  writer.patch32(0, text.length)
  writer.raw(text)
  return writer.take()
}

/** Reads a handshake message from a frame. */
export const read = <A, I>(schema: Schema.Codec<A, I>) => {
  const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(schema))
  return (frame: Uint8Array): Effect.Effect<A, Schema.SchemaError> => decode(new TextDecoder().decode(frame))
}
