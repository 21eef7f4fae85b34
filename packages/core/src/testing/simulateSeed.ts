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
import * as Redacted from "effect/Redacted"
import type { Connection } from "../client/Connection.ts"
import type { Engine } from "../engine/Engine.ts"
import type { AnyKind } from "../engine/Kind.ts"
import { kinds as standardKinds } from "../engine/kinds/index.ts"
import * as StateHash from "../engine/StateHash.ts"
import type * as Kind from "../Kind.ts"
import { engineKinds } from "../kind/EngineKind.ts"
import * as Limits from "../Limits.ts"
import type { Log } from "../Log.ts"
import { certify } from "./certify.ts"
import { drawFaults, type Fault, type FaultCounts, type HostFault } from "./Faults.ts"
import type { History } from "./History.ts"
import { leaks } from "./leaks.ts"
import { Random } from "./Random.ts"
import { Clients, describe, type Program } from "./SimulatedClients.ts"
import { DurableHosts, type Hosts, oneHost } from "./SimulatedHosts.ts"
import { SimulatedLog } from "./SimulatedLog.ts"
import { World } from "./World.ts"

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
   * Present: the manager has a log, and these faults strike its processes: when one has ended, or seems to have, the next
   * one begins with the log. The operations of the log are late, fail, or fail though they were done, and other hosts claim
   * its realm, as the seed says. What was done is what the log says, and all managers must agree about it.
   */
  readonly hosts?: ReadonlyArray<HostFault> | undefined
  /** The probability that a fiber yields before an operation. Default: drawn from the seed. */
  readonly yields?: number | undefined
  /** The number of tasks after which a run counts as endless. Default 100,000. */
  readonly stepsMax?: number | undefined
  /** Called with the engine before its first input: a test can change it. */
  readonly onEngine?: ((engine: Engine) => void) | undefined
  /** Called with the log of the managers: a test can change it. */
  readonly onLog?: ((log: Log["Service"]) => Log["Service"]) | undefined
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
  /** The number of managers that have begun, one after the other. */
  readonly managers: number
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
  const { kinds: builtIn = standardKinds, onEngine = () => {}, onLog = (log) => log, ownKinds = [] } = options
  const limits = { ...Limits.defaults, ...options.limits }
  const server = { kinds: [...engineKinds(ownKinds), ...builtIn], limits, key: Redacted.make("simulated") }
  const setting = { world, yields, server, onEngine, violate }
  const hosts: Hosts = options.hosts === undefined
    ? oneHost(setting, new Random(seed))
    : new DurableHosts({
      ...setting,
      log: new SimulatedLog(seed, onLog),
      faults: options.hosts,
      onLost: (process, isDead) => clients.lost(process, isDead)
    })
  const clients = new Clients({
    ...server,
    hosts,
    world,
    random,
    yields,
    graceMs,
    program,
    names,
    restarts,
    steady,
    onConnection,
    violate
  })
  for (let number = 0; number < count; number++) clients.start(number)

  let next = 0
  let due: ReadonlyArray<Fault> = []
  const rest = runWorld(world, stepsMax, () => {
    while (next < faults.length && faults[next]!.at <= world.steps) due = [...due, faults[next++]!]
    if (due.length > 0) due = due.filter((fault) => !clients.strike(fault))
    hosts.strike()
    return violations.length === 0
  })
  if (Exit.isFailure(rest)) violate(`the run died: ${Cause.pretty(rest.cause)}`)
  // Heartbeats go on while a client waits for ever.
  else if (rest.value === "endless") {
    violations.push(`the run is not over after ${stepsMax} tasks`, ...clients.stopped(hosts.engine))
  }

  const { engine } = hosts
  if (violations.length === 0) violations.push(...clients.unfinished(engine))
  const isClean = violations.length === 0
  if (isClean) violations.push(...leaks(engine))
  const { differences, journal } = hosts.judge(isClean)
  violations.push(...differences)
  const history = { journal: [...journal], ...clients.history() }
  violations.push(...certify(history, { kinds: options.ownKinds }))
  return {
    seed,
    violations,
    history,
    faults: clients.struck,
    faultsAt: clients.struckAt,
    managers: hosts.begun,
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
