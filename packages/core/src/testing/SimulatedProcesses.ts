/**
 * The services of a simulated program: the spawner that starts simulated processes, and the simulator.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Manager } from "../Manager.ts"
import { ProcessExited, ProcessSpawner, serve, SpawnError, type Started } from "../Process.ts"
import type { Client, Ended, Program } from "./SimulatedClients.ts"

/** The simulated process in which an effect runs. `simulate` provides it. */
export class Simulator extends Context.Service<Simulator, {
  readonly client: Client
  /** Makes an effect the program of another process. */
  readonly programOf: (effect: Effect.Effect<unknown, unknown, SimulatedServices>) => Program
}>()("@effect-multiprocessing/core/testing/Simulator") {}

/** The services of a simulated program. */
export type SimulatedServices = Manager | ProcessSpawner | Simulator | Scope.Scope

/** The handlers of all tasks that simulated processes run. */
export type SimulatedTasks = Layer.Layer<never, unknown, Manager | ProcessSpawner | Simulator>

/** Makes an effect a program whose processes run the tasks. */
export const programWith = (tasks: SimulatedTasks) => {
  const programOf = (effect: Effect.Effect<unknown, unknown, SimulatedServices>): Program => (client) =>
    effect.pipe(
      Effect.provideService(ProcessSpawner, spawner(client)),
      Effect.provideService(Simulator, { client, programOf })
    )
  const spawner = (client: Client) =>
    ProcessSpawner.of({
      parallelism: 2,
      startTimeout: "30 seconds",
      spawn: (assignment, { grace, name }) =>
        Effect.map(
          client.start({ name, grace, program: programOf(Effect.provide(serve(assignment), tasks)) }),
          ({ ended, isRunning, number, signal }): Started => ({
            pid: number,
            exit: Effect.map(ended, exitOf),
            isRunning: Effect.sync(isRunning),
            lastLines: Effect.map(ended, lastLinesOf),
            kill: (name = "SIGKILL") => Effect.sync(() => signal(name))
          })
        ),
      spawnLinked: (_, { task }) =>
        Effect.fail(new SpawnError({ task, issue: "pools are not simulated; simulate their tasks with Process.run" }))
    })
  return programOf
}

/**
 * Runs an effect in a simulated process with a connection of its own, and waits for its end: for tests that have
 * clients but no tasks. The effect must open its shared objects itself, because they belong to its connection.
 *
 * **Cancellation** Ends the process after its finalizers. **On disconnect** The calls of the effect fail. If a fault
 * kills the process, this fails with `ProcessExited`.
 */
export const inProcess = <A, E>(
  effect: Effect.Effect<A, E, SimulatedServices>,
  options: { readonly name: string }
): Effect.Effect<A, E | ProcessExited, Simulator> =>
  Effect.scoped(Effect.gen(function*() {
    const { client, programOf } = yield* Simulator
    let result: Exit.Exit<A, E> | undefined
    const { ended, number } = yield* client.start({
      name: options.name,
      grace: "5 seconds",
      program: programOf(Effect.onExit(effect, (exit) => Effect.sync(() => result = exit)))
    })
    const end = yield* ended
    if (result !== undefined) return yield* result
    const lastLines = lastLinesOf(end)
    return yield* new ProcessExited({
      process: options.name,
      task: "inProcess",
      pid: number,
      hasBegun: true,
      lastLines,
      ...exitOf(end)
    })
  }))

/** Runs an effect in a fiber that the fault `cancel` may interrupt at any step. Returns its exit. */
export const cancellable = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Exit.Exit<A, E>, never, R | Simulator> =>
  Effect.flatMap(Simulator, ({ client }) => client.cancellable(effect))

// internals

/** The exit of a process whose program was run by `runMain`. */
const exitOf = (ended: Ended): { readonly code: number | null; readonly signal: string | null } =>
  ended === "killed"
    ? { code: null, signal: "SIGKILL" }
    : { code: Exit.isSuccess(ended) ? 0 : Cause.hasInterruptsOnly(ended.cause) ? 130 : 1, signal: null }

const lastLinesOf = (ended: Ended): ReadonlyArray<string> =>
  ended === "killed" || Exit.isSuccess(ended) ? [] : Cause.pretty(ended.cause).split("\n")
