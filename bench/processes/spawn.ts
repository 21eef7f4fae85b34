/** Ours: `Process.spawn`, with a running manager. */
import { Process } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { answer } from "../child.ts"
import { starts } from "./starts.ts"
import { Echo, Tasks } from "./tasks.ts"

const firstResult = Effect.flatMap(Process.spawn(Tasks, Echo, { n: 1 }), ({ result }) => result)

const layerSpawner = NodeManager.layerSpawner(new URL("./entry.ts", import.meta.url)).pipe(
  Layer.provide(NodeServices.layer)
)

NodeRuntime.runMain(Effect.provide(answer(() => starts(firstResult)), Layer.merge(NodeManager.layer, layerSpawner)))
