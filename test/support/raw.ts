/** Messages to a server without a client: the handshake by hand, then any bytes. */
import { Reader } from "#core/protocol/Bytes.ts"
import { headerBytes } from "#core/protocol/Frame.ts"
import * as Handshake from "#core/protocol/Handshake.ts"
import { ClientWriter, type FromServer, readFromServer } from "#core/protocol/Message.ts"
import * as Frames from "#core/transport/Frames.ts"
import type { Link, LinkClosed } from "#core/transport/Link.ts"
import { Manager } from "@effect-multiprocessing/core"
import { Effect, type Scope } from "effect"
import { key } from "./Memory.ts"

/** Bytes as one frame. */
export const frame = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => {
  const framed = new Uint8Array(headerBytes + bytes.length)
  new DataView(framed.buffer).setUint32(0, bytes.length, true)
  framed.set(bytes, headerBytes)
  return framed
}

/** The faults of a stranger's response. */
export interface Lies {
  readonly version?: number | undefined
  readonly key?: Handshake.ManagerKey | undefined
  /** The nonce of another challenge, for which the proof is made. */
  readonly nonce?: string | undefined
  /** The response for which the proof is made, where it is another one. */
  readonly signed?: { readonly name?: string; readonly pid?: number; readonly silenceMs?: number } | undefined
  /** The session that it asks for. Default: a new one. */
  readonly session?: Handshake.Asked | undefined
  /** How long it may be silent. */
  readonly silenceMs?: number | undefined
}

/** The frames of a link, read in the background. */
export const frames = (link: Link): Effect.Effect<Frames.Frames, never, Scope.Scope> => Frames.make(link, 65_536)

/** Responds to the challenge, truthfully or not, and returns the server's verdict. */
export const shakeHands = (
  link: Link,
  read: Frames.Frames,
  lies: Lies = {}
): Effect.Effect<typeof Handshake.Verdict.Type, LinkClosed> =>
  Effect.gen(function*() {
    const challenge = yield* Effect.flatMap(read.next, Handshake.read(Handshake.Challenge))
    const { session = { _tag: "Begin" }, silenceMs, version = challenge.version } = lies
    const response = { version, nonce: "n".repeat(32), name: "raw", pid: 0, silenceMs, session }
    const transcript = Handshake.transcript({ ...challenge, nonce: lies.nonce ?? challenge.nonce }, {
      ...response,
      ...lies.signed
    })
    const proof = yield* Handshake.prove(lies.key ?? key, "client", transcript)
    link.send(Handshake.frame(Handshake.Response, { ...response, proof }))
    return yield* Effect.flatMap(read.next, Handshake.read(Handshake.Verdict))
  }).pipe(
    Effect.catchTags({ SchemaError: Effect.die, CryptoError: Effect.die }),
    Effect.provide(Manager.layerCrypto)
  )

const goodbye = () => {
  const writer = new ClientWriter()
  writer.goodbye()
  return writer.take()
}

/** A session of frames by hand. It says goodbye when the server ends it, and ends when the server ends the link. */
export const session = (
  link: Link,
  hear: (message: FromServer) => void = () => {}
): Effect.Effect<{ readonly session: number; readonly ended: () => boolean }, LinkClosed, Scope.Scope> =>
  Effect.gen(function*() {
    const read = yield* frames(link)
    const verdict = yield* shakeHands(link, read)
    if (verdict._tag === "Refused") return yield* Effect.die(new Error(verdict.reason))
    let ended = false
    const onFrame = (frame: Uint8Array) => {
      const reader = new Reader(frame)
      while (!reader.done) {
        const message = readFromServer(reader, verdict.session)
        if (message._tag === "Closing") link.send(goodbye())
        hear(message)
      }
      return !reader.malformed
    }
    yield* read.handOver(Infinity, { onFrame, onTurnEnd: () => {} }).pipe(
      Effect.ensuring(Effect.sync(() => ended = true)),
      Effect.ignore,
      Effect.forkScoped
    )
    return { session: verdict.session, ended: () => ended }
  })
