/** The comparisons of pools: `fibers` tasks at once, in two workers of one program. */
import * as Effect from "effect/Effect"
import { contestant } from "../child.ts"
import type { Comparison, Start, Task } from "../rounds.ts"
import { workers } from "./batches.ts"
import * as PythonPool from "./pythonPool.ts"

const execute: Task = { operation: "pool.execute", fibers: 20_000, clients: workers }
const map: Task = { operation: "pool.map", fibers: 200_000, clients: workers }

/** The program with the pool: one process, whatever the number of its workers. */
const program = (name: string): Start => () => contestant(1, new URL(`./${name}.ts`, import.meta.url))

/** All comparisons of pools, in this order. */
export const pools: ReadonlyArray<Comparison> = [
  { task: execute, ours: program("ours"), peer: { name: "piscina", start: program("piscina") } },
  { task: execute, ours: program("ours"), peer: { name: "workerpool", start: program("workerpool") } },
  {
    task: map,
    ours: program("ours"),
    peer: { name: "python-pool", needs: "python3", start: () => Effect.succeed(PythonPool.contestant) }
  }
]
