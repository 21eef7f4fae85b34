/**
 * A link straight over a socket of Node's: what arrives is handed over in the turn in which Node reads it, and what is
 * sent is written at once. Neither a fiber nor a queue stands in between; that is most of what a single call can save
 * over `Link.fromSocket`.
 */
import { Link } from "@effect-multiprocessing/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"

/** Hears what a socket reads, once it may; answers how to stop that. */
type Listen = (onBytes: (bytes: Uint8Array) => void) => () => void

/** A link over a socket that is open, for the life of the scope; closing it lets out what was sent. */
export const fromSocket = (socket: Net.Socket): Effect.Effect<Link.Link, never, Scope.Scope> =>
  make(socket, (onBytes) => {
    socket.on("data", onBytes)
    return () => socket.off("data", onBytes)
  })

const make = (socket: Net.Socket, listen: Listen): Effect.Effect<Link.Link, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync((): Link.Link => {
      let failure: Error | undefined
      socket.on("error", (error) => failure = error)
      socket.on("drain", () => link.onDrain())
      const closed = () => Effect.fail(new Link.LinkClosed({ reason: failure?.message ?? "the other side ended it" }))
      const link: Link.Link = {
        send: (bytes) => {
          if (socket.writable) socket.write(bytes)
        },
        pendingBytes: () => socket.writableLength,
        read: (onBytes) =>
          Effect.callback((resume) => {
            if (socket.destroyed) return resume(closed())
            const onData = (chunk: Uint8Array) => {
              const handed = Result.try(() => onBytes(chunk))
              if (Result.isFailure(handed)) resume(Effect.die(handed.failure))
            }
            const onClose = () => resume(closed())
            const stop = listen(onData)
            // They come paused, so that nothing is read before somebody listens.
            socket.once("close", onClose).resume()
            return Effect.sync(() => {
              socket.pause().off("close", onClose)
              stop()
            })
          }),
        onDrain: () => {}
      }
      return link
    }),
    () => Effect.sync(() => socket.destroySoon())
  )

/** The most that is read at once. */
const readBytes = 64 * 1024

/** Opens a Unix socket. What it reads comes in the same memory each time, which Node else would allocate for each read. */
export const connect = (path: string): Effect.Effect<Link.Link, Link.LinkClosed, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() => {
      let hear: (bytes: Uint8Array) => void = () => {}
      const onread: Net.OnReadOpts = {
        buffer: new Uint8Array(readBytes),
        callback: (size, buffer) => {
          hear(buffer.subarray(0, size))
          return true
        }
      }
      const listen: Listen = (onBytes) => {
        hear = onBytes
        return () => hear = () => {}
      }
      return Effect.flatMap(restore(open({ path, onread })), (socket) => make(socket, listen))
    })
  )

const open = (options: Net.IpcNetConnectOpts): Effect.Effect<Net.Socket, Link.LinkClosed> =>
  Effect.callback((resume) => {
    const socket = Net.connect(options).pause()
    socket.once("error", ({ message }) => resume(Effect.fail(new Link.LinkClosed({ reason: message }))))
    socket.once("connect", () => resume(Effect.succeed(socket)))
    return Effect.sync(() => socket.destroy())
  })
