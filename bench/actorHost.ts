/** Ours: the host of an actor, a client of a manager in another process. Arguments: `deployments.ts`. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { serve } from "./child.ts"
import { layerClient, ownArguments } from "./deployments.ts"
import { Echo } from "./echo.ts"

const layer = Layer.provide(Echo.layer, layerClient(ownArguments()))

NodeRuntime.runMain(
  Effect.provide(Effect.raceFirst(serve, Echo.serve({ echo: Effect.succeed }, { prefetch: 64 })), layer)
)
