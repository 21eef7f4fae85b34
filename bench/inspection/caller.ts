/** A client that makes one call after another. Arguments: `deployments.ts`. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { answer } from "../child.ts"
import { layerClient, ownArguments } from "../deployments.ts"
import { slowest } from "../loops.ts"
import { operations } from "../operations.ts"

const main = Effect.gen(function*() {
  const call = yield* operations["ref.get"]!("called", 1)
  yield* answer(() => slowest(call))
}).pipe(Effect.scoped)

NodeRuntime.runMain(Effect.provide(main, layerClient(ownArguments())))
