/**
 * A link straight over a socket of Node's: bytes are handed over in the turn in which Node reads them, and sent bytes
 * are written at once. Neither a fiber nor a queue stands in between; for a single call that is most of the difference
 * to `Link.fromSocket`.
 */
import { Link } from "@effect-multiprocessing/core"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Net from "node:net"

/** Hands over the bytes that a socket reads, from now on; returns a function that stops that. */
type Listen = (onBytes: (bytes: Uint8Array) => void) => () => void

/** A link over an open socket, for the life of the scope. It closes when the sent bytes have gone out, at
 * the latest after a second. */
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
      const closed = () => Effect.fail(new Link.LinkClosed({ reason: failure?.message ?? "the other side ended it" }))
      let drained = () => {}
      let isBehind = false
      // Not by the event "drain": Node emits it only after more has been pending than the socket's high water mark.
      const written = (error?: Error | null) => {
        if (!isBehind || error || socket.writableLength > 0) return
        isBehind = false
        drained()
      }
      return {
        send: (bytes) => {
          if (!socket.writable) return
          socket.write(bytes, written)
          isBehind ||= socket.writableLength > 0
        },
        pendingBytes: () => socket.writableLength,
        read: ({ onBytes, onDrain }) =>
          Effect.callback((resume) => {
            if (socket.destroyed) return resume(closed())
            drained = onDrain
            const onClose = () => resume(closed())
            const stop = listen(onBytes)
            // Sockets come paused, so that no byte is read before there is a listener.
            socket.once("close", onClose).resume()
            return Effect.sync(() => {
              socket.pause().off("close", onClose)
              stop()
              drained = () => {}
            })
          })
      }
    }),
    () => Effect.sync(() => close(socket))
  )

/** How long the other side may take to read the last bytes: it may be frozen. */
const lastBytesMs = 1_000

const close = (socket: Net.Socket): void => {
  const timer = setTimeout(() => socket.destroy(), lastBytesMs)
  socket.once("close", () => clearTimeout(timer)).destroySoon()
}

/**
 * Listens, and serves each connection in a fiber of its own, for the life of the scope. Fails with Node's error.
 */
export const listen = (
  options: Net.ListenOptions,
  serve: (link: Link.Link) => Effect.Effect<void, never, Scope.Scope>
): Effect.Effect<void, Error, Scope.Scope> =>
  Effect.gen(function*() {
    const fork = Effect.runForkWith(yield* Effect.context())
    const server = Net.createServer({ pauseOnConnect: true })
    // Waits for the connections, which end before, because their scope is the later one.
    yield* Effect.addFinalizer(() => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void))))
    const connections = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    server.on("connection", (socket) => {
      fork(Effect.scoped(Effect.flatMap(fromSocket(socket), serve))).pipe(Fiber.runIn(connections))
    })
    yield* Effect.callback<void, Error>((resume) => {
      // Also later: one connection that cannot be accepted is not the end of the others.
      server.on("error", (error) => resume(Effect.fail(error))).listen(options, () => resume(Effect.void))
    })
  })

/** The most bytes that are read at once. */
const readBytes = 64 * 1024

/** Opens a Unix socket. Each read uses the same memory: by default Node allocates memory for each. */
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
