/** The peers of shared objects: programs with the same operations, or some of them. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import { contestant, server } from "./child.ts"
import * as PythonManager from "./peers/pythonManager.ts"
import * as RedisServer from "./peers/redisServer.ts"
import type { Contestant, Peer, Task } from "./rounds.ts"

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
const manyOfSeveral: Shape = { fibers: 256, clients: 4 }

const everywhere = [alone, several, many, manyOfSeveral]

export const nodeRedis: ObjectPeer = {
  name: "node-redis",
  needs: RedisServer.program,
  shapes: everywhere,
  start: (folder, clients) => {
    const path = join(folder, "redis")
    return Effect.andThen(
      RedisServer.start(path, folder),
      contestant(clients, new URL("./peers/nodeRedis.ts", import.meta.url), path)
    )
  }
}

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
