/**
 * Runs a program of several processes and their manager in one thread. Server, connections and proxies are the real
 * ones. A seed decides the order of events and the faults: links are slow, cut, and deliver pieces; processes are
 * paused and killed. The history of the run is certified afterwards. The same seed gives the same run.
 *
 * ```text
 *   program(client) ─► Manager ─► connection ─► recorder ─► link ─► server ─► engine ─► monitor
 *          ▲                                        │        ▲                   └───► journal
 *          └────────── faults of the seed ──────────│────────┘                           │
 *                                                   └──► records ──► certify ◄───────────┘
 * ```
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import type { Connection } from "../client/Connection.ts"
import type { Engine } from "../engine/Engine.ts"
import type { Input, JournalEntry } from "../engine/Inputs.ts"
import { Monitor } from "../engine/Invariants.ts"
import type { AnyKind } from "../engine/Kind.ts"
import { kinds as standardKinds } from "../engine/kinds/index.ts"
import * as StateHash from "../engine/StateHash.ts"
import type * as Kind from "../Kind.ts"
import { engineKinds } from "../kind/EngineKind.ts"
import * as Limits from "../Limits.ts"
import * as Server from "../server/Server.ts"
import { certify } from "./certify.ts"
import { drawFaults, type Fault, type FaultCounts } from "./Faults.ts"
import { GraceCheck } from "./GraceCheck.ts"
import type { History } from "./History.ts"
import { leaks } from "./leaks.ts"
import { Random } from "./Random.ts"
import { rerun } from "./rerun.ts"
import { Clients, describe, type Program } from "./SimulatedClients.ts"
import { SimulatedLog } from "./SimulatedLog.ts"
import { type Process, World } from "./World.ts"

export type { Client, Program } from "./SimulatedClients.ts"

/** The options of a run. */
export interface SimulationOptions {
  /** Decides the order of tasks, the faults, and the choices of the clients. */
  readonly seed: number
  /** The number of client processes. Default 3. */
  readonly clients?: number | undefined
  /** Names of the client processes, by their numbers. Default: `client 0` and so on. */
  readonly names?: ReadonlyArray<string> | undefined
  /** The number of first clients that have no faults. Default 0. */
  readonly steady?: number | undefined
  /** The number of processes that are started again after they were killed or cut off. Default 2. */
  readonly restarts?: number | undefined
  /** The faults. Default: drawn from the seed. */
  readonly faults?: ReadonlyArray<Fault> | undefined
  readonly limits?: Partial<Limits.Limits> | undefined
  /** How long sessions survive their links, in milliseconds. Default: not at all. */
  readonly graceMs?: number | undefined
  /** The kinds of the manager. Default: all that are built in. */
  readonly kinds?: ReadonlyArray<AnyKind> | undefined
  /** Own kinds of the manager, besides. */
  readonly ownKinds?: ReadonlyArray<Kind.Known> | undefined
  /**
   * Whether the manager has a log. Its operations are late, fail, or fail though they were done, as the seed says. After
   * the run another manager begins with the log, and must have the same state.
   */
  readonly hasLog?: boolean | undefined
  /** The probability that a fiber yields before an operation. Default: drawn from the seed. */
  readonly yields?: number | undefined
  /** The number of tasks after which a run counts as endless. Default 100,000. */
  readonly stepsMax?: number | undefined
  /** Called with the engine before its first input: a test can change it. */
  readonly onEngine?: ((engine: Engine) => void) | undefined
  /** Called with each connection before its first call: a test can change it. */
  readonly onConnection?: ((connection: Connection) => void) | undefined
}

/** The result of a run. */
export interface Simulation {
  readonly seed: number
  /** The violations, as sentences. Empty if the run was correct. */
  readonly violations: ReadonlyArray<string>
  readonly history: Required<History>
  /** The faults that happened. */
  readonly faults: FaultCounts
  /** The steps before which the faults happened. */
  readonly faultsAt: ReadonlyArray<number>
  /** The number of tasks that ran. */
  readonly steps: number
  /** Simulated time that passed, in milliseconds. */
  readonly milliseconds: number
  /** A hash of the order of all tasks and of the last state of the engine: equal for equal runs. */
  readonly trace: string
  /** A shared object as text: its kind and name, or its id if it has no name or is gone. */
  readonly nameOf: (object: number) => string
}

/** The steps over which the faults of a seed are spread. */
const faultSteps = 1_500

