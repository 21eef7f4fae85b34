/**
 * node-redis, with its own auto-pipelining: commands of one turn of the event loop leave together. Argument: the path of
 * a Unix socket, or a port of loopback.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { createClient, WatchError } from "redis"
import { answer } from "../child.ts"
import { promises } from "../loops.ts"
import { keyAt, keys, value } from "../workload.ts"

const [place = ""] = process.argv.slice(2)

const socket = /^\d+$/.test(place)
  ? { host: "127.0.0.1", port: Number(place), tls: false } as const
  : { path: place, tls: false } as const

type Client = Awaited<ReturnType<typeof connect>>

const connect = () => createClient({ socket }).on("error", () => {}).connect()

type Balances = readonly [from: string | null, to: string | null]

/** Reads both accounts in one round trip after the `WATCH`: https://redis.io/docs/latest/develop/clients/nodejs/transpipe */
const readInTurn = async (client: Client, from: string, to: string): Promise<Balances> => {
  await client.watch([from, to])
  const [has = null, had = null] = await client.mGet([from, to])
  return [has, had]
}

/** Both commands leave together. */
const readAtOnce = async (client: Client, from: string, to: string): Promise<Balances> => {
  const [, [has = null, had = null]] = await Promise.all([client.watch([from, to]), client.mGet([from, to])])
  return [has, had]
}

/** `WATCH` is of one connection, so each transaction needs one of its own. */
const transferOver = (free: Array<Client>, read: typeof readInTurn) => async (position: number): Promise<void> => {
  const [from, to] = [keyAt(position), keyAt(position + 1)]
  const client = free.pop() ?? await connect()
  for (let isDone = false; !isDone;) {
    const [has, had] = await read(client, from, to)
    isDone = await client.multi().set(from, Number(has) - 1).set(to, Number(had) + 1).exec()
      .then(() => true, (error) => {
        if (error instanceof WatchError) return false
        throw error
      })
  }
  free.push(client)
}

const main = Effect.gen(function*() {
  const client = yield* Effect.acquireRelease(
    Effect.promise(connect),
    (client) => Effect.sync(() => client.destroy())
  )
  yield* Effect.promise(() => Promise.all([client.set("ref", 1), ...keys.map((key) => client.set(key, value))]))
  const connections: Array<Client> = []
  yield* Effect.addFinalizer(() => Effect.sync(() => connections.forEach((client) => client.destroy())))
  const operations: Record<string, (position: number) => Promise<unknown>> = {
    "ref.get": () => client.get("ref"),
    "ref.set": (position) => client.set("ref", position),
    "ref.increment": () => client.incr("ref"),
    "map.get": (position) => client.get(keyAt(position)),
    "map.set": (position) => client.set(keyAt(position), value),
    // It never blocks the connection, because each caller adds an item before it takes one.
    "queue.put+take": async () => {
      await client.rPush("queue", value)
      await client.blPop("queue", 0)
    },
    // Redis passes no call on to another process: this is a round trip to its server alone.
    "actor.call": () => client.get("ref"),
    "list.append": () => client.rPush("list", value),
    "tx.transfer": transferOver(connections, readInTurn),
    "tx.transfer-pipelined": transferOver(connections, readAtOnce)
  }
  yield* answer((task) => promises(task.fibers, operations[task.operation]!))
})

NodeRuntime.runMain(Effect.scoped(main))
