/**
 * Two programs that are started separately share a queue over TCP: one serves it at a port, and one puts a word into it
 * and gets it back. Python's `BaseManager(address=("", 50000), authkey=b"abracadabra")` (SEED-31, 32, 42).
 *
 *     $ npm run example examples/30_network.ts serve &
 *     serving at emp://127.0.0.1:<port>
 *     $ npm run example examples/30_network.ts emp://127.0.0.1:<port>
 *     put hello, got hello
 *
 * The port is one of this machine alone, because nothing is encrypted. For other machines the server gets a `host` that
 * they reach and certificates, `tls`, and its URL begins with `emps://` (docs/network.md).
 */
import { Manager, SharedQueue } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted, Schema } from "effect"

class Words extends SharedQueue.Service<Words>()("remote/Words", { item: Schema.String }) {}

const [, , role = "serve"] = process.argv
const key = Redacted.make("abracadabra")

const serve = Effect.gen(function*() {
  const { endpoint } = yield* Manager.Manager
  yield* Console.log(`serving at ${endpoint?.urls?.join(", ")}`)
  return yield* Effect.never
})

const putAndGet = Effect.gen(function*() {
  const words = yield* Words
  yield* words.offer("hello")
  yield* Console.log(`put hello, got ${yield* words.take}`)
})

// Port 0 is a free port, which the URL shows.
const manager = role === "serve"
  ? NodeManager.layerServer({ address: { host: "127.0.0.1", port: 0 }, key })
  : NodeManager.layerClient({ url: role, key })
const main: Effect.Effect<void, unknown, Manager.Manager | Words> = role === "serve" ? serve : putAndGet

NodeRuntime.runMain(Effect.provide(main, Layer.provideMerge(Words.layer, manager)))
