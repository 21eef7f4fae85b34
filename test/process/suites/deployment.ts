/** Where the workers of the suites run: the suites mean the same on each. */
import type { Manager, Process } from "@effect-multiprocessing/core"
import { Context, type Effect, type Layer } from "effect"

/** Sends signals to workers by their pids. */
export class Signals extends Context.Service<Signals, {
  readonly signal: (pid: number, signal: Process.Signal) => Effect.Effect<void>
}>()("test/Signals") {}

/** The handlers of a suite's tasks. */
export type Tasks = Layer.Layer<never, unknown, Manager.Manager | Process.ProcessSpawner>

/** A deployment on which the suites run. */
export interface Deployment {
  readonly name: string
  /** A program whose workers have these handlers. `entry` is the fixture in which they are given to `runMain`. */
  readonly layer: (
    entry: string,
    tasks: Tasks
  ) => Layer.Layer<Manager.Manager | Process.ProcessSpawner | Signals, unknown>
  /** Whether each worker has a thread and a memory of its own, and may exit. */
  readonly isIsolated: boolean
  /** Whether the system has a process of this pid. */
  readonly isAlive: (pid: number) => boolean
  /** Number of processes that a test starts when it starts many. */
  readonly many: number
}
