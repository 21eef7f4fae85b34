/**
 * Managers on Node. Which layer provides the manager decides the deployment; the program does not change.
 *
 * | layer         | the manager is                                   | for                                     |
 * | ------------- | ------------------------------------------------ | --------------------------------------- |
 * | `layer`       | a child process                                  | programs with worker processes (default) |
 * | `layerServer` | in this process, on a Unix socket                | one process less                        |
 * | `layerClient` | elsewhere on this machine                        | programs started separately             |
 * | `layerWorker` | the one of the process that started this one     | entries of workers                      |
 */
import { type Limits, Manager, ManagerError, Pool, Process } from "@effect-multiprocessing/core"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import { ownerLink } from "./childProcess.ts"
import * as Endpoint from "./endpoint.ts"
import * as Environment from "./environment.ts"
import * as ManagerProcess from "./managerProcess.ts"
import { layerSpawner } from "./NodeProcess.ts"

export { layerSpawner } from "./NodeProcess.ts"

/** How a manager is made. */
export interface Options {
  /** Bounds other than the defaults (`Limits.defaults`). */
  readonly limits?: Partial<Limits.Limits> | undefined
  /** A file that gets a line of JSON for every state change, for certification. Slow: one write each. */
  readonly journal?: string | undefined
}

/** How a manager inside this process is made. */
export interface ServerOptions extends Pick<Manager.ManagerOptions, "limits" | "journal" | "key"> {
  /** The path of the Unix socket. Default: one in a private folder. A stale socket there is replaced. */
  readonly path?: string | undefined
}

/** A manager in a child process, with the options given. Ended with the layer's scope, and when this process dies. */
export const layerWith = (options: Options): Layer.Layer<Manager.Manager, ManagerError.ManagerError> =>
  Layer.effect(
    Manager.Manager,
    Effect.gen(function*() {
      const endpoint = yield* makeEndpoint(undefined, undefined)
      return yield* ManagerProcess.start({ endpoint, limits: options.limits, journal: options.journal })
    })
  ).pipe(Layer.provide(layerPlatform))

/** A manager in a child process: the default. */
export const layer: Layer.Layer<Manager.Manager, ManagerError.ManagerError> = Layer.suspend(() => layerWith({}))

/** A manager inside this process, that other processes can reach. */
export const layerServer = (options: ServerOptions = {}): Layer.Layer<Manager.Manager, ManagerError.ManagerError> =>
  Layer.effect(
    Manager.Manager,
    Effect.gen(function*() {
      const endpoint = yield* makeEndpoint(options.path, options.key)
      const { key, path } = endpoint
      const server = yield* Manager.makeServer({ ...options, key })
      yield* Effect.mapError(Endpoint.listen(server, path), (issue) => cannotStart(path, issue))
      return yield* Manager.makeLocal(server, key, { ...options, endpoint, label: { name: "main", pid: process.pid } })
    })
  ).pipe(Layer.provide(layerPlatform))

/** A manager elsewhere on this machine, by its socket and key. */
export const layerClient = (
  endpoint: Manager.Endpoint & { readonly name?: string | undefined }
): Layer.Layer<Manager.Manager, ManagerError.ManagerError> =>
  Layer.effect(Manager.Manager, Endpoint.connect(endpoint, endpoint.name ?? "client"))

/** In a worker: the manager of the process that started it. Elsewhere it fails. */
export const layerWorker: Layer.Layer<Manager.Manager, ManagerError.ManagerError> = Layer.suspend(() => {
  const worker = workerEnvironment()
  if (worker !== undefined) return layerClient({ ...worker.endpoint, name: worker.name })
  const reason = new ManagerError.ConnectFailed({
    address: "the owner",
    issue: "this process was not started as a worker"
  })
  return Layer.effect(Manager.Manager, Effect.fail(new ManagerError.ManagerError({ reason })))
})

/** What `runMain` is given. */
export interface RunOptions<ROut, E> {
  /** The handlers of every task this program may be asked to run: `TaskGroup.toLayer`. */
  readonly tasks?:
    | Layer.Layer<ROut, E, Manager.Manager | Process.ProcessSpawner | NodeServices.NodeServices>
    | undefined
  /** The manager of the main program. Default: `layer`, a child process. */
  readonly manager?: Layer.Layer<Manager.Manager, ManagerError.ManagerError> | undefined
  /** The file that workers run. Default: the file of this program. */
  readonly entry?: URL | undefined
}

