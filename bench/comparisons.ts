/** What is compared with whom. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { join } from "node:path"
import { contestant, server } from "./child.ts"
import * as PythonManager from "./peers/pythonManager.ts"
import * as RedisServer from "./peers/redisServer.ts"
import type { BenchError, Contestant, Task } from "./rounds.ts"

/** Whom we compare ourselves with. */
export interface Peer {
  readonly name: string
  /** The program without which there is no such peer. */
  readonly needs?: string
  /** Starts it, its sockets in the folder. */
  readonly start: (folder: string) => Effect.Effect<Contestant, BenchError, Scope.Scope>
}

/** One task of one client of ours, against a peer. */
export interface Comparison {
  readonly task: Task
  readonly peer: Peer
}

/** How a comparison is named in the results: operation@fibersxclients/peer. */
export const keyOf = ({ peer, task }: Comparison): string => `${task.operation}@${task.fibers}x1/${peer.name}`

/** A manager in its own process, and one client. */
export const startOurs = contestant(new URL("./ours.ts", import.meta.url))

const nodeRedis: Peer = {
  name: "node-redis",
  needs: RedisServer.program,
  start: (folder) => {
    const path = join(folder, "redis")
    return Effect.andThen(
      RedisServer.start(path, folder),
      contestant(new URL("./peers/nodeRedis.ts", import.meta.url), path)
    )
  }
}

const pythonManager: Peer = {
  name: "python-manager",
  needs: "python3",
  start: () => Effect.succeed(PythonManager.contestant)
}

/** A server and a client without a manager between them. */
const bare = (name: string, serverFile: URL, clientFile: URL): Peer => ({
  name,
  start: (folder) => {
    const path = join(folder, name)
    return Effect.andThen(server(serverFile, path), contestant(clientFile, path))
  }
})

const bareEcho = bare(
  "bare-echo",
  new URL("./peers/bareEchoServer.ts", import.meta.url),
  new URL("./peers/bareEcho.ts", import.meta.url)
)

const rawPingpong = bare(
  "raw-pingpong",
  new URL("./peers/rawPingpongServer.ts", import.meta.url),
  new URL("./peers/rawPingpong.ts", import.meta.url)
)

const set: Task = { operation: "map.set", fibers: 256 }
const get: Task = { operation: "map.get", fibers: 256 }
const alone: Task = { operation: "ref.get", fibers: 1 }

/** Everything that is compared, in this order. */
export const comparisons: ReadonlyArray<Comparison> = [
  { task: set, peer: nodeRedis },
  { task: get, peer: nodeRedis },
  { task: set, peer: pythonManager },
  { task: set, peer: bareEcho },
  { task: alone, peer: rawPingpong }
]
