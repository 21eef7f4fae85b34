/** Processes and pools in memory do what those of the system do. */
import { layerProgram, MemoryWorkers } from "@effect-multiprocessing/core/testing"
import { Layer } from "effect"
import { type Deployment, Signals } from "./suites/deployment.ts"
import { holders } from "./suites/holders.ts"
import { pools } from "./suites/pools.ts"
import { processes } from "./suites/processes.ts"

/** Workers that are fibers. */
const memory: Deployment = {
  name: "in memory",
  layer: (_, tasks) => Layer.provideMerge(Layer.effect(Signals, MemoryWorkers), layerProgram({ tasks })),
  isIsolated: false,
  isAlive: () => false,
  many: 50
}

for (const suite of [processes, holders, pools]) suite(memory)
