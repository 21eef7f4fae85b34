/**
 * Listening at Unix sockets, and connecting to a manager wherever it is.
 */
import { Link, Manager, type ManagerError } from "@effect-multiprocessing/core"
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as Clock from "effect/Clock"
import type * as Mac from "effect/crypto/Mac"
import type * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { randomUUID } from "node:crypto"
import { mkdirSync, rmSync } from "node:fs"
import * as NodePath from "node:path"
import * as Address from "./address.ts"
import * as NetLink from "./netLink.ts"
import * as Network from "./network.ts"
import { reasonOf } from "./reason.ts"
import * as Relay from "./relay.ts"
import * as SocketFile from "./socketFile.ts"
import { temporaryFolders } from "./temporaryFolders.ts"

/** The server whose links come from a listener. */
type Serving = Pick<Manager.Server, "serve" | "close">

/** Node's own cryptography: the functions of WebCrypto, without a promise for each call. */
export const layerCrypto: Layer.Layer<Mac.Mac | SecureRandom.SecureRandom> = Layer.provideMerge(
  NodeCrypto.layerMac,
  NodeCrypto.layerSecureRandom
)

/**
 * A path for a socket, in a new folder that only this user can enter, for the life of the scope. Fails with the reason,
 * as text for people.
 */
export const makePath: Effect.Effect<string, string, FileSystem.FileSystem | Scope.Scope> = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const issues: Array<string> = []
  for (const directory of temporaryFolders().filter(hasRoom)) {
    const made = yield* Effect.result(fs.makeTempDirectoryScoped({ prefix: "emp-", directory }))
    if (Result.isSuccess(made)) return `${made.success}/manager`
    issues.push(`in ${directory} (${reasonOf(made.failure)})`)
  }
  return yield* Effect.fail(
    `cannot make a folder for it ${issues.join(" or ")}. Set TMPDIR to a writable folder`
  )
})

/** Bytes of a Unix socket's path, at most: 107 on Linux, 103 on macOS, which has the smallest limit. */
const pathBytesMax = process.platform === "linux" ? 107 : 103

const bytesOf = (text: string): number => new TextEncoder().encode(text).length

/** Why there can be no socket at a path; absent: there can be one. Node takes an empty path for a port of TCP. */
export const issueOf = (path: string): string | undefined => {
  if (typeof path !== "string") return "the path of a Unix socket must be a text"
  if (path === "") return "the path of a Unix socket is empty"
  if (path.includes("\0")) return "the path of a Unix socket has a NUL in it"
  const bytes = bytesOf(path)
  if (bytes <= pathBytesMax) return undefined
  return `the path of a Unix socket may have ${pathBytesMax} bytes, this one has ${bytes}. Use a shorter path`
}

/** Whether a socket's path in this folder stays below the limit: a deep temporary folder has no room. */
const hasRoom = (folder: string): boolean => bytesOf(folder) <= 60

/** Milliseconds between two looks whether the socket's file is still there. */
const lookMs = 1_000

/**
 * Serves a manager on a Unix socket, for the life of the scope. If the socket's file is removed it is made again; if
 * `isOwnFolder`, its folder, too. Fails with the reason, as text for people.
 */
export const listen = (
  server: Serving,
  path: string,
  { isOwnFolder }: { readonly isOwnFolder: boolean }
): Effect.Effect<void, string, Scope.Scope> =>
  Effect.gen(function*() {
    yield* listenOnce(server, path)
    yield* Effect.forkScoped(Effect.forever(Effect.gen(function*() {
      yield* Effect.sleep(lookMs)
      if (SocketFile.touch(path, yield* Clock.currentTimeMillis)) return
      if (isOwnFolder) Result.try(() => mkdirSync(NodePath.dirname(path), { mode: 0o700 }))
      // The earlier listener stays: its connections go on.
      yield* Effect.ignore(listenOnce(server, path))
    })))
    // Added last, so run first: the clients get a goodbye before their connections are cut (S-12).
    yield* Effect.addFinalizer(() => server.close)
  })

