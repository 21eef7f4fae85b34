/** Ours: a client of a manager in another process. Arguments: `deployments.ts`. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { answer } from "./child.ts"
import { layerClient, ownArguments } from "./deployments.ts"
import { fibers } from "./loops.ts"
import { operations } from "./operations.ts"

const main = Effect.gen(function*() {
  let rounds = 0
  yield* answer(({ clients, fibers: count, operation }) => (milliseconds) =>
    Effect.scoped(Effect.gen(function*() {
      // All clients have run the same rounds, so they use the same names for the same objects.
      const call = yield* operations[operation]!(`round-${++rounds}`, clients)
      return yield* fibers(count, call)(milliseconds)
    }))
  )
})

NodeRuntime.runMain(Effect.provide(main, layerClient(ownArguments())))
