/** Ours: the manager. Arguments: `deployments.ts`. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { serve } from "./child.ts"
import { layerServer, ownArguments } from "./deployments.ts"

NodeRuntime.runMain(Effect.provide(serve, layerServer(ownArguments())))
