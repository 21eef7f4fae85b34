/**
 * Three clients fail with a typed error: one has a wrong key, one finds no server, and one opens a queue with another
 * schema. The remote manager of Python's documentation has a key, too (SEED-32).
 *
 *     $ npm run example examples/26_wrong_key.ts
 *     HandshakeRefused: the manager at <path> refused the connection: the key is wrong. Use the key that the manager was started with
 *     ConnectFailed: cannot connect to the manager at <other>: connect ENOENT <other>. Is it running, and is this its address?
 *     SchemaMismatch: "remote/Words" is shared as String, not as Number & isInt. Use two different names, or the same schema
 */
import { Manager, SharedQueue } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Redacted, Schema } from "effect"

const key = Redacted.make("abracadabra")

/** Opens the queue of another manager with an item schema, and prints why that fails. */
const open = <A, I>(endpoint: Manager.Endpoint, item: Schema.Codec<A, I>) =>
  SharedQueue.make({ name: "remote/Words", item }).pipe(
    Effect.scoped,
    Effect.provide(NodeManager.layerClient(endpoint)),
    Effect.flip,
    Effect.map((error) => error._tag === "ManagerError" ? error.reason : error),
    Effect.flatMap(({ _tag, message }) => Console.log(`${_tag}: ${message}`))
  )

const main = Effect.gen(function*() {
  const path = (yield* Manager.Manager).endpoint!.path!
  yield* SharedQueue.make({ name: "remote/Words", item: Schema.String })
  yield* open({ path, key: Redacted.make("open sesame") }, Schema.String)
  yield* open({ path: `${path}.other`, key }, Schema.String)
  yield* open({ path, key }, Schema.Int)
}).pipe(Effect.scoped)

NodeRuntime.runMain(Effect.provide(main, NodeManager.layerServer({ key })))
