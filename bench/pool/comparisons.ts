/** Which pools are compared with ours: as many tasks at once as `fibers` says, by two workers of one program. */
import * as Effect from "effect/Effect"
import { contestant } from "../child.ts"
import type { Comparison, Start, Task } from "../rounds.ts"
import { workers } from "./batches.ts"
import * as PythonPool from "./pythonPool.ts"

const execute: Task = { operation: "pool.execute", fibers: 20_000, clients: workers }
const map: Task = { operation: "pool.map", fibers: 200_000, clients: workers }

/** A program that has the pool: one, whatever the number of its workers. */
const program = (name: string): Start => () => contestant(1, new URL(`./${name}.ts`, import.meta.url))

/** All of them, in this order. */
export const pools: ReadonlyArray<Comparison> = [
  { task: execute, ours: program("ours"), peer: { name: "piscina", start: program("piscina") } },
  { task: execute, ours: program("ours"), peer: { name: "workerpool", start: program("workerpool") } },
  {
    task: map,
    ours: program("ours"),
    peer: { name: "python-pool", needs: "python3", start: () => Effect.succeed(PythonPool.contestant) }
  }
]
