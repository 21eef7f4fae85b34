/**
 * Worker processes on Node: a worker is the running program, started again with an assignment.
 */
import { Manager, Process } from "@effect-multiprocessing/core"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import { availableParallelism } from "node:os"
import * as ChildProcess from "./childProcess.ts"
import * as Entry from "./entry.ts"
import * as Instructions from "./instructions.ts"
import * as Recursion from "./recursion.ts"

/** Milliseconds for a worker to end by itself when its owner has been killed. */
const graceMs = 1_000

/**
 * Provides the `ProcessSpawner` that `Process.spawn` and `Pool.make` need. `entry` is the file that workers run; it
 * must call `NodeManager.runMain`. Default: the file that this program was started with. If a TypeScript entry does not
 * exist, the JavaScript file beside it is used, because compilers do not rewrite such URLs. The extension `.js` may be
 * missing, as for `node dist/main`. A missing entry fails `spawn` with `SpawnError`.
 */
export const layerSpawner = (
  entry: URL | string = Entry.ownEntry
): Layer.Layer<Process.ProcessSpawner, never, ChildProcessSpawner | FileSystem.FileSystem> =>
  Layer.effect(
    Process.ProcessSpawner,
    Effect.gen(function*() {
      const spawner = yield* ChildProcessSpawner
      const find = Effect.provideService(Entry.find(entry), FileSystem.FileSystem, yield* FileSystem.FileSystem)

      const start = Effect.fnUntraced(
        function*(assignment: string, { execArgv, grace, name, task }: Process.StartOptions) {
          const { endpoint } = yield* Manager.Manager
          if (endpoint === undefined) {
            const issue =
              "processes cannot reach a manager in memory. Use NodeManager.layer, or in a test layerProgram of core/testing"
            return yield* new Process.SpawnError({ task, issue })
          }
          yield* Recursion.refuse
          const file = yield* Effect.mapError(find, (issue) => new Process.SpawnError({ task, issue }))
          return yield* ChildProcess.start({
            name,
            ...ChildProcess.sameProgram(file, execArgv),
            instructions: Instructions.encode({ endpoint, name, assignment, folder: process.cwd() }),
            grace,
            linked: true,
            guard: { worker: name, graceMs }
          }).pipe(
            Effect.mapError((issue) => new Process.SpawnError({ task, issue })),
            Effect.provideService(ChildProcessSpawner, spawner)
          )
        }
      )

      return Process.ProcessSpawner.of({
        parallelism: availableParallelism(),
        startTimeout: "30 seconds",
        spawn: (assignment, options) =>
          Effect.flatMap(start(assignment, options), (child) =>
            Effect.map(ChildProcess.begun(child.link), (begun) => ({ ...child, begun }))),
        spawnLinked: start
      })
    })
  )
