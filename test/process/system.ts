/** The suites of workers, on processes of the system. */
import { NodeManager } from "@effect-multiprocessing/node"
import { Effect, Layer } from "effect"
import { fixture, isAlive } from "./harness.ts"
import { type Deployment, Signals } from "./suites/deployment.ts"

/** Workers that are processes. */
export const system: Deployment = {
  name: "of the system",
  layer: (entry) =>
    Layer.merge(
      NodeManager.layerProgram({ entry: fixture(entry) }),
      Layer.succeed(Signals, { signal: (pid, signal) => Effect.sync(() => process.kill(pid, signal)) })
    ),
  isIsolated: true,
  isAlive,
  // Each costs half a second.
  many: 5
}
