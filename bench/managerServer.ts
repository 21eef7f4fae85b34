/** Ours: the manager. Arguments: the path of its socket, and its key. */
import { NodeManager } from "@effect-multiprocessing/node"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { serve } from "./child.ts"
import { Counter } from "./counter.ts"

const [path = "", key = ""] = process.argv.slice(2)

NodeRuntime.runMain(Effect.provide(serve, NodeManager.layerServer({ path, key: Redacted.make(key), kinds: [Counter] })))
