/**
 * Unix sockets: listening and connecting. The only file that imports Effect's unstable socket modules.
 */
import { type Link, Manager, type ManagerError } from "@effect-multiprocessing/core"
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import type * as Mac from "effect/crypto/Mac"
import type * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as NetLink from "./netLink.ts"
import { reasonOf } from "./reason.ts"

/** The server whose links come from a listener. */
type Serving = Effect.Success<ReturnType<typeof Manager.makeServer>>

/** Node's own cryptography: the functions of WebCrypto, without a promise for each call. */
export const layerCrypto: Layer.Layer<Mac.Mac | SecureRandom.SecureRandom> = Layer.provideMerge(
  NodeCrypto.layerMac,
  NodeCrypto.layerSecureRandom
)

/**
 * A path for a socket, in a new folder that only this user can enter, for the life of the scope. `/dev/shm` comes last:
 * it is writable in a container whose file system is read-only. Fails with the reason, as text for people.
 */
export const makePath: Effect.Effect<string, string, FileSystem.FileSystem | Scope.Scope> = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const parents = [...new Set([process.env["TMPDIR"] || "/tmp", "/tmp", "/dev/shm"])].filter(hasRoom)
  const issues: Array<string> = []
  for (const directory of parents) {
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

/** Whether a socket's path in this folder stays below the limit: a deep temporary folder has no room. */
const hasRoom = (folder: string): boolean => folder.length <= 60

/** Whether a file exists at a path. */
export const exists = (path: string): Effect.Effect<boolean, never, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => Effect.orElseSucceed(fs.exists(path), () => false))

/** Serves a manager on a Unix socket, for the life of the scope. Fails with the reason, as text for people. */
export const listen = (
  server: Serving,
  path: string
): Effect.Effect<void, string, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function*() {
    const bytes = new TextEncoder().encode(path).length
    if (bytes > pathBytesMax) {
      return yield* Effect.fail(
        `the path of a Unix socket may have ${pathBytesMax} bytes, this one has ${bytes}. Use a shorter path`
      )
    }
    const fs = yield* FileSystem.FileSystem
    const bind = NodeSocketServer.make({ path, backlog: 1_024 })
    const listener = yield* Effect.catch(bind, (error) =>
      Effect.flatMap(isStale(path), (stale) =>
        stale ? Effect.andThen(Effect.ignore(fs.remove(path)), bind) : Effect.fail(error))).pipe(
        Effect.mapError(reasonOf)
      )
    // The listener provides each handler with its own socket; the type of `run` does not say so.
    const serve = listener.run(() =>
      Effect.scoped(
        NodeSocket.NetSocket.use((socket) =>
          Effect.flatMap(NetLink.fromSocket(socket), server.serve)
        )
      ) as Effect.Effect<void>
    )
    yield* Effect.forkScoped(serve)
    // Added last, so run first: the clients get a goodbye before their connections are cut (S-12).
    yield* Effect.addFinalizer(() => server.close)
  })

/** Whether no process listens on a socket, because its owner was killed. */
const isStale = (path: string): Effect.Effect<boolean> =>
  Effect.scoped(NetLink.connect(path)).pipe(
    Effect.as(false),
    Effect.catch(({ reason }) => Effect.succeed(reason.includes("ECONNREFUSED")))
  )

/** Connects to a manager that listens on a Unix socket, for the life of the scope. */
export const connect = (
  endpoint: Manager.Endpoint,
  name: string
): Effect.Effect<Manager.Manager["Service"], ManagerError.ManagerError, Scope.Scope> => {
  const { key, path } = endpoint
  // When many clients start together, the listener's queue may be full for a moment.
  const schedule = Schedule.exponential(5).pipe(Schedule.upTo({ duration: "2 seconds" }))
  const open = Effect.retry(NetLink.connect(path), { schedule, while: isBusy })
  return Manager.makeConnected(open, { address: path, key, label: { name, pid: process.pid }, endpoint }).pipe(
    Effect.provide(layerCrypto)
  )
}

const isBusy = ({ reason }: Link.LinkClosed): boolean => /EAGAIN|ECONNREFUSED/.test(reason)
