/** The peers of shared objects: programs with the same operations, or some of them. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { contestant, server } from "./child.ts"
import { freePort } from "./deployments.ts"
import * as PostgresServer from "./peers/postgresServer.ts"
import * as PythonManager from "./peers/pythonManager.ts"
import * as RedisServer from "./peers/redisServer.ts"
import type { Contestant, Peer, Start, Task } from "./rounds.ts"

/** How many calls are in flight, and from how many processes. */
export type Shape = Pick<Task, "fibers" | "clients">

/** A peer of shared objects. */
export interface ObjectPeer extends Peer {
  /** The shapes in which a comparison with this peer is meaningful. */
  readonly shapes: ReadonlyArray<Shape>
}

/** One call at a time, from one process. */
export const alone: Shape = { fibers: 1, clients: 1 }

/** Many calls at a time, from one process. */
export const many: Shape = { fibers: 256, clients: 1 }

const several: Shape = { fibers: 1, clients: 4 }
/** Many calls at a time, from several processes. */
export const manyOfSeveral: Shape = { fibers: 256, clients: 4 }

const everywhere = [alone, several, many, manyOfSeveral]

/** The same contestant, with another operation. */
export const withOperation = (start: Start, operationOf: (operation: string) => string): Start => (folder, clients) =>
  Effect.map(
    start(folder, clients),
    (contestant) => (task) => contestant({ ...task, operation: operationOf(task.operation) })
  )

/** A redis-server of these settings, and its clients. */
const redis = (
  name: string,
  shapes: ReadonlyArray<Shape>,
  settings: (folder: string) => Effect.Effect<RedisServer.Settings>
): ObjectPeer => ({
  name,
  needs: RedisServer.program,
  shapes,
  start: (folder, clients) =>
    Effect.flatMap(settings(folder), (settings) =>
      Effect.andThen(
        RedisServer.start(settings, folder),
        contestant(clients, new URL("./peers/nodeRedis.ts", import.meta.url), settings.unixsocket ?? settings.port)
      ))
})

const atSocket = (folder: string): RedisServer.Settings => ({ port: "0", unixsocket: join(folder, "redis") })

export const nodeRedis = redis("node-redis", everywhere, (folder) => Effect.succeed(atSocket(folder)))

const forTransactions = [alone, { fibers: 64, clients: 4 }]

/** `WATCH`, reads, and `MULTI` to `EXEC`, as its documentation shows them: each waits for the one before. */
export const redisWatchMulti: ObjectPeer = { ...nodeRedis, name: "redis-watch-multi", shapes: forTransactions }

/** The reads leave together with `WATCH`. */
export const redisWatchMultiPipelined: ObjectPeer = {
  ...redisWatchMulti,
  name: "redis-watch-multi-pipelined",
  start: withOperation(nodeRedis.start, (operation) => `${operation}-pipelined`)
}

/** At a port of loopback. */
export const nodeRedisTcp = redis(
  "node-redis-tcp",
  [manyOfSeveral],
  () => Effect.map(freePort, (port) => ({ port: `${port}` }))
)

/** Its replies leave when its file has all that led to them. */
export const nodeRedisAof = redis(
  "node-redis-aof",
  [alone, many],
  (folder) => Effect.succeed({ ...atSocket(folder), appendonly: "yes", appendfsync: "always" })
)

/** A program that appends to a log in PostgreSQL, one entry for each call. */
const appending = (name: string, program: URL): ObjectPeer => ({
  name,
  needs: PostgresServer.program,
  shapes: [alone],
  start: (_, clients) => Effect.flatMap(PostgresServer.start(false), (url) => contestant(clients, program, url))
})

/** The statement alone. */
export const bareAppend = appending("bare-append", new URL("./peers/bareAppend.ts", import.meta.url))

/** The log of a manager, without the manager. */
export const logAppend = appending("log-append", new URL("./peers/logAppend.ts", import.meta.url))

export const pythonManager: ObjectPeer = {
  name: "python-manager",
  needs: PythonManager.program,
  shapes: everywhere,
  start: () => PythonManager.start
}

/** A server and clients without a manager. Each message is one call; an operation may have several. */
const bare = (name: string, shapes: ReadonlyArray<Shape>, serverFile: URL, clientFile: URL): ObjectPeer => ({
  name,
  shapes,
  start: (folder, clients) => {
    const path = join(folder, name)
    return Effect.map(
      Effect.andThen(server(serverFile, path), contestant(clients, clientFile, path)),
      (messages): Contestant => (task) => (milliseconds) =>
        Effect.map(messages(task)(milliseconds), (rate) => rate / (task.calls ?? 1))
    )
  }
})

export const bareEcho = bare(
  "bare-echo",
  [many, manyOfSeveral],
  new URL("./peers/bareEchoServer.ts", import.meta.url),
  new URL("./peers/bareEcho.ts", import.meta.url)
)

export const rawPingpong = bare(
  "raw-pingpong",
  [alone],
  new URL("./peers/rawPingpongServer.ts", import.meta.url),
  new URL("./peers/rawPingpong.ts", import.meta.url)
)
