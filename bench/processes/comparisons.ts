/** The comparison of processes: the time from a start to the first result. */
import { contestant } from "../child.ts"
import type { Comparison, Task } from "../rounds.ts"

const firstResult: Task = { operation: "process.first-result", fibers: 1, clients: 1 }

/** `Process.spawn`, and a plain start of the same file, which replies as soon as its imports are loaded. */
export const processes: ReadonlyArray<Comparison> = [{
  task: firstResult,
  ours: (_, clients) => contestant(clients, new URL("./spawn.ts", import.meta.url)),
  peer: {
    name: "same-imports",
    start: (_, clients) => contestant(clients, new URL("./plainStart.ts", import.meta.url))
  },
  // One start takes a third of a second.
  plan: { roundMs: 2_000 }
}]
