/** Processes: from the start of one to its first result. */
import { contestant } from "../child.ts"
import type { Comparison, Task } from "../rounds.ts"

const firstResult: Task = { operation: "process.first-result", fibers: 1, clients: 1 }

/** `Process.spawn`, against a start of the same file by hand, that answers as soon as its imports are there. */
export const processes: ReadonlyArray<Comparison> = [{
  task: firstResult,
  ours: (_, clients) => contestant(clients, new URL("./spawn.ts", import.meta.url)),
  peer: {
    name: "same-imports",
    start: (_, clients) => contestant(clients, new URL("./plainStart.ts", import.meta.url))
  },
  // A start takes a third of a second.
  plan: { roundMs: 2_000 }
}]
