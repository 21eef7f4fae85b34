/**
 * Managers on Node. The layer that provides the manager decides the deployment; the program does not change.
 *
 * | layer         | the manager                                 | use it for                               |
 * | ------------- | ------------------------------------------- | ---------------------------------------- |
 * | `layer`       | a child process                             | programs with worker processes (default) |
 * | `layerServer` | in this process, on Unix sockets and ports  | one process less, or several programs    |
 * | `layerDurable` | as `layerServer`, with its state in a file | a state that outlives the program        |
 * | `layerClient` | another program, on this machine or another | programs that are started separately     |
 * | `layerWorker` | the manager of this worker's owner          | workers that do not use `runMain`        |
 */
import { Kind, type Limits, Manager, ManagerError, Pool, Process } from "@effect-multiprocessing/core"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import type * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import { existsSync } from "node:fs"
import * as Os from "node:os"
import * as NodePath from "node:path"
import { type Address, advertiseIssue, type HostAddress, urlOf } from "./address.ts"
import { begin, ownerLink } from "./childProcess.ts"
import { configuredEndpoint } from "./clientConfig.ts"
import * as Compaction from "./compaction.ts"
import * as Endpoint from "./endpoint.ts"
import * as Entry from "./entry.ts"
import * as Instructions from "./instructions.ts"
import * as ManagerProcess from "./managerProcess.ts"
import * as ManagerProgram from "./managerProgram.ts"
import * as Network from "./network.ts"
import type * as NodeLog from "./NodeLog.ts"
import { layerSpawner } from "./NodeProcess.ts"
import { complaintHere } from "./nodeVersion.ts"
import * as Recursion from "./recursion.ts"
import * as Signals from "./signals.ts"
import * as SqliteFile from "./sqliteFile.ts"
import type { ServerTls } from "./tlsLink.ts"
import * as TransitionWatch from "./transitionWatch.ts"
import * as Watchdog from "./watchdog.ts"

export type { Address, HostAddress, PathAddress } from "./address.ts"
export { configuredEndpoint, configuredKey, configuredUrl, type Given, keyFromFile } from "./clientConfig.ts"
export { layerSpawner } from "./NodeProcess.ts"
export type { ServerTls } from "./tlsLink.ts"

/** Options of `layerWith`. */
export interface Options {
  /** Bounds that replace those of `Limits.defaults`. */
  readonly limits?: Partial<Limits.Limits> | undefined
  /**
   * The own kinds of its objects. The manager's process then runs a file of the program: `entry`, which must call
   * `runMain` with these kinds.
   */
  readonly kinds?: ReadonlyArray<Kind.Known> | undefined
  /** The file that the manager's process runs if it has own kinds. Default: the file of this program. */
  readonly entry?: URL | undefined
  /** The path of a file that gets one line of JSON for every state change, for certification. Slow: one write each. */
  readonly journal?: string | undefined
}

/** Options of `layerServer`. */
export interface ServerOptions extends Pick<Manager.ManagerOptions, "limits" | "journal" | "key" | "keys" | "kinds"> {
  /**
   * The path of the Unix socket. Default: a new one in a folder that only this user can enter. A socket at the path
   * that no process listens on is replaced; any other file is left as it is. If the socket is removed it is made again.
   */
  readonly path?: string | undefined
  /**
   * Where the manager listens besides `path`: at Unix sockets, `{ path }`, and at ports of TCP, `{ host, port }`. The
   * layer's `endpoint.urls` has the URL of each, with the port that port 0 became. Workers of this program always connect
   * by a Unix socket.
   */
  readonly address?: Address | ReadonlyArray<Address> | undefined
  /**
   * The host, and the port if it listens at one only, by which other machines reach its ports, where they are others than
   * those at which it listens: behind a proxy, in a container, on every interface. They stand in the layer's
   * `endpoint.urls`.
   */
  readonly advertise?: Partial<HostAddress> | undefined
  /** The certificates of all its ports, which are then encrypted. Without it a port must be of a loopback address. */
  readonly tls?: ServerTls | undefined
  /** Allows ports without `tls` beyond loopback: everybody on the way reads and may change all values. */
  readonly allowUnencrypted?: boolean | undefined
}

