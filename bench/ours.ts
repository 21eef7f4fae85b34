/**
 * Ours: a client of a manager that is a process of its own.
 */
import { type ManagerError, SharedMap, SharedRef } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { answer } from "./child.ts"
import { fibers } from "./loops.ts"
import { keyAt, keys, value } from "./workload.ts"

const main = Effect.gen(function*() {
  const map = yield* SharedMap.make({ key: Schema.String, value: Schema.String })
  const ref = yield* SharedRef.make({ schema: Schema.Int, initial: 1 })
  yield* Effect.forEach(keys, (key) => map.set(key, value), { concurrency: "unbounded", discard: true })
  const operations: Record<string, (position: number) => Effect.Effect<unknown, ManagerError.ManagerError>> = {
    "map.set": (position) => map.set(keyAt(position), value),
    "map.get": (position) => map.get(keyAt(position)),
    "ref.get": () => ref.get
  }
  yield* answer((task) => fibers(task.fibers, operations[task.operation]!))
})

NodeRuntime.runMain(main.pipe(Effect.scoped, Effect.provide(NodeManager.layer)))
