/**
 * Three programs that are started separately share a queue: one serves it, one adds a word, and one takes it. The
 * remote manager of Python's documentation, to which SuperFastPython's author refers a reader (SEED-31, 32).
 *
 *     $ npm run example examples/10_three_programs.ts serve &
 *     serving
 *     $ npm run example examples/10_three_programs.ts put
 *     put hello
 *     $ npm run example examples/10_three_programs.ts get
 *     got hello
 *
 * The programs run on one machine, because the address is a Unix socket. Every program with the path and the key may
 * connect.
 */
import { SharedQueue } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted, Schema } from "effect"
import { tmpdir } from "node:os"
import { join } from "node:path"

class Words extends SharedQueue.Service<Words>()("remote/Words", { item: Schema.String }) {}

const [, , role = "get", path = join(tmpdir(), "three-programs.sock")] = process.argv
const endpoint = { path, key: Redacted.make("abracadabra") }

const serve = Effect.andThen(Console.log("serving"), Effect.never)
const put = Effect.gen(function*() {
  yield* (yield* Words).offer("hello")
  yield* Console.log("put hello")
})
const get = Effect.gen(function*() {
  yield* Console.log("got", yield* (yield* Words).take)
})

const manager = role === "serve" ? NodeManager.layerServer(endpoint) : NodeManager.layerClient(endpoint)
const main: Effect.Effect<void, unknown, Words> = role === "serve" ? serve : role === "put" ? put : get

NodeRuntime.runMain(Effect.provide(main, Layer.provide(Words.layer, manager)))