/**
 * A manager in a child process. The process ends with the layer's scope, and when this process dies. Building the layer
 * fails with `StartFailed` when the process does not listen within 30 seconds.
 *
 * **Fairness** Does not wait for other programs. **Cancellation** Building can be interrupted; the process is then
 * ended. **On disconnect** Every pending and every later call fails with `ManagerError`. The layer does not reconnect.
 */
export const layerWith = (options: Options): Layer.Layer<Manager.Manager, ManagerError.ManagerError> =>
  Layer.effect(
    Manager.Manager,
    Effect.gen(function*() {
      const endpoint = yield* makeEndpoint(undefined, {})
      const journal = options.journal === undefined ? undefined : NodePath.resolve(options.journal)
      const { entry = Entry.ownEntry, kinds = [], limits } = options
      return yield* ManagerProcess.start({ endpoint, limits, journal, kinds, entry })
    })
  ).pipe(Layer.provide(layerPlatform))

/** `layerWith` without options: the manager that `runMain` uses by default. */
export const layer: Layer.Layer<Manager.Manager, ManagerError.ManagerError> = Layer.suspend(() => layerWith({}))

/**
 * A manager inside this process, which other processes reach at Unix sockets and at ports of TCP, with or without TLS.
 * Building the layer fails with `StartFailed` when it cannot listen at one of them.
 *
 * **Fairness** Does not wait for other programs. **Cancellation** Building can be interrupted. **On disconnect** The
 * manager ends with this process; the calls of its clients then fail with `ManagerError`.
 */
export const layerServer = (options: ServerOptions = {}): Layer.Layer<Manager.Manager, ManagerError.ManagerError> =>
  layerListening(options, (key) => Manager.makeServer({ ...options, key }))

/** Options of `layerDurable`. */
export interface DurableOptions extends Omit<ServerOptions, "path" | "journal">, NodeLog.SqliteOptions {
  /** As `path` of `ServerOptions`: the path of the Unix socket. */
  readonly socket?: string | undefined
}

/**
 * `layerServer`, whose manager keeps its state in the file at `path`. A reply leaves when the file has all that led to it,
 * so what a client was told is there after a crash. A manager that is started again has the named objects and their
 * contents. Clients with a grace (`reconnect`) resume their sessions; all others have ended, as after a death of their
 * processes. Building the layer fails with `StartFailed` also if another process uses the file, if it is damaged, or if a
 * newer release has written it.
 *
 * **Fairness** Does not wait for other programs. **Cancellation** Building can be interrupted. **On disconnect** The
 * manager ends with this process. Calls of clients without a grace then fail with `ManagerError`.
 */
export const layerDurable = (
  { bytesMax, path, socket, survives, ...options }: DurableOptions
): Layer.Layer<Manager.Manager, ManagerError.ManagerError> =>
  layerListening({ ...options, path: socket }, (key) =>
    Effect.flatMap(
      Effect.mapError(SqliteFile.open({ path, survives, bytesMax }), ({ message }) => cannotStart(path, message)),
      (file) =>
        Effect.gen(function*() {
          const leader = { host: Os.hostname(), port: 0 }
          const { kinds = [], limits = {} } = options
          // The thread that makes snapshots has no code of the user. A manager with own kinds makes them when it starts.
          const log = kinds.length > 0
            ? { log: file.log }
            : { log: yield* Compaction.compacted({ ...file, realm, limits }), compactAfter: Infinity }
          return yield* Manager.makeDurableServer({ ...options, key, log: { ...log, realm, leader } })
        })
    ))

/** Options of `handOver`. */
export interface HandOverOptions extends Pick<ServerOptions, "kinds" | "limits"> {
  /** The file of `layerDurable`, which no process uses. */
  readonly path: string
}

/**
 * Replaces all inputs in the file of a durable manager by a snapshot, so that another release can begin with it: inputs are
 * stepped again by the version of the engine that has logged them, and a state is loaded by any that knows its format. Run it
 * with the release and the own kinds that have written the file. Fails with `StartFailed` as `layerDurable` does.
 *
 * **Fairness** Does not wait for other programs. **Cancellation** Can be interrupted: the file is as before then. **On
 * disconnect** Needs no connection.
 */
