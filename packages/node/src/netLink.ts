/**
 * A link straight over a socket of Node's: a Unix socket, TCP or TLS. Bytes are handed over in the turn in which Node
 * reads them, and sent bytes are written at once. Neither a fiber nor a queue stands in between; for a single call that
 * is most of the difference to `Link.fromSocket`.
 */
import { Link } from "@effect-multiprocessing/core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Net from "node:net"
import { netReasonOf } from "./netReason.ts"

/** Hands over the bytes that a socket reads, from now on; returns a function that stops that. */
type Listen = (onBytes: (bytes: Uint8Array) => void) => () => void

/** A link over an open socket, for the life of the scope. It closes when the sent bytes have gone out, at
 * the latest after a second. `binding`: that of a link over TLS. */
export const fromSocket = (
  socket: Net.Socket,
  binding?: string
): Effect.Effect<Link.Link, never, Scope.Scope> =>
  make(socket, (onBytes) => {
    socket.on("data", onBytes)
    return () => socket.off("data", onBytes)
  }, binding)

const make = (
  socket: Net.Socket,
  listen: Listen,
  binding?: string
): Effect.Effect<Link.Link, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync((): Link.Link => {
      let failure: Error | undefined
      socket.on("error", (error) => failure = error)
      const reason = () => failure === undefined ? "the other side ended it" : netReasonOf(failure)
      const closed = () => Effect.fail(new Link.LinkClosed({ reason: reason() }))
      let drained = () => {}
      let isBehind = false
      // Not by the event "drain": Node emits it only after more has been pending than the socket's high water mark.
      const written = (error?: Error | null) => {
        if (!isBehind || error || socket.writableLength > 0) return
        isBehind = false
        drained()
      }
      return {
        binding,
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

/** Small frames leave at once. The system asks a silent peer, after these milliseconds, whether it is still there. */
export const tcpOptions = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 } as const

/** What listens for the connections of a manager. */
export interface Listener<S extends Net.Socket> {
  readonly server: Net.Server
  /** The event of a connection that can be used. */
  readonly event: "connection" | "secureConnection"
  readonly link: (socket: S) => Effect.Effect<Link.Link, Link.LinkClosed, Scope.Scope>
}

/** Listens at a Unix socket, or at a port without encryption. */
export const plainListener = (): Listener<Net.Socket> => ({
  server: Net.createServer({ pauseOnConnect: true, ...tcpOptions }),
  event: "connection",
  link: fromSocket
})

const reportDefect = (defect: unknown) =>
  Effect.logError("A defect has ended a connection. All others go on.", Cause.die(defect))

/**
 * Listens, and serves each connection in a fiber of its own, for the life of the scope. Returns the address at which it
 * listens. Fails with Node's error.
 */
export const listen = <S extends Net.Socket>(
  { event, link, server }: Listener<S>,
  options: Net.ListenOptions,
  serve: (link: Link.Link) => Effect.Effect<void, never, Scope.Scope>
): Effect.Effect<ReturnType<Net.Server["address"]>, Error, Scope.Scope> =>
  Effect.gen(function*() {
    const fork = Effect.runForkWith(yield* Effect.context())
    // Waits for the connections, which end before, because their scope is the later one.
    yield* Effect.addFinalizer(() => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void))))
    const connections = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    server.on(event, (socket: S) => {
      const served = Effect.scoped(Effect.flatMap(link(socket), serve))
      fork(Effect.ignore(Effect.tapDefect(served, reportDefect))).pipe(Fiber.runIn(connections))
    })
    yield* Effect.callback<void, Error>((resume) => {
      // Also later: one connection that cannot be accepted is not the end of the others.
      server.on("error", (error) => resume(Effect.fail(error))).listen(options, () => resume(Effect.void))
    })
    return server.address()
  })

/** The most bytes that are read at once. */
const readBytes = 64 * 1024

/**
 * Connects to a Unix socket, or to a port without encryption. Each read uses the same memory: by default Node allocates
 * memory for each.
 */
export const connect = (
  address: { readonly path: string } | { readonly host: string; readonly port: number }
): Effect.Effect<Link.Link, Link.LinkClosed, Scope.Scope> =>
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
      const connecting = open(() => Net.connect({ ...address, ...tcpOptions, onread }).pause(), "connect")
      return Effect.flatMap(restore(connecting), (socket) => make(socket, listen))
    })
  )

/** Waits until a socket can be used. */
export const open = <S extends Net.Socket>(
  connect: () => S,
  event: "connect" | "secureConnect"
): Effect.Effect<S, Link.LinkClosed> =>
  Effect.callback((resume) => {
    const socket = connect()
    socket.once("error", (error) => resume(Effect.fail(new Link.LinkClosed({ reason: netReasonOf(error) }))))
    socket.once(event, () => resume(Effect.succeed(socket)))
    return Effect.sync(() => socket.destroy())
  })
