/** The comparisons of processes: the time from a start to the first result, and to a manager that is ready. */
import { contestant } from "../child.ts"
import type { Comparison, Task } from "../rounds.ts"

const firstResult: Task = { operation: "process.first-result", fibers: 1, clients: 1 }
const ready: Task = { operation: "manager.ready", fibers: 1, clients: 1 }

/** One start takes up to a third of a second. */
const plan = { roundMs: 2_000 }

/**
 * `Process.spawn`, and a plain start of the same file, which replies as soon as its imports are loaded; a manager's
 * process, and a start of Node that does nothing.
 */
export const processes: ReadonlyArray<Comparison> = [{
  task: firstResult,
  ours: (_, clients) => contestant(clients, new URL("./spawn.ts", import.meta.url)),
  peer: {
    name: "same-imports",
    start: (_, clients) => contestant(clients, new URL("./plainStart.ts", import.meta.url))
  },
  plan
}, {
  task: ready,
  ours: (_, clients) => contestant(clients, new URL("./managerStart.ts", import.meta.url)),
  peer: {
    name: "bare-node",
    start: (_, clients) => contestant(clients, new URL("./bareStart.ts", import.meta.url))
  },
  plan
}]
