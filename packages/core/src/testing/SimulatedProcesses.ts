/**
 * The services of a simulated program: the spawner that starts simulated processes, and the simulator.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Manager } from "../Manager.ts"
import { ProcessExited, ProcessSpawner } from "../Process.ts"
import * as MemorySpawner from "./MemorySpawner.ts"
import type { Client, Program } from "./SimulatedClients.ts"

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
      Effect.provideService(ProcessSpawner, spawnerOf(client)),
      Effect.provideService(Simulator, { client, programOf })
    )
  const spawnerOf = (client: Client) =>
    MemorySpawner.make((work, { grace, name }) =>
      client.start({ name, grace, program: (owner) => programOf(Effect.provide(work(owner), tasks)) })
    )
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
    const { process } = yield* client.start({
      name: options.name,
      grace: "5 seconds",
      program: () => programOf(Effect.onExit(effect, (exit) => Effect.sync(() => result = exit)))
    })
    const { exit, lastLines, pid } = process.spawned
    const how = yield* exit
    if (result !== undefined) return yield* result
    return yield* new ProcessExited({
      process: options.name,
      task: "inProcess",
      pid,
      hasBegun: true,
      lastLines: yield* lastLines,
      ...how
    })
  }))

/** Runs an effect in a fiber that the fault `cancel` may interrupt at any step. Returns its exit. */
export const cancellable = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Exit.Exit<A, E>, never, R | Simulator> =>
  Effect.flatMap(Simulator, ({ client }) => client.cancellable(effect))
