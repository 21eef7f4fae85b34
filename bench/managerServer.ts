/** Ours: the manager. Arguments: `deployments.ts`. */
import { NodeManager } from "@effect-multiprocessing/node"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { serve } from "./child.ts"
import { Counter } from "./counter.ts"
import { serverOf } from "./deployments.ts"

const [url = "", key = "", folder = "", file = ""] = process.argv.slice(2)
const options = serverOf([url, key, folder, file])

const layer = file === ""
  ? NodeManager.layerServer({ ...options, kinds: [Counter] })
  : NodeManager.layerDurable({ ...options, path: file })

NodeRuntime.runMain(Effect.provide(serve, layer))
