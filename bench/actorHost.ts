/** Ours: the host of an actor, a client of a manager in another process. Arguments: the path of its socket, and its key. */
import { NodeManager } from "@effect-multiprocessing/node"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { serve } from "./child.ts"
import { Echo } from "./echo.ts"

const [path = "", key = ""] = process.argv.slice(2)

const layer = Layer.provide(Echo.layer, NodeManager.layerClient({ path, key: Redacted.make(key) }))

NodeRuntime.runMain(
  Effect.provide(Effect.raceFirst(serve, Echo.serve({ echo: Effect.succeed }, { prefetch: 64 })), layer)
)
