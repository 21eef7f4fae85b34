/** The comparisons of shared objects: operations, peers and shapes. */
import * as Effect from "effect/Effect"
import { contestant, server } from "./child.ts"
import { argumentsOf, type Deployment } from "./deployments.ts"
import {
  alone,
  bareAppend,
  bareEcho,
  logAppend,
  many,
  manyOfSeveral,
  nodeRedis,
  nodeRedisAof,
  nodeRedisTcp,
  type ObjectPeer,
  pythonManager,
  rawPingpong,
  redisWatchMulti,
  redisWatchMultiPipelined,
  type Shape,
  withOperation
} from "./peers.ts"
import * as PostgresServer from "./peers/postgresServer.ts"
import type { Comparison, Start, Task } from "./rounds.ts"

/** Starts servers in processes of their own, the first of which is a manager, and then clients. */
const clientsOf = (deployment: Deployment, ...servers: ReadonlyArray<URL>): Start => (folder, clients) =>
  Effect.flatMap(argumentsOf(deployment, folder), (args) =>
    Effect.andThen(
      Effect.forEach(servers, (file) => server(file, ...args)),
      contestant(clients, new URL("./client.ts", import.meta.url), ...args)
    ))

const managerServer = new URL("./managerServer.ts", import.meta.url)

const clientsOfManager = clientsOf("unix", managerServer)

/** An operation on a shared object (`operations.ts`), and the peers that have it. */
interface Operation extends Pick<Task, "operation" | "calls">, Pick<Comparison, "plan" | "variant" | "needs"> {
  readonly peers: ReadonlyArray<ObjectPeer>
  /** Replaces a manager and its clients, where more is needed. */
  readonly ours?: Start
  /** Replaces the shapes of the peers, where those have no meaning. */
  readonly shapes?: ReadonlyArray<Shape>
}

const compared = (
  { needs, ours = clientsOfManager, peers, plan, shapes, variant, ...task }: Operation
): ReadonlyArray<Comparison> =>
  peers.flatMap((peer) =>
    (shapes ?? peer.shapes).map((shape) => ({ task: { ...task, ...shape }, variant, needs, ours, peer, plan }))
  )

/** Ours, with another operation. */
const ourOwn = (
  name: string,
  shapes: ReadonlyArray<Shape>,
  operationOf: (operation: string) => string
): ObjectPeer => ({ name, shapes, start: withOperation(clientsOfManager, operationOf) })

/** One call for each item. */
const oneByOne = ourOwn("one-by-one", [alone], (operation) => `${operation}-single`)

/** The same operation of a manager in memory, at a Unix socket. */
const unixSocket = ourOwn("unix-socket", [manyOfSeveral], (operation) => operation)

/** One round trip to the manager. */
const refGet = ourOwn("ref.get", [alone, many], () => "ref.get")

/** The same change of a built-in type. */
const sharedNumberAdd = ourOwn("shared-number.add", [alone, many], () => "ref.add")

const operations: ReadonlyArray<Operation> = [
  { operation: "ref.get", peers: [pythonManager, nodeRedis, rawPingpong] },
  { operation: "ref.set", peers: [pythonManager, nodeRedis, rawPingpong] },
  { operation: "ref.increment", peers: [pythonManager, nodeRedis, rawPingpong] },
  { operation: "map.get", peers: [pythonManager, nodeRedis, rawPingpong, bareEcho] },
  { operation: "map.set", peers: [pythonManager, nodeRedis, rawPingpong, bareEcho] },
  { operation: "queue.put+take", calls: 2, peers: [pythonManager, nodeRedis, rawPingpong, bareEcho] },
  { operation: "list.append", peers: [pythonManager, nodeRedis, rawPingpong] },
  // One call, not two: a release has no reply to wait for.
  { operation: "lock.lock+unlock", peers: [pythonManager, rawPingpong] },
  {
    operation: "barrier.round",
    peers: [pythonManager],
    shapes: [{ fibers: 1, clients: 8 }],
    // Each of the eight processes makes only an eighth of the calls, so it warms up for longer.
    plan: { warmUpMs: 5_000, roundMs: 1_000 }
  },
  { operation: "object.create", peers: [pythonManager, rawPingpong] },
  {
    operation: "tx.transfer",
    peers: [redisWatchMulti, redisWatchMultiPipelined],
    // A call is two requests, of seven calls together: V8 needs longer to optimize its code.
    plan: { warmUpMs: 10_000, pairs: 9 }
  },
  { operation: "queue.put+take-100", peers: [oneByOne] },
  { operation: "kind.change", peers: [sharedNumberAdd] },
  {
    operation: "actor.call",
    ours: clientsOf("unix", managerServer, new URL("./actorHost.ts", import.meta.url)),
    peers: [refGet, nodeRedis],
    shapes: [alone, many]
  },
  { operation: "map.set", variant: "tcp", ours: clientsOf("tcp", managerServer), peers: [unixSocket, nodeRedisTcp] },
  { operation: "map.set", variant: "tls", ours: clientsOf("tls", managerServer), peers: [unixSocket] },
  { operation: "map.set", variant: "file", ours: clientsOf("file", managerServer), peers: [nodeRedisAof] },
  {
    operation: "map.set",
    variant: "postgres",
    needs: PostgresServer.program,
    ours: clientsOf("postgres", managerServer),
    peers: [logAppend, bareAppend],
    // A call waits for the disk, whose times differ, and V8 sees few of them in a second.
    plan: { warmUpMs: 10_000, pairs: 9, roundMs: 1_000 }
  },
  ...(["postgres", "standby"] as const).map((variant): Operation => ({
    operation: "map.set",
    variant,
    needs: PostgresServer.program,
    ours: clientsOf(variant, managerServer),
    peers: [nodeRedisAof],
    shapes: [many]
  }))
]

/** All comparisons of shared objects, in this order. */
export const objects: ReadonlyArray<Comparison> = operations.flatMap(compared)

/** The most telling ones. */
export const fewObjects: ReadonlyArray<Comparison> = [
  ...compared({ operation: "map.set", peers: [nodeRedis], shapes: [many] }),
  ...compared({ operation: "map.get", peers: [nodeRedis], shapes: [many] }),
  ...compared({ operation: "map.set", peers: [pythonManager, bareEcho], shapes: [many] }),
  ...compared({ operation: "ref.get", peers: [rawPingpong], shapes: [alone] })
]