const listenOnce = (server: Serving, path: string): Effect.Effect<void, string, Scope.Scope> =>
  Effect.gen(function*() {
    const folder = NodePath.dirname(path)
    const own = NodePath.join(folder, `.${randomUUID().slice(0, 8)}`)
    const issue = issueOf(path) ?? issueOf(own)
    if (issue !== undefined) return yield* Effect.fail(issue)
    // Exclusive: the workers of a `node:cluster` would share one socket.
    const options = { path: own, backlog: 1_024, exclusive: true }
    yield* Effect.mapError(
      NetLink.listen(NetLink.plainListener(), options, server.serve),
      // Node calls it a lack of permission.
      (error) => SocketFile.look(folder) === undefined ? `there is no folder ${folder}` : reasonOf(error)
    )
    const file = SocketFile.look(own)
    yield* Effect.ensuring(SocketFile.link(own, path), Effect.sync(() => rmSync(own, { force: true })))
    yield* Effect.addFinalizer(() => Effect.sync(() => file === undefined || SocketFile.unlink(path, file)))
  })

/**
 * Connects to a manager, for the life of the scope. `isExpected`: a Unix socket that is not there was there, and is made
 * again.
 */
export const connect = (
  endpoint: Manager.Endpoint,
  name: string,
  { isExpected = false } = {}
): Effect.Effect<Manager.Manager["Service"], ManagerError.ManagerError, Scope.Scope> => {
  const { address, isRemote, open } = wayTo(endpoint)
  // When many clients start together, the listener's queue or the manager may be full for a moment.
  const isRelay = endpoint.isRelay === true
  const patience = isRelay ? "30 seconds" : isExpected ? "5 seconds" : "2 seconds"
  const schedule = Schedule.exponential(5).pipe(Schedule.upTo({ duration: patience }))
  const again = isExpected ? /EAGAIN|ECONNREFUSED|ECONNRESET|ENOENT/ : /EAGAIN|ECONNREFUSED|ECONNRESET/
  const patient = Effect.retry(open, { schedule, while: ({ reason }) => again.test(reason) })
  const label = { name: isRemote ? Network.nameHere(name) : name, pid: process.pid }
  const isBusy = ({ reason }: ManagerError.ManagerError) =>
    reason._tag === "HandshakeRefused" && reason.why === "TooManyHandshakes" ||
    // The leader may have changed.
    isRelay && reason._tag === "ConnectFailed"
  const { key, reconnect } = endpoint
  return Manager.makeConnected(patient, { address, key, label, endpoint, reconnect }).pipe(
    Effect.retry({ schedule, while: isBusy }),
    Effect.provide(layerCrypto)
  )
}

/** How to reach a manager. */
interface Way {
  /** For messages. */
  readonly address: string
  readonly isRemote: boolean
  readonly open: Effect.Effect<Link.Link, Link.LinkClosed, Scope.Scope>
}

const wayTo = (endpoint: Manager.Endpoint): Way => {
  if (endpoint.url === undefined) return wayToPath(endpoint.path, endpoint.isRelay)
  const parsed = Address.parse(endpoint.url)
  if (Result.isFailure(parsed)) return noWay("its URL", parsed.failure)
  const target = parsed.success
  return "path" in target
    ? wayToPath(target.path)
    : { address: Address.urlOf(target), isRemote: true, open: Network.connect(target, endpoint) }
}

const wayToPath = (path: string, isRelay = false): Way => {
  const issue = issueOf(path)
  return issue === undefined
    ? { address: path, isRemote: isRelay, open: isRelay ? Relay.connect(path) : NetLink.connect({ path }) }
    : noWay(path, issue)
}

const noWay = (address: string, reason: string): Way => ({
  address,
  isRemote: false,
  open: Effect.fail(new Link.LinkClosed({ reason }))
})
