/**
 * A link: one duplex of bytes between a client and a manager, in order and without loss until it closes.
 *
 * The seam for every transport. Sending never waits and never fails: bytes that the other side does not read pile up in
 * `pendingBytes`, and the sender decides how many are too many (S-12).
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import type { Role } from "../protocol/Handshake.ts"

/** A link has ended: it carries no more bytes in either direction. */
export class LinkClosed extends Schema.TaggedError<LinkClosed>()("LinkClosed", {
  reason: Schema.String,
  /** The other side has broken the protocol. */
  isBreach: Schema.optional(Schema.Boolean)
}) {
  override get message(): string {
    return `the connection closed: ${this.reason}`
  }
}

/** Receives from a link. */
export interface LinkReader {
  /** Bytes have arrived. They are lent for the call. */
  readonly onBytes: (bytes: Uint8Array) => void
  /** `pendingBytes` was above zero and has fallen to zero. */
  readonly onDrain: () => void
}

/**
 * One end of a duplex of bytes. The end of its scope closes it when the sent bytes have gone out, at the latest after a
 * second: the other side may be frozen.
 */
export interface Link {
  readonly send: (bytes: Uint8Array<ArrayBuffer>) => void
  /** Sent bytes that the transport has not taken yet. */
  readonly pendingBytes: () => number
  /**
   * A secret text that only the two ends of this link share, as TLS exports it. The handshake proves it, so that nobody
   * can pass the messages of one link on to another. Absent: the transport has none.
   */
  readonly binding?: string | undefined
  /** The role that the transport allows the client at most, whatever its key is. Absent: that of its key. */
  readonly roleMax?: Role | "none" | undefined
  /** Reads until the link ends. A link has one reader at a time, whose throw is the defect of this effect. */
  readonly read: (reader: LinkReader) => Effect.Effect<never, LinkClosed>
}

/** A link over an Effect socket, whatever its transport is: a Unix socket, TCP or TLS. */
export const fromSocket = (socket: Socket.Socket): Effect.Effect<Link, LinkClosed, Scope.Scope> =>
  Effect.gen(function*() {
    const reader = yield* Effect.mapError(socket.reader, (error) => new LinkClosed({ reason: describe(error) }))
    const writer = yield* socket.writer
    let queue: Array<Uint8Array<ArrayBuffer>> = []
    let pendingBytes = 0
    let drained = () => {}
    let wake: (() => void) | undefined

    const write = Effect.suspend(() => {
      const [first, ...rest] = queue
      if (first === undefined) {
        return Effect.callback<void>((resume) => {
          wake = () => resume(Effect.void)
        })
      }
      const bytes = pendingBytes
      queue = []
      return Effect.map(writer.writeAll([first, ...rest]), () => {
        pendingBytes -= bytes
        if (pendingBytes === 0) drained()
      })
    })
    // A failed write also fails the reader, and the reader tells the end of the link.
    yield* Effect.forkScoped(Effect.ignore(Effect.forever(write, { disableYield: true })))

    return {
      send: (bytes) => {
        queue.push(bytes)
        pendingBytes += bytes.length
        const waiting = wake
        wake = undefined
        waiting?.()
      },
      pendingBytes: () => pendingBytes,
      read: ({ onBytes, onDrain }) =>
        Effect.suspend(() => {
          drained = onDrain
          return Effect.map(reader.pull, (chunks) => {
            for (const chunk of chunks) onBytes(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk)
          }).pipe(
            Effect.forever({ disableYield: true }),
            Effect.mapError((error) => new LinkClosed({ reason: describe(error) }))
          )
        })
    }
  })

const describe = (error: Socket.SocketError): string =>
  error.reason._tag === "SocketCloseError"
    ? "the other side ended it"
    : "cause" in error.reason && error.reason.cause instanceof Error
    ? error.reason.cause.message
    : error.message
