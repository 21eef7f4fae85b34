/** A client that makes one call after another. Arguments: the path of the manager's socket, and its key. */
import { NodeManager } from "@effect-multiprocessing/node"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { answer } from "../child.ts"
import { slowest } from "../loops.ts"
import { operations } from "../operations.ts"

const [path = "", key = ""] = process.argv.slice(2)

const main = Effect.gen(function*() {
  const call = yield* operations["ref.get"]!("called", 1)
  yield* answer(() => slowest(call))
}).pipe(Effect.scoped)

NodeRuntime.runMain(Effect.provide(main, NodeManager.layerClient({ path, key: Redacted.make(key) })))