export const handOver = (
  { kinds, limits, path }: HandOverOptions
): Effect.Effect<void, ManagerError.ManagerError> =>
  Effect.gen(function*() {
    if (!existsSync(path)) return yield* Effect.fail({ message: "there is no such file" })
    const { log } = yield* SqliteFile.open({ path })
    if (Option.isNone(yield* log.head(realm))) return yield* Effect.fail({ message: "it has no manager" })
    yield* log.putSnapshot(realm, yield* Manager.makeSnapshot({ log, realm, kinds, limits }))
  }).pipe(
    Effect.scoped,
    Effect.mapError(({ message }) => cannotStart(path, message))
  )

/**
 * A connection to the manager of another program, by its key and its socket or URL: `unix:///path`, `emps://host:port`
 * (TLS) or `emp://host:port` (not encrypted, so loopback only). `name` is shown in `inspect` and in errors, over a
 * network as `name@host`. Building the layer fails with `ConnectFailed` or `HandshakeRefused`.
 *
 * **Fairness** A connection that a busy listener does not accept at once is retried for two seconds. **Cancellation**
 * Building can be interrupted. **On disconnect** With `reconnect` the client connects again, and goes on where it was.
 * Otherwise, and when the grace is over, every pending and every later call fails with `ManagerError`.
 */
export const layerClient = (
  endpoint: Manager.Endpoint & { readonly name?: string | undefined }
): Layer.Layer<Manager.Manager, ManagerError.ManagerError> =>
  Layer.effect(Manager.Manager, Endpoint.connect(endpoint, endpoint.name ?? "client"))

/**
 * `layerClient` of the configuration, which is the environment unless the program has another `ConfigProvider`:
 *
 * | variable       | what it is                                                                                      |
 * | -------------- | ----------------------------------------------------------------------------------------------- |
 * | `EMP_URL`      | the URL of the manager                                                                          |
 * | `EMP_KEY_FILE` | the path of a file with the key, which only its owner can read                                  |
 * | `EMP_KEY`      | the key itself, instead of a file. Every process that this program starts inherits the variable |
 * | `EMP_CA`       | the path of a file with the certificates of the authorities that are trusted, in PEM            |
 * | `EMP_CERT`, `EMP_CERT_KEY` | the paths of files with the client's certificate and its private key, in PEM |
 * | `EMP_GRACE`    | how long the session survives without a connection, as `10 seconds`: `reconnect.grace` |
 * | `EMP_MAX_STALL` | how long the event loop may stand still: `reconnect.maxStall` |
 *
 * Building the layer also fails with `ConfigError`: a variable is missing, or a file cannot be used.
 *
 * **Fairness**, **Cancellation** and **On disconnect** as `layerClient`.
 */
export const layerClientConfig: Layer.Layer<Manager.Manager, ManagerError.ManagerError | Config.ConfigError> = Layer
  .effect(
    Manager.Manager,
    Effect.flatMap(configuredEndpoint(), (endpoint) => Endpoint.connect(endpoint, "client"))
  )

/**
 * In a worker, a connection to the manager of its owner. Elsewhere it fails with `ConnectFailed`. **Fairness**,
 * **Cancellation** and **On disconnect** as `layerClient`.
 */
export const layerWorker: Layer.Layer<Manager.Manager, ManagerError.ManagerError> = Layer.suspend(() => {
  const worker = Instructions.takeWorker()
  if (worker !== undefined) {
    return Layer.effect(Manager.Manager, Endpoint.connect(worker.endpoint, worker.name, { isExpected: true }))
  }
  const reason = new ManagerError.ConnectFailed({
    address: "the owner",
    issue: "this process was not started as a worker of another program"
  })
  return Layer.effect(Manager.Manager, Effect.fail(new ManagerError.ManagerError({ reason })))
})

/** Options of `layerProgram`. */
export interface ProgramOptions {
  /** The file that workers run; it must call `runMain` with the tasks. Default: the file of this program. */
  readonly entry?: URL | undefined
  /**
   * The own kinds of the program's objects. The manager's process then runs the entry, whose `runMain` must be given the
   * same kinds. Without kinds it loads no code of the program, and starts sooner. A `manager` that is given here must be
   * given the kinds itself.
   */
  readonly kinds?: ReadonlyArray<Kind.Known> | undefined
  /** The manager of the program. Default: `layerWith` of the kinds, a child process. */
  readonly manager?: Layer.Layer<Manager.Manager, ManagerError.ManagerError> | undefined
}

