/** Where managers listen and are reached, and the URLs of these addresses. */
import * as Result from "effect/Result"
import { isIPv6 } from "node:net"
import * as NodePath from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

/** A Unix socket. */
export interface PathAddress {
  readonly path: string
}

/** A port of TCP. */
export interface HostAddress {
  /** A host name, or an address of IPv4 or IPv6. A server listens on every interface at `0.0.0.0` and `::`. */
  readonly host: string
  /** A server that listens at port 0 gets a free one. */
  readonly port: number
}

/** Where a manager listens. */
export type Address = PathAddress | HostAddress

/** What a URL stands for. */
export type Target = PathAddress | HostAddress & { readonly isEncrypted: boolean }

/** The URL of an address. */
export const urlOf = (target: Target): string => {
  if ("path" in target) return pathToFileURL(NodePath.resolve(target.path)).href.replace("file:", "unix:")
  const { host, isEncrypted, port } = target
  return `${isEncrypted ? "emps" : "emp"}://${isIPv6(host) ? `[${host}]` : host}:${port}`
}

const forms = "Use unix:///path, emp://host:port or emps://host:port"

/** What a URL stands for. Fails with the reason, which shows no part of the URL: it may have a key in it. */
export const parse = (text: string): Result.Result<Target, string> => {
  const url = URL.parse(text)
  if (url === null) return Result.fail(`it is not a URL. ${forms}`)
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    return Result.fail("a URL has no key, no query and no fragment: logs show URLs. Give the key as `key`")
  }
  if (url.protocol === "unix:") {
    const path = Result.try(() => fileURLToPath(`file://${url.host}${url.pathname}`))
    return url.host === "" && url.pathname.length > 1 && Result.isSuccess(path)
      ? Result.succeed({ path: path.success })
      : Result.fail(`the URL of a Unix socket has an absolute path and no host. ${forms}`)
  }
  if (url.protocol !== "emp:" && url.protocol !== "emps:") return Result.fail(`its scheme is unknown. ${forms}`)
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1")
  if (host === "" || url.port === "" || url.port === "0") return Result.fail(`it needs a host and a port. ${forms}`)
  if (url.pathname !== "" && url.pathname !== "/") return Result.fail(`it has a path. ${forms}`)
  return Result.succeed({ host, port: Number(url.port), isEncrypted: url.protocol === "emps:" })
}

/** Why something is no port for clients, or for a server; undefined: it is one. */
export const portIssue = (port: number, least = 0): string | undefined =>
  Number.isInteger(port) && port >= least && port <= 65_535
    ? undefined
    : `a port is a whole number from ${least} to 65535, it is ${port}`

/** Why a server cannot advertise a host and a port for its addresses; undefined: it can. */
export const advertiseIssue = (
  advertise: Partial<HostAddress> | undefined,
  addresses: ReadonlyArray<Address>
): string | undefined => {
  if (advertise === undefined) return undefined
  const { host, port } = advertise
  const ports = addresses.filter((address) => "port" in address).length
  if (host !== undefined && Result.isFailure(parse(urlOf({ host, port: 1, isEncrypted: true })))) {
    return "advertise.host is neither a host name nor an address"
  }
  if (port === undefined) return ports > 0 ? undefined : "it listens at no port that `advertise` could be of"
  return ports === 1 ? portIssue(port, 1) : `advertise.port is of one port, and it listens at ${ports}`
}

/** Whether bytes to a host stay on this machine. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^(::ffff:)?127(\.\d{1,3}){3}$/.test(host)

/** Why nobody should send bytes without encryption to a host, or expect them there; undefined: it is this one. */
export const plainIssue = (host: string, remedy: string): string | undefined =>
  isLoopback(host)
    ? undefined
    : `${host} is not loopback, and without TLS everybody on the way reads and may change all values. ${remedy}, or set ` +
      "`allowUnencrypted`"
