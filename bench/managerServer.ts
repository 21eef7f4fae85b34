/** Ours: the manager. Arguments: `deployments.ts`. */
import { NodeManager } from "@effect-multiprocessing/node"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { serve } from "./child.ts"
import { Counter } from "./counter.ts"
import { ownArguments, serverOf } from "./deployments.ts"

const args = ownArguments()
const options = serverOf(args)
const file = args[3]

const layer = file === ""
  ? NodeManager.layerServer({ ...options, kinds: [Counter] })
  : NodeManager.layerDurable({ ...options, path: file })

NodeRuntime.runMain(Effect.provide(serve, layer))
