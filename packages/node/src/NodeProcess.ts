/**
 * Worker processes on Node: a worker is the running program, started again with an assignment.
 */
import { Manager, Process } from "@effect-multiprocessing/core"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import { availableParallelism } from "node:os"
import * as NodePath from "node:path"
import { fileURLToPath } from "node:url"
import * as ChildProcess from "./childProcess.ts"
import * as Inbox from "./inbox.ts"
import * as Instructions from "./instructions.ts"
import * as NodeOptions from "./nodeOptions.ts"
import { preload } from "./ownFile.ts"
import * as Recursion from "./recursion.ts"

/** Milliseconds for a worker to end by itself when its owner has been killed. */
const graceMs = 1_000

/** What compilers make of a TypeScript file, the most common name first; of another file, what Node looks for. */
const builtNames = (file: string): ReadonlyArray<string> => {
  const { ext, name, dir } = NodePath.parse(file)
  const extensions = {
    ".ts": [".js", ".mjs", ".cjs"],
    ".tsx": [".js", ".mjs", ".cjs"],
    ".mts": [".mjs"],
    ".cts": [".cjs"]
  }
  const built = extensions[ext as keyof typeof extensions]
  return built === undefined ? [`${file}.js`] : built.map((extension) => NodePath.join(dir, name + extension))
}

/**
 * Provides the `ProcessSpawner` that `Process.spawn` and `Pool.make` need. `entry` is the file that workers run; it
 * must call `NodeManager.runMain`. Default: the file that this program was started with. If a TypeScript entry does not
 * exist, the JavaScript file beside it is used, because compilers do not rewrite such URLs. The extension `.js` may be
 * missing, as for `node dist/main`. A missing entry fails `spawn` with `SpawnError`.
 */
export const layerSpawner = (
  entry: URL | string = process.argv[1] ?? ""
): Layer.Layer<Process.ProcessSpawner, never, ChildProcessSpawner | FileSystem.FileSystem> =>
  Layer.effect(
    Process.ProcessSpawner,
    Effect.gen(function*() {
      const spawner = yield* ChildProcessSpawner
      const fs = yield* FileSystem.FileSystem
      const file = typeof entry === "string" ? NodePath.resolve(entry) : fileURLToPath(entry)

      const resolve = Effect.fnUntraced(function*(task: string) {
        if (entry === "") {
          const issue = "this program is no file, so its workers have no entry. Give runMain or layerSpawner one"
          return yield* new Process.SpawnError({ task, issue })
        }
        const built = builtNames(file)
        for (const candidate of [file, ...built]) {
          if (yield* Effect.orElseSucceed(fs.exists(candidate), () => false)) return candidate
        }
        const candidates = [file, ...built.toReversed()]
        const issue = `the worker's entry is missing: neither ${candidates.join(" nor ")} exists`
        return yield* new Process.SpawnError({ task, issue })
      })

      const start = Effect.fnUntraced(
        function*(assignment: string, { execArgv, grace, name, task }: Process.StartOptions) {
          const { endpoint } = yield* Manager.Manager
          if (endpoint === undefined) {
            const issue =
              "processes cannot reach a manager in memory. Use NodeManager.layer, or in a test layerProgram of core/testing"
            return yield* new Process.SpawnError({ task, issue })
          }
          yield* Recursion.refuse
          const resolved = yield* resolve(task)
          const { args, environment } = NodeOptions.ofWorker()
          return yield* ChildProcess.start({
            name,
            // A worker's own worker inherits the preload.
            args: [
              ...args,
              ...execArgv,
              ...preload === undefined || args.includes(preload.href) ? [] : ["--import", preload.href],
              resolved,
              ...process.argv.slice(2)
            ],
            folder: Inbox.startFolder,
            environment: { ...environment, ...Inbox.workerEnvironment },
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
