/**
 * node-redis over a Unix socket, with its own auto-pipelining: commands of one turn of the event loop leave together.
 * Argument: the path of the socket.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { createClient } from "redis"
import { answer } from "../child.ts"
import { promises } from "../loops.ts"
import { keyAt, keys, value } from "../workload.ts"

const [path = ""] = process.argv.slice(2)

const main = Effect.gen(function*() {
  const client = yield* Effect.acquireRelease(
    Effect.promise(() => createClient({ socket: { path, tls: false } }).on("error", () => {}).connect()),
    (client) => Effect.sync(() => client.destroy())
  )
  yield* Effect.promise(() => Promise.all([client.set("ref", 1), ...keys.map((key) => client.set(key, value))]))
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
    "list.append": () => client.rPush("list", value)
  }
  yield* answer((task) => promises(task.fibers, operations[task.operation]!))
})

NodeRuntime.runMain(Effect.scoped(main))
