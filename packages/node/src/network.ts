/**
 * Ports of TCP, with or without TLS: listening and connecting.
 */
import { Limits, Link, type Manager } from "@effect-multiprocessing/core"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { hostname } from "node:os"
import { type HostAddress, plainIssue, portIssue, urlOf } from "./address.ts"
import * as NetLink from "./netLink.ts"
import { netReasonOf } from "./netReason.ts"
import type { ServerTls } from "./tlsLink.ts"

/** How a server listens at ports. */
export interface ListenOptions {
  readonly tls?: ServerTls | undefined
  /** Allows ports without `tls` beyond loopback. */
  readonly allowUnencrypted?: boolean | undefined
  readonly limits?: Partial<Limits.Limits> | undefined
  /** What clients reach it by, where that is another host or port. */
  readonly advertise?: Partial<HostAddress> | undefined
}

const tlsLink = Effect.promise(() => import("./tlsLink.ts"))

/**
 * Serves a manager at a port, for the life of the scope. Returns the URL at which clients reach it. Fails with the reason,
 * as text for people.
 */
export const listen = (
  { serve }: Pick<Manager.Server, "serve">,
  { host, port }: HostAddress,
  { advertise, allowUnencrypted = false, limits, tls }: ListenOptions
): Effect.Effect<string, string, Scope.Scope> =>
  Effect.gen(function*() {
    const issue = host === ""
      ? "the host is empty. 0.0.0.0 and :: are every interface"
      : portIssue(port) ?? (tls === undefined && !allowUnencrypted
        ? plainIssue(host, "Give `tls`")
        : undefined)
    if (issue !== undefined) return yield* Effect.fail(issue)
    // Exclusive: the workers of a `node:cluster` would share one port.
    const options = { host, port, backlog: 1_024, exclusive: true }
    const bounds = { ...Limits.defaults, ...limits }
    const listening = tls === undefined
      ? NetLink.listen(NetLink.plainListener(), options, serve)
      : NetLink.listen(yield* (yield* tlsLink).listener(tls, bounds), options, serve)
    const address = yield* Effect.mapError(listening, netReasonOf)
    // The address of a port is never a text.
    const bound = typeof address === "object" && address !== null ? address.port : port
    return urlOf({
      host: advertise?.host ?? host,
      port: advertise?.port ?? bound,
      isEncrypted: tls !== undefined
    })
  })

/** The name of a client on this machine: process ids of other machines do not say which machine it is. */
export const nameHere = (name: string): string => `${name}@${hostname()}`

/** Connects to a port. */
export const connect = (
  target: HostAddress & { readonly isEncrypted: boolean },
  { allowUnencrypted = false, tls }: Pick<Manager.UrlEndpoint, "allowUnencrypted" | "tls">
): Effect.Effect<Link.Link, Link.LinkClosed, Scope.Scope> => {
  if (target.isEncrypted) return Effect.flatMap(tlsLink, ({ connect }) => connect(target, tls))
  const issue = tls !== undefined
    ? "the URL is of a port without TLS, but `tls` is given. Use emps://"
    : allowUnencrypted
    ? undefined
    : plainIssue(target.host, "Use emps://")
  return issue === undefined ? NetLink.connect(target) : Effect.fail(new Link.LinkClosed({ reason: issue }))
}