/**
 * All that `runMain` provides, for a program that does not call it, such as one of promises: the manager, the spawner of
 * its workers, and Node's services. The workers need a file of their own.
 *
 * **Fairness**, **Cancellation** and **On disconnect** as `layer`, or as the manager that is given.
 */
export const layerProgram = (
  options: ProgramOptions & { readonly entry: URL }
): Layer.Layer<Manager.Manager | Process.ProcessSpawner | NodeServices.NodeServices, ManagerError.ManagerError> =>
  layerServices(options)

/** Options of `runMain`. */
export interface RunOptions<ROut, E> extends ProgramOptions {
  /** The handlers of every task that workers of this program run: the merged layers of `TaskGroup.toLayer`. */
  readonly tasks?:
    | Layer.Layer<ROut, E, Manager.Manager | Process.ProcessSpawner | NodeServices.NodeServices>
    | undefined
  /**
   * What measures the program and each of its workers, below all else: `Metrics.layer`, the layer of a tracer, those of
   * exporters. It is built in each process, and ends last.
   */
  readonly observability?: Layer.Layer<never> | undefined
}

/**
 * Runs a program. In a process that a person started it runs `main`; in a worker it runs the task that the worker was
 * started for. One file is therefore both the main program and its workers.
 *
 * The scope of `main` ends before its manager. A failure of `main` is printed, and the exit code is 1.
 *
 * **Cancellation** Ctrl-C, SIGTERM and SIGHUP interrupt `main` once. Its scopes then end in order: the workers first,
 * the manager last. A second after a Ctrl-C one line on standard error says what is still waited for. A second Ctrl-C at
 * least half a second after the first ends everything at once. **On disconnect** Calls
 * to the manager fail with `ManagerError`; `main` goes on.
 */