/** Simulates a program in several client processes with the faults of a seed, and certifies it. */
export const simulateSeed = (program: Program, options: SimulationOptions): Simulation => {
  const { clients: count = 3, graceMs, names = [], onConnection = () => {}, restarts = 2, seed, steady = 0 } = options
  const { stepsMax = 100_000 } = options
  const random = new Random(~seed)
  // The probability of a yield is drawn, too: some bugs need a step between any two operations.
  const drawnYields = random.pick([0, 1 / 16, 1 / 3])
  const { yields = drawnYields } = options
  const faults = options.faults ?? drawFaults(random, Math.min(steady, count - 1), count, faultSteps)
  const violations: Array<string> = []
  const violate = (sentence: string) => violations.push(sentence)
  const world = new World(seed)
  const host = startServer(world, world.process(yields), options, violate)
  const setting = { ...host, world, random, yields, graceMs }
  const clients = new Clients({ ...setting, program, names, restarts, onConnection, violate })
  for (let number = 0; number < count; number++) clients.start(number)

  let next = 0
  let due: ReadonlyArray<Fault> = []
  const rest = runWorld(world, stepsMax, () => {
    while (next < faults.length && faults[next]!.at <= world.steps) due = [...due, faults[next++]!]
    if (due.length > 0) due = due.filter((fault) => !clients.strike(fault))
    return violations.length === 0
  })
  if (Exit.isFailure(rest)) violate(`the run died: ${Cause.pretty(rest.cause)}`)
  // Heartbeats go on while a client waits for ever.
  else if (rest.value === "endless") {
    violations.push(`the run is not over after ${stepsMax} tasks`, ...clients.stopped(host.server.engine))
  }

  const { engine } = host.server
  const history = { journal: host.journal, ...clients.history() }
  if (violations.length === 0) violations.push(...clients.unfinished(engine))
  if (violations.length === 0) violations.push(...leaks(engine), ...host.rerun())
  violations.push(...certify(history, { kinds: options.ownKinds }))
  return {
    seed,
    violations,
    history,
    faults: clients.struck,
    faultsAt: clients.struckAt,
    steps: world.steps,
    milliseconds: world.elapsed,
    // A violation may have stopped the server in the middle of a step. Its state is then inconsistent, and not hashed.
    trace: `${(world.trace >>> 0).toString(16)}-${violations.length === 0 ? StateHash.hash(engine.state) : "stopped"}`,
    nameOf: (object) => describe(engine, object)
  }
}

// internals

/** A defect of a task ends the run. */
const runWorld = (world: World, stepsMax: number, before: () => boolean) =>
  Effect.runSyncExit(Effect.sync(() => world.run(stepsMax, before)))

/** The server in its process, with a record of its inputs, outputs and journal. */
const startServer = (
  world: World,
  serverProcess: Process,
  { hasLog = false, kinds: builtIn = standardKinds, limits: given, onEngine = () => {}, ownKinds = [], seed }:
    SimulationOptions,
  violate: (sentence: string) => void
) => {
  const kinds = [...engineKinds(ownKinds), ...builtIn]
  const limits = { ...Limits.defaults, ...given }
  const key = Redacted.make("simulated")
  const journal: Array<JournalEntry> = []
  const inputs: Array<Input> = []
  const monitor = new Monitor()
  const options = {
    kinds,
    limits,
    key,
    journal: (entry) => journal.push(entry),
    monitor: (engine, outputs) => {
      const broken = monitor.observe(engine, outputs)
      broken.forEach(violate)
      return broken
    }
  } satisfies Server.ServerOptions
  const log = hasLog ? new SimulatedLog(seed) : undefined
  const start = log === undefined
    ? Server.make(options)
    : Effect.orDie(Server.makeDurable({ ...options, ...log.options }))
  const starting = Effect.runForkWith(serverProcess.context)(
    start.pipe(
      Effect.provideService(Scope.Scope, Scope.makeUnsafe()),
      // The warnings of its log are of faults.
      Effect.provideService(References.MinimumLogLevel, "Error")
    )
  )
  world.run(Infinity, () => starting.pollUnsafe() === undefined)
  // Starting a server cannot fail.
  const server = Exit.getSuccess(starting.pollUnsafe()!).pipe(Option.getOrThrow)
  const { engine } = server
  log?.begin()
  onEngine(engine)
  const step = engine.step.bind(engine)
  const graces = new GraceCheck(engine)
  engine.step = (input) => {
    inputs.push(input)
    step(input)
    graces.observe(input).forEach(violate)
  }
  Effect.runForkWith(serverProcess.context)(server.awaitDefect).addObserver((exit) => {
    if (Exit.isFailure(exit)) violate(`the server stopped: ${Cause.pretty(exit.cause)}`)
  })
  const runAgain = () => {
    const options = { epoch: engine.state.epoch, kinds, limits }
    return [
      ...rerun({ engine, options, inputs, loadedBefore: new Random(seed).below(inputs.length), onEngine }),
      ...log?.differences(engine, { kinds, limits }) ?? []
    ]
  }
  return { server, serverProcess, key, limits, journal, rerun: runAgain }
}
