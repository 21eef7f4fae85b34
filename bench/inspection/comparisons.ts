/** The comparison of inspections: how long a client waits for a call while another process inspects a large manager. */
import * as Effect from "effect/Effect"
import { contestant, server } from "../child.ts"
import { argumentsOf } from "../deployments.ts"
import type { Comparison, Contestant, Start, Task } from "../rounds.ts"

const besideInspect: Task = { operation: "call.beside-inspect", fibers: 1, clients: 1 }

/** A large manager, a process that fills it, and a client. In each round the process inspects the manager, or rests. */
const client = (isInspected: boolean): Start => (folder) =>
  Effect.gen(function*() {
    const endpoint = yield* argumentsOf("unix", folder)
    yield* server(new URL("../managerServer.ts", import.meta.url), ...endpoint)
    const inspector = yield* contestant(1, new URL("./inspector.ts", import.meta.url), ...endpoint)
    // The first round ends after the manager has been filled.
    yield* inspector(besideInspect)(0)
    const caller = yield* contestant(1, new URL("./caller.ts", import.meta.url), ...endpoint)
    return ((task) => (milliseconds) => {
      const calls = caller(task)(milliseconds)
      return isInspected
        ? Effect.map(Effect.zip(calls, inspector(task)(milliseconds), { concurrent: true }), ([rate]) => rate)
        : calls
    }) satisfies Contestant
  })

/** A manager that is inspected without a pause, and one that is not. */
export const inspections: ReadonlyArray<Comparison> = [{
  task: besideInspect,
  ours: client(true),
  peer: { name: "undisturbed", start: client(false) },
  // An inspection takes some seconds.
  plan: { pairs: 3, roundMs: 5_000 }
}]
