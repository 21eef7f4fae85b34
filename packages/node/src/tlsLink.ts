/**
 * Links over TLS, with Node's own. Both sides prove the link's binding in the handshake, so a peer between them, which has
 * a link to each, cannot pass their messages on (RFC 9266).
 *
 * A file of its own, loaded when it is needed: to load `node:tls` takes 17 ms.
 */
import { Link, type Manager } from "@effect-multiprocessing/core"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { isIP, type Socket } from "node:net"
import * as Tls from "node:tls"
import type { HostAddress } from "./address.ts"
import * as NetLink from "./netLink.ts"
import { reasonOf } from "./reason.ts"

/** The TLS of a server. Certificates and keys are texts in PEM. */
export interface ServerTls {
  /** The server's certificate, followed by those between it and its authority. */
  readonly cert: string
  /** The private key of `cert`. */
  readonly key: Redacted.Redacted<string>
  /** Certificates of authorities: a client must show a certificate of one of them. Absent: clients need none. */
  readonly clientCa?: string | undefined
  /**
   * The role of each client at most, by the name (CN) in its certificate: whatever its key is. A client whose name is not
   * there is refused. Needs `clientCa`. Absent: the key alone decides.
   */
  readonly clientRoles?: Readonly<Record<string, Manager.Role>> | undefined
}

/** TLS 1.2 would need an extension for a binding that is unique. */
const minVersion = "TLSv1.3"

/** The binding of a link, as "tls-exporter" of RFC 9266 defines it. */
const bindingOf = (socket: Tls.TLSSocket): string =>
  socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0)).toString("hex")

const fromSocket = (socket: Tls.TLSSocket): Effect.Effect<Link.Link, Link.LinkClosed, Scope.Scope> =>
  Effect.try({
    try: () => bindingOf(socket),
    catch: (error) => {
      socket.destroy()
      return new Link.LinkClosed({ reason: `TLS has no binding: ${reasonOf(error)}` })
    }
  }).pipe(Effect.flatMap((binding) => NetLink.fromSocket(socket, binding)))

/** How many connections may be in the handshake of TLS, and for how long. */
interface Bounds {
  readonly unauthenticatedMax: number
  readonly handshakeMs: number
}

/** Node's timers have 31 bits. */
const timerMsMax = 2 ** 31 - 1

/** Listens at a port with TLS, for the life of the scope. Fails with the reason if it cannot use the certificates. */
export const listener = (
  { cert, clientCa, clientRoles, key }: ServerTls,
  { handshakeMs, unauthenticatedMax }: Bounds
): Effect.Effect<NetLink.Listener<Tls.TLSSocket>, string, Scope.Scope> =>
  Effect.gen(function*() {
    const issue = rolesIssue(clientCa, clientRoles)
    if (issue !== undefined) return yield* Effect.fail(issue)
    const server = yield* Effect.try({
      try: () =>
        Tls.createServer({
          cert,
          key: Redacted.value(key),
          ...clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true },
          minVersion,
          handshakeTimeout: Math.min(handshakeMs, timerMsMax),
          ...NetLink.tcpOptions
        }),
      catch: (error) => `its \`tls\` cannot be used: ${reasonOf(error)}`
    })
    // Sockets in the handshake of TLS, by their peers. Afterwards the manager's own handshake counts them.
    const pending = new Map<string, Socket>()
    server.on("connection", (socket: Socket) => {
      const peer = peerOf(socket)
      if (pending.size < unauthenticatedMax) pending.set(peer, socket)
      else socket.destroy()
      socket.once("close", () => pending.get(peer) === socket && pending.delete(peer))
    })
    // Node leaves a connection open whose handshake takes too long.
    server.on("tlsClientError", (_, socket) => socket.destroy())
    server.prependListener("secureConnection", (socket) => pending.delete(peerOf(socket)))
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const socket of pending.values()) socket.destroy()
      })
    )
    const link = clientRoles === undefined
      ? fromSocket
      : (socket: Tls.TLSSocket) =>
        Effect.map(fromSocket(socket), (link) => ({ ...link, roleMax: roleOf(socket, clientRoles) }))
    return { server, event: "secureConnection", link }
  })

const roles: ReadonlyArray<string> = ["owner", "client", "observer"]

/** Why clients cannot have these roles; undefined: they can. */
const rolesIssue = (clientCa: string | undefined, clientRoles: ServerTls["clientRoles"] = {}): string | undefined => {
  const [unknown] = Object.entries(clientRoles).filter(([, role]) => !roles.includes(role))
  if (unknown !== undefined) return `tls.clientRoles gives ${unknown[0]} no role. The roles are ${roles.join(", ")}`
  return clientCa === undefined && Object.keys(clientRoles).length > 0
    ? "tls.clientRoles needs tls.clientCa"
    : undefined
}

/** The role of a client by its certificate, whose authority Node has checked. */
const roleOf = (socket: Tls.TLSSocket, clientRoles: NonNullable<ServerTls["clientRoles"]>): Manager.Role | "none" => {
  // Node has an empty object for a client without a certificate, and a list of several names.
  const name: unknown = socket.getPeerCertificate().subject?.CN
  return typeof name === "string" && Object.hasOwn(clientRoles, name) ? clientRoles[name]! : "none"
}

const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`

/** Connects to a port with TLS. */
export const connect = (
  { host, port }: HostAddress,
  { ca, cert, key, servername = isIP(host) === 0 ? host : undefined }: Manager.ClientTls = {}
): Effect.Effect<Link.Link, Link.LinkClosed, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const secureContext = yield* Effect.try({
        try: () => Tls.createSecureContext({ ca, cert, key: key && Redacted.value(key), minVersion }),
        catch: (error) => new Link.LinkClosed({ reason: `\`tls\` cannot be used: ${reasonOf(error)}` })
      })
      const options = {
        host,
        port,
        secureContext,
        minVersion,
        ...servername === undefined ? {} : { servername }
      } as const
      const connecting = NetLink.open(() => Tls.connect({ ...options, ...NetLink.tcpOptions }), "secureConnect")
      return yield* Effect.flatMap(restore(connecting), fromSocket)
    })
  )