export const runMain = <A, E, ROut = never, ET = never>(
  main: Effect.Effect<A, E, Manager.Manager | Process.ProcessSpawner | NodeServices.NodeServices | Scope.Scope>,
  options: RunOptions<ROut, ET> = {}
): void => {
  const complaint = complaintHere ?? (Effect.isEffect(main) ? undefined : foreign)
  if (complaint !== undefined) {
    process.stderr.write(`${complaint}\n`, () => process.exit(1))
    return
  }
  const { observability = Layer.empty } = options
  const instructions = Instructions.take()
  if (instructions === undefined) {
    const patient = Effect.provide(Effect.scoped(main), Layer.provideMerge(layerServices(options), observability))
    return NodeRuntime.runMain(Effect.scoped(Effect.andThen(handleSignals, patient)))
  }
  if (!Instructions.isWorker(instructions)) return serveOwnKinds(instructions, options.kinds ?? [])
  const tasks = options.tasks ?? Layer.empty
  const { assignment } = instructions
  const serve = Pool.isAssignment(assignment)
    ? Effect.scoped(Effect.flatMap(ownerLink, (link) => Pool.serve(assignment, link)))
    : Process.serve(assignment, begin)
  const served = serve.pipe(
    Effect.provide(
      tasks.pipe(
        Layer.provideMerge(layerServices({ ...options, manager: layerWorker })),
        Layer.provideMerge(observability)
      )
    ),
    // On standard error: the owner keeps its last lines for `ProcessExited`.
    Effect.tapCause((cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Console.error(Cause.pretty(cause)))
  )
  process.on("SIGTERM", endsAnyway).on("SIGHUP", Signals.onHangUp)
  NodeRuntime.runMain(served, { disableErrorReporting: true, teardown: endWorker })
}

// internals

/** The realm of a manager that has its log for itself. */
const realm = "manager"

/** A manager inside this process, which listens. */
const layerListening = (
  options: ServerOptions,
  makeServer: (key: Manager.ManagerKey) => ReturnType<typeof Manager.makeServer>
): Layer.Layer<Manager.Manager, ManagerError.ManagerError> =>
  Layer.effect(
    Manager.Manager,
    Effect.gen(function*() {
      yield* Recursion.refuse
      const addresses = [...options.path === undefined ? [] : [{ path: options.path }], ...listOf(options.address)]
      const paths = addresses.flatMap((address) => "path" in address ? [address.path] : [])
      const issue = advertiseIssue(options.advertise, addresses)
      if (issue !== undefined) return yield* cannotStart("its addresses", issue)
      const { key, path } = yield* makeEndpoint(paths[0], options)
      const server = yield* makeServer(key)
      // They end with the layer, or when an owner shuts the manager down.
      const listeners = yield* Scope.fork(yield* Effect.scope)
      yield* Effect.forkScoped(Effect.andThen(server.awaitShutdown, Scope.close(listeners, Exit.void)))
      // The ports first: the last finalizer added says goodbye to all clients, and it is that of a Unix socket.
      const urls = yield* Effect.forEach(addresses, (address) =>
        "path" in address
          ? Effect.succeed(urlOf(address))
          : Effect.mapError(
            Network.listen(server, address, options),
            (issue) => cannotStart(`${address.host}:${address.port}`, issue)
          )).pipe(Scope.provide(listeners))
      const isOwnFolder = paths.length === 0
      yield* Effect.forEach(
        [path, ...paths.slice(1).map((path) => NodePath.resolve(path))],
        (path) => Effect.mapError(Endpoint.listen(server, path, { isOwnFolder }), (issue) => cannotStart(path, issue))
      ).pipe(Scope.provide(listeners))
      const label = { name: "main", pid: process.pid }
      return yield* Manager.makeLocal(server, key, { ...options, endpoint: { path, key, urls }, label })
    })
  ).pipe(Layer.provide(layerPlatform))

const listOf = (address: ServerOptions["address"] = []): ReadonlyArray<Address> =>
  "path" in address || "host" in address ? [address] : address

const foreign =
  "runMain was not given an Effect of the copy of effect that effect-multiprocessing uses. A program must " +
  "have one copy: `npm ls effect` lists them, and equal versions become one"

/** In the process of the manager: serves the own kinds of this program. */
const serveOwnKinds = (
  instructions: Instructions.OwnManagerInstructions,
  known: ReadonlyArray<Kind.Known>
): void => {
  const { kinds, start } = TransitionWatch.watch(Kind.kindsOf(known))
  const missing = instructions.kinds.find((name) => !kinds.some((kind) => kind.name === name))
  ManagerProgram.run(instructions, (options) =>
    missing === undefined
      ? Effect.andThen(start, Manager.makeServer({ ...options, kinds }))
      : Effect.fail(
        cannotStart(instructions.endpoint.path, `runMain of ${process.argv[1]} was not given the kind ${missing}`)
      ))
}

const layerServices = ({ entry, kinds, manager = layerWith({ entry, kinds }) }: ProgramOptions) =>
  Layer.merge(manager, Layer.provideMerge(layerSpawner(entry), NodeServices.layer))

const handleSignals = Effect.acquireRelease(
  Effect.sync(() => Signals.handle(Watchdog.workers)),
  (stop) => Effect.sync(stop)
)

/**
 * A handler of SIGTERM that does nothing. The owner sends SIGTERM as soon as it has the result, and the runtime stops
 * handling the signal when the task is done: without a handler the signal would kill the worker while `endWorker` still
 * writes. A worker that cannot write is killed after its grace.
 */
const endsAnyway = (): void => {}

/**
 * Exits although user code may have left handles open: the manager has the result. First waits until the pipes are
 * flushed, because output that the owner has not read yet would be lost.
 */
const endWorker: Runtime.Teardown = (exit) =>
  Runtime.defaultTeardown(exit, (code) => {
    process.stdout.write("", () => process.stderr.write("", () => process.exit(code)))
  })

const layerPlatform = Layer.merge(NodeServices.layer, Endpoint.layerCrypto)

const makeEndpoint = (
  path: string | undefined,
  keys: Pick<Manager.ManagerOptions, "key" | "keys">
) =>
  Effect.gen(function*() {
    const issue = complaintHere ?? (path === undefined ? undefined : Endpoint.issueOf(path))
    if (issue !== undefined) return yield* cannotStart(path ?? "a socket of its own", issue)
    return {
      // Absolute, also for workers that change their folder.
      path: path !== undefined
        ? NodePath.resolve(path)
        : (yield* Effect.mapError(Endpoint.makePath, (issue) => cannotStart("a socket of its own", issue))),
      key: yield* Manager.ownerKey(keys)
    }
  })

/** `address`: a text, but for a program without types. */
const cannotStart = (address: string, issue: string): ManagerError.ManagerError =>
  new ManagerError.ManagerError({ reason: new ManagerError.StartFailed({ address: String(address), issue }) })
