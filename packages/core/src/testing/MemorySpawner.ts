/** The spawner whose workers are processes in memory. */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Manager } from "../Manager.ts"
import type { ManagerError } from "../ManagerError.ts"
import * as Pool from "../Pool.ts"
import { ProcessSpawner, serve, type StartOptions, type UnknownTask } from "../Process.ts"
import type { Link } from "../transport/Link.ts"
import type { MemoryProcess } from "./MemoryProcess.ts"

/** The work of a worker, once its layers are built. `owner` is the link to the process that started it. */
export type Work = (owner: Link) => Effect.Effect<void, ManagerError | UnknownTask, Manager>

/** A worker, and its owner's end of the link. */
export interface Worker {
  readonly process: MemoryProcess
  readonly link: Link
}

/** Workers at the same time: the fewest that run side by side. */
const parallelism = 2

/**
 * Makes a spawner from what starts one worker for the life of a scope. Workers have no default `startTimeout`: the time
 * of a test may be a simulated one, which jumps.
 */
export const make = (
  start: (work: Work, options: StartOptions) => Effect.Effect<Worker, never, Scope.Scope>
): ProcessSpawner["Service"] =>
  ProcessSpawner.of({
    parallelism,
    startTimeout: Duration.infinity,
    spawn: (assignment, options) =>
      Effect.gen(function*() {
        const begun = yield* Deferred.make<void>()
        const { process } = yield* start(() => serve(assignment, Deferred.succeed(begun, undefined)), options)
        return { ...process.spawned, begun: Deferred.await(begun) }
      }),
    spawnLinked: (assignment, options) =>
      Effect.map(
        start((owner) => Pool.serve(assignment, owner), options),
        ({ link, process }) => ({ ...process.spawned, link })
      )
  })
