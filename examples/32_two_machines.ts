/**
 * Three programs on two machines share a dictionary and a queue of work: one serves them on every interface with TLS, and
 * two on another machine take the work, and write what they have found out. "Over a network between processes running on
 * different machines", as the overview of Python's managers says, and `address=("", 55555)` (SEED-31, 32, 42).
 *
 *     $ npm run example examples/32_two_machines.ts serve ./certificates &
 *     serving at <url>
 *     alder has 5 letters
 *     birch has 5 letters
 *     willow has 6 letters
 *     $ npm run example examples/32_two_machines.ts work
 *     done
 *
 * The server's folder has `server.pem`, `server-key.pem` and `key`. The other machine has a copy of `key`, for its user
 * only, and the certificate of the authority; it is told by variables where the manager is:
 *
 *   export EMP_URL=emps://build-7.example:55555 EMP_KEY_FILE=./key EMP_CA=./ca.pem EMP_GRACE="10 seconds"
 *
 * docs/network.md says how the certificates are made. Improvements: nobody on the way can read or change anything, and a
 * connection that is lost for some seconds loses nothing.
 */
import { Manager, SharedMap, SharedQueue } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted, Schema } from "effect"
import { readFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"

class Trees extends SharedQueue.Service<Trees>()("forest/Trees", { item: Schema.String }) {}
class Letters extends SharedMap.Service<Letters>()("forest/Letters", { key: Schema.String, value: Schema.Int }) {}

const [, , role = "work", folder = ".", port = "55555"] = process.argv

const serve = Effect.gen(function*() {
  const [trees, letters, { endpoint }] = yield* Effect.all([Trees, Letters, Manager.Manager])
  yield* Console.log(`serving at ${endpoint?.urls?.join(", ")}`)
  yield* trees.offerAll(["willow", "alder", "birch"])
  const all = yield* letters.until((letters) => letters.size === 3)
  for (const [tree, count] of [...all].toSorted()) yield* Console.log(`${tree} has ${count} letters`)
  yield* trees.close
  return yield* Effect.never
})

const work = Effect.gen(function*() {
  const [trees, letters] = yield* Effect.all([Trees, Letters])
  // A tree whose worker dies is another worker's.
  const next = trees.process((tree) => letters.set(tree, tree.length))
  yield* Effect.catchTag(Effect.forever(next), "QueueClosed", () => Console.log("done"))
})

const text = (name: string): string => readFileSync(join(folder, name), "utf8")

const server = Layer.suspend(() =>
  NodeManager.layerServer({
    address: { host: "0.0.0.0", port: Number(port) },
    // What the certificate is for, and other machines know.
    advertise: { host: hostname() },
    tls: { cert: text("server.pem"), key: Redacted.make(text("server-key.pem")) },
    key: Redacted.make(text("key").trim())
  })
)

const manager = role === "serve" ? server : NodeManager.layerClientConfig
const main: Effect.Effect<void, unknown, Manager.Manager | Trees | Letters> = role === "serve" ? serve : work

NodeRuntime.runMain(
  Effect.provide(main, Layer.provideMerge(Layer.merge(Trees.layer, Letters.layer), manager))
)
