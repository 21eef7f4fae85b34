/**
 * Making a connection, and making it again when it is lost: the client's side of the handshake (`protocol/Handshake.ts`)
 * for a new session, and for one that has lost its link.
 */
import type * as Mac from "effect/crypto/Mac"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Scheduler from "effect/Scheduler"
import type * as Scope from "effect/Scope"
import type { Client } from "../engine/Operation.ts"
import type { Limits } from "../Limits.ts"
import { ConnectFailed, HandshakeRefused, ManagerError } from "../ManagerError.ts"
import * as Handshake from "../protocol/Handshake.ts"
import * as Frames from "../transport/Frames.ts"
import type { Link, LinkClosed } from "../transport/Link.ts"
import { Connection } from "./Connection.ts"
import { Guard } from "./Guard.ts"
import * as Relink from "./Relink.ts"

/** Where and as whom to connect. */
export interface ConnectOptions {
  /** For messages. */
  readonly address: string
  readonly key: Handshake.ManagerKey
  readonly label: Client
  readonly limits: Limits
  /** Absent: the session ends with its first link. */
  readonly reconnect?: Relink.Reconnect | undefined
}

type Open = Effect.Effect<Link, LinkClosed, Scope.Scope>

/** Connects over a link, for the life of the scope; its end says goodbye. */
export const connect = (
  open: Open,
  options: ConnectOptions
): Effect.Effect<Connection, ManagerError, Mac.Mac | SecureRandom.SecureRandom | Scope.Scope> =>
  Effect.gen(function*() {
    const { address, reconnect } = options
    const secret = Handshake.hexadecimal(yield* (yield* SecureRandom.SecureRandom).randomBytes(32))
    const grace = reconnect && { milliseconds: reconnect.graceMs, secretHash: yield* Handshake.hashOf(secret) }
    const links = yield* Relink.make((session) => shakeHands(open, options, session))
    const first = yield* links.open({ _tag: "Begin", grace })
    const context = yield* Effect.context<never>()
    const connection = new Connection(first.welcome, first.link, context, yield* Scheduler.Scheduler)
    yield* links.keep(connection, { address, first, secret, schedule: reconnect?.schedule })
    // Runs before the reader is interrupted: its end would count as a lost connection, and no goodbye would be sent.
    yield* Effect.addFinalizer(() => Effect.sync(() => connection.close()))
    return connection
  }).pipe(
    Effect.catchTag("CryptoError", Effect.die),
    // The connection serves the whole process, so its fibers do not inherit the locks of the first caller (S-6).
    Effect.provideService(Guard, [])
  )

/** The handshake over a new link. */
const shakeHands = (
  open: Open,
  { address, key, label, limits, reconnect }: ConnectOptions,
  session: Handshake.Asked
): Effect.Effect<Relink.Shaken, ManagerError, Mac.Mac | SecureRandom.SecureRandom | Scope.Scope> =>
  Effect.gen(function*() {
    const refused = (why: HandshakeRefused["why"]) =>
      new ManagerError({ reason: new HandshakeRefused({ address, why }) })
    const link = yield* open
    const frames = yield* Frames.make(link, limits.handshakeBytesMax * 16)
    const challenge = yield* frames.next.pipe(
      Effect.flatMap(Handshake.read(Handshake.Greeting)),
      Effect.catchTag("SchemaError", () => refused("NotAManager"))
    )
    if ("_tag" in challenge) return yield* refused(challenge.reason)
    if (challenge.version !== Handshake.protocolVersion) return yield* refused("WrongVersion")
    const random = yield* SecureRandom.SecureRandom
    const response = {
      version: Handshake.protocolVersion,
      nonce: Handshake.hexadecimal(yield* random.randomBytes(32)),
      name: label.name,
      pid: label.pid,
      silenceMs: reconnect?.silenceMs,
      session
    }
    const transcript = Handshake.transcript(challenge, response, link.binding)
    const proof = yield* Handshake.prove(key, "client", transcript)
    link.send(Handshake.frame(Handshake.Response, { ...response, proof }))
    const verdict = yield* frames.next.pipe(
      Effect.flatMap(Handshake.read(Handshake.Verdict)),
      Effect.catchTag("SchemaError", () => refused("NotAManager"))
    )
    if (verdict._tag === "Refused") return yield* refused(verdict.reason)
    const expected = yield* Handshake.prove(key, "server", transcript)
    if (!Handshake.sameProof(expected, verdict.proof)) return yield* refused("NotAManager")
    return { link, frames, welcome: verdict }
  }).pipe(
    Effect.timeoutOrElse({
      duration: limits.handshakeMs,
      orElse: () =>
        Effect.fail(new ManagerError({ reason: new ConnectFailed({ address, issue: "it did not answer in time" }) }))
    }),
    Effect.catchTags({
      LinkClosed: ({ reason }) =>
        Effect.fail(new ManagerError({ reason: new ConnectFailed({ address, issue: reason }) })),
      CryptoError: Effect.die
    })
  )