/**
 * Runs a program of one file: `main` when it is started by a person, its tasks when it is started as a worker.
 *
 * Ctrl-C and SIGTERM interrupt `main` once; its scopes end in order, workers first, the manager last. Ctrl-C once more,
 * half a second later or after that, ends everything at once. A failure is printed and the exit code is 1.
 */
export const runMain = <A, E, ROut = never, ET = never>(
  main: Effect.Effect<A, E, Manager.Manager | Process.ProcessSpawner | NodeServices.NodeServices>,
  options: RunOptions<ROut, ET> = {}
): void => {
  const platform = Layer.provideMerge(layerSpawner(options.entry), NodeServices.layer)
  const worker = workerEnvironment()
  if (worker === undefined) {
    const manager = options.manager ?? layer
    const patient = Effect.provide(main, Layer.merge(manager, platform))
    return NodeRuntime.runMain(Effect.scoped(Effect.andThen(endOnSecondInterrupt, patient)))
  }
  const tasks = options.tasks ?? Layer.empty
  const { assignment } = worker
  const serve = Pool.isAssignment(assignment)
    ? Effect.scoped(Effect.flatMap(ownerLink, (link) => Pool.serve(assignment, link)))
    : Process.serve(assignment)
  const served = serve.pipe(
    Effect.provide(Layer.provideMerge(tasks, Layer.merge(layerWorker, platform))),
    // On standard error, whose last lines are kept for the owner.
    Effect.tapCause((cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Console.error(Cause.pretty(cause)))
  )
  process.on("SIGTERM", endsAnyway)
  NodeRuntime.runMain(served, { disableErrorReporting: true, teardown: endWorker })
}

// internals

/** Signals closer to one another are one: a terminal and a program like npm may both send it. */
const oneInterruptMs = 500

/**
 * Whoever presses Ctrl-C again does not want to wait for finalizers any longer. Workers and the manager notice the end
 * of their lifelines.
 */
const endOnSecondInterrupt = Effect.acquireRelease(
  Effect.sync(() => {
    let first: number | undefined
    const onInterrupt = () => {
      const now = performance.now()
      first ??= now
      if (now - first >= oneInterruptMs) process.exit(130)
    }
    process.on("SIGINT", onInterrupt)
    return onInterrupt
  }),
  (onInterrupt) => Effect.sync(() => process.removeListener("SIGINT", onInterrupt))
)

/**
 * The owner asks a worker to end as soon as it has the result, and the runtime hears that only until the task is done:
 * the signal would then end the worker at once, in the middle of what `endWorker` is still writing. One that cannot
 * write is killed after its grace.
 */
const endsAnyway = (): void => {}

/**
 * Whatever user code has left open: the result is with the manager, and the worker is done. What it has written and its
 * owner has not read yet would be lost with it.
 */
const endWorker: Runtime.Teardown = (exit) =>
  Runtime.defaultTeardown(exit, (code) => {
    process.stdout.write("", () => process.stderr.write("", () => process.exit(code)))
  })

let taken: { readonly worker: Environment.WorkerEnvironment | undefined } | undefined

/** Read once: it is gone from the environment after that. */
const workerEnvironment = (): Environment.WorkerEnvironment | undefined => {
  taken ??= { worker: Environment.take<Environment.WorkerEnvironment>() }
  return taken.worker
}

const layerPlatform = Layer.merge(NodeServices.layer, Endpoint.layerCrypto)

const makeEndpoint = (
  path: string | undefined,
  key: Manager.Endpoint["key"] | undefined
) =>
  Effect.gen(function*() {
    return {
      path: path ?? (yield* Effect.mapError(Endpoint.makePath, (issue) => cannotStart("a socket of its own", issue))),
      key: yield* Manager.orRandomKey(key)
    }
  })

const cannotStart = (address: string, issue: string): ManagerError.ManagerError =>
  new ManagerError.ManagerError({ reason: new ManagerError.StartFailed({ address, issue }) })
