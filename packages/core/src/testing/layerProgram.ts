/**
 * A whole program in memory, for tests: its manager is in this process, and its workers are fibers. Each worker has a
 * connection, a scheduler, a clock and layers of its own, so it can be killed and frozen as a process of the system.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Mac from "effect/crypto/Mac"
import type * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scheduler from "effect/Scheduler"
import type * as Scope from "effect/Scope"
import type * as Kind from "../Kind.ts"
import type { Limits } from "../Limits.ts"
import {
  layerCrypto,
  makeConnected,
  makeLocal,
  makeServer,
  Manager,
  type ManagerKey,
  type ManagerOptions,
  orRandomKey,
  type Server
} from "../Manager.ts"
import type { ManagerError } from "../ManagerError.ts"
import { ProcessSpawner, type Signal } from "../Process.ts"
import type { Link } from "../transport/Link.ts"
import * as MemoryLink from "../transport/MemoryLink.ts"
import { MemoryProcess, startScoped } from "./MemoryProcess.ts"
import * as MemorySpawner from "./MemorySpawner.ts"
import { ProcessScheduler } from "./ProcessScheduler.ts"

/** The options of a program in memory. */
export interface MemoryProgramOptions<ROut, E, R> {
  /** The handlers of every task that its workers run, as for `runMain`. Each worker builds the layers anew. */
  readonly tasks: Layer.Layer<ROut, E, R>
  /** The own kinds of its objects, as for `runMain`. */
  readonly kinds?: ReadonlyArray<Kind.Known> | undefined
  /** Bounds of the manager other than the defaults. */
  readonly limits?: Partial<Limits> | undefined
}

/** The workers of a program in memory. `layerProgram` provides it. */
export class MemoryWorkers extends Context.Service<MemoryWorkers, {
  /** Sends a signal to a worker by its pid, which `pool.events` shows. Default `SIGKILL`. No effect after its end. */
  readonly signal: (pid: number, signal?: Signal) => Effect.Effect<void>
}>()("@effect-multiprocessing/core/testing/MemoryWorkers") {}

/**
 * A manager and workers in memory, for tests of a program with tasks: all that `NodeManager.layerProgram` provides but
 * Node's services, with no process and no file for workers. `Process` and `Pool` do the same as with processes of the
 * system. But a signal stops only code that Effect runs: a busy loop of a worker stops the test, a promise of a killed
 * worker goes on, and `process.exit` ends the test.
 *
 * **Fairness** Building does not wait. **Cancellation** The workers that are left are killed. **On disconnect** When a worker is killed, its session ends.
 */
export const layerProgram = <ROut, E, R>(
  { kinds, limits, tasks }: MemoryProgramOptions<ROut, E, R>
): Layer.Layer<Manager | ProcessSpawner | MemoryWorkers, ManagerError, Exclude<R, Manager | ProcessSpawner>> =>
  // The other services of the tasks are those of this layer: workers get its context.
  Layer.effectContext(make(tasks as Tasks, { kinds, limits })).pipe(Layer.provide(layerCrypto))

type Tasks = Layer.Layer<never, unknown, Manager | ProcessSpawner>

const make = Effect.fnUntraced(function*(
  tasks: Tasks,
  { kinds, limits }: Pick<ManagerOptions, "kinds" | "limits">
): Effect.fn.Return<
  Context.Context<Manager | ProcessSpawner | MemoryWorkers>,
  ManagerError,
  Mac.Mac | SecureRandom.SecureRandom | Scope.Scope
> {
  const key = yield* orRandomKey(undefined)
  const server = yield* makeServer({ key, kinds, limits })
  const manager = yield* makeLocal(server, key, { limits })
  const host = yield* Effect.context<Mac.Mac | SecureRandom.SecureRandom>()
  const workers = new Workers({ server, key, limits, tasks, host })
  yield* Effect.addFinalizer(() => Effect.sync(() => workers.kill()))
  return Context.make(Manager, manager).pipe(
    Context.add(ProcessSpawner, workers.spawner(undefined)),
    Context.add(MemoryWorkers, {
      signal: (pid, signal = "SIGKILL") => Effect.sync(() => workers.running.get(pid)?.signal(signal))
    })
  )
})

/** The parts of which workers are made. */
interface WorkersOptions {
  readonly server: Server
  readonly key: ManagerKey
  readonly limits: Partial<Limits> | undefined
  readonly tasks: Tasks
  /** The context of the program. */
  readonly host: Context.Context<Mac.Mac | SecureRandom.SecureRandom>
}

/** The workers of a program. */
class Workers {
  /** Those that have not ended, by pid. */
  readonly running = new Map<number, MemoryProcess>()
  readonly #options: WorkersOptions
  /** Runs the tasks of main and of the manager. */
  readonly #dispatcher: Scheduler.SchedulerDispatcher
  #started = 0

  constructor(options: WorkersOptions) {
    this.#options = options
    this.#dispatcher = Context.get(options.host, Scheduler.Scheduler).makeDispatcher()
  }

  /** The spawner of a worker; of main, if there is no owner. */
  spawner(owner: MemoryProcess | undefined): ProcessSpawner["Service"] {
    return MemorySpawner.make((work, { grace, name }) => startScoped(() => this.#start(owner, work, name), grace))
  }

  kill(): void {
    for (const worker of this.running.values()) worker.signal("SIGKILL")
  }

  #start(owner: MemoryProcess | undefined, work: MemorySpawner.Work, name: string): MemorySpawner.Worker {
    const { host, server } = this.#options
    const scheduler = new ProcessScheduler(host)
    const toManager = linkBetween(scheduler, this.#dispatcher)
    const toOwner = linkBetween(owner?.executor ?? this.#dispatcher, scheduler)
    const process = new MemoryProcess({
      number: ++this.#started,
      executor: scheduler,
      owner,
      onEnd: () => {
        this.running.delete(process.number)
        toManager.end("client", "the process has ended")
        toOwner.end("server", "the process has ended")
      }
    })
    this.running.set(process.number, process)
    Effect.runForkWith(host)(Effect.scoped(server.serve(toManager.server))).addObserver(() =>
      toManager.end("server", "the manager has ended it")
    )
    const context = host.pipe(
      Context.add(Scheduler.Scheduler, scheduler),
      Context.add(Clock.Clock, scheduler.clock)
    )
    process.run(this.#program(process, name, toManager.client, work(toOwner.server)), context)
    return { process, link: toOwner.client }
  }

  /** The program of a worker, as `runMain` has it. */
  #program(process: MemoryProcess, name: string, manager: Link, work: ReturnType<MemorySpawner.Work>) {
    const { key, limits, tasks } = this.#options
    const label = { name, pid: process.number }
    return Effect.scoped(Effect.flatMap(
      makeConnected(Effect.succeed(manager), { address: "memory", key, label, limits }),
      (connected) =>
        // `local`: not the layers that another worker has built.
        Effect.provide(work, tasks, { local: true }).pipe(
          Effect.provideService(Manager, connected),
          Effect.provideService(ProcessSpawner, this.spawner(process))
        )
    ))
  }
}

type Dispatcher = Pick<Scheduler.SchedulerDispatcher, "scheduleTask">

/** A link whose client's end runs on the first dispatcher. */
const linkBetween = (client: Dispatcher, server: Dispatcher): MemoryLink.MemoryLinkPair =>
  MemoryLink.makePair({ schedule: (task, end) => (end === "client" ? client : server).scheduleTask(task, 0) })
