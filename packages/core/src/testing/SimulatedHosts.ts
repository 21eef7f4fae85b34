/**
 * The managers of a simulation: one in memory, or several on one log, each in a process of its own.
 *
 * ```text
 *   host 1 ─► killed, frozen, or left running ┐
 *   host 2 ─► …                               ├─► SimulatedLog ─► what was done, and whether each manager says so
 *   host 3 ─► the one that clients reach      ┘
 * ```
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import type { Engine, EngineOptions } from "../engine/Engine.ts"
import type { Input, JournalEntry } from "../engine/Inputs.ts"
import { Monitor } from "../engine/Invariants.ts"
import { Compacted, Fenced, LogUnavailable } from "../Log.ts"
import * as Replay from "../server/Replay.ts"
import * as Server from "../server/Server.ts"
import type { HostFault } from "./Faults.ts"
import { checkGraces } from "./GraceCheck.ts"
import type { Random } from "./Random.ts"
import { rerun } from "./rerun.ts"
import type { SimulatedLog } from "./SimulatedLog.ts"
import type { Process, World } from "./World.ts"

/** A manager in its process. */
export interface Host {
  readonly process: Process
  readonly server: Server.Server
}

/** The managers of a run. */
export interface Hosts {
  /** The state of the newest manager that has begun. */
  readonly engine: Engine
  /** The manager that a client reaches now. Absent: there is none. */
  readonly reached: Host | undefined
  /** The number of managers that have begun. */
  readonly begun: number
  /** The number of faults that have struck hosts. */
  readonly struck: number
  /** Lets the faults of hosts happen that are due. */
  readonly strike: () => void
  /** Every change of all managers, and what is wrong with their states after a run without violations, as sentences. */
  readonly judge: (isClean: boolean) => {
    readonly journal: ReadonlyArray<JournalEntry>
    readonly differences: ReadonlyArray<string>
  }
}

/** What hosts are made of. */
export interface HostsOptions {
  readonly world: World
  /** The probability that a fiber of a host yields before an operation. */
  readonly yields: number
  readonly server: Pick<Server.ServerOptions, "kinds" | "limits" | "key">
  /** Sees each engine before its first input, to tamper with it. */
  readonly onEngine: (engine: Engine) => void
  readonly violate: (sentence: string) => void
}

/** One manager, without a log. */
export const oneHost = (options: HostsOptions, random: Random): Hosts => {
  const { onEngine, server: { kinds, limits }, violate } = options
  const journal: Array<JournalEntry> = []
  const inputs: Array<Input> = []
  const host = startNow(options, Server.make({ ...judged(options), journal: (entry) => journal.push(entry) }))
  const { engine } = host.server
  onEngine(engine)
  const step = engine.step.bind(engine)
  engine.step = (input) => {
    inputs.push(input)
    step(input)
  }
  checkGraces(engine, violate)
  onDefect(host, (cause) => violate(`the server stopped: ${Cause.pretty(cause)}`))
  return {
    engine,
    reached: host,
    begun: 1,
    struck: 0,
    strike: () => {},
    judge: (isClean) => {
      const options: EngineOptions = { epoch: engine.state.epoch, kinds, limits }
      const loadedBefore = random.below(inputs.length)
      return { journal, differences: isClean ? rerun({ engine, options, inputs, loadedBefore, onEngine }) : [] }
    }
  }
}

/** What managers on a log are made of besides. */
export interface DurableOptions extends HostsOptions {
  readonly log: SimulatedLog
  readonly faults: ReadonlyArray<HostFault>
  /** Called when what clients have told this process leads nowhere any more: it is dead, or another one leads. */
  readonly onLost: (process: Process, isDead: boolean) => void
}

/** Managers on one log: whenever one has ended, or seems to have, the next one begins. */
export class DurableHosts implements Hosts {
  engine: Engine
  reached: Host | undefined
  begun = 0
  struck = 0
  readonly #options: DurableOptions
  /** The newest process: it begins, or clients reach it. */
  #newest: Process
  #next = 0

  constructor(options: DurableOptions) {
    this.#options = options
    const host = startNow(options, this.#starting)
    this.#newest = host.process
    this.engine = host.server.engine
    options.log.begin()
    this.#serve(host)
  }

  strike(): void {
    const { faults, onLost, world } = this.#options
    for (let fault = faults[this.#next]; fault !== undefined && fault.at <= world.steps; fault = faults[++this.#next]) {
      const process = this.#newest
      this.struck++
      world.mark(fault.milliseconds)
      if (fault.fault === "compact") {
        this.#compact()
      } else if (fault.fault === "kill") {
        process.kill()
        this.#lose(process)
        onLost(process, true)
        this.#begin(fault.milliseconds)
      } else {
        if (fault.fault === "freeze") process.pause(fault.milliseconds)
        this.#begin(0)
      }
    }
  }

  judge(isClean: boolean) {
    const { log, server: { kinds, limits } } = this.#options
    const { differences, journal } = log.judge({ kinds, limits }, isClean ? this.engine : undefined)
    return { journal, differences: isClean ? differences : [] }
  }

  /** Replaces the entries of the log by a snapshot, unless the log fails. */
  #compact(): void {
    const { log: { options: { log, realm } }, server, violate, world, yields } = this.#options
    const compacting = Effect.flatMap(
      Replay.snapshot({ ...server, log, realm, instance: "", epoch: 0 }),
      (snapshot) => log.putSnapshot(realm, snapshot)
    )
    Effect.runForkWith(world.process(yields).context)(compacting).addObserver((exit) => {
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      const isHarmless = error === undefined || error instanceof LogUnavailable || error instanceof Compacted
      if (!isHarmless) violate(`no snapshot can be made: ${error}`)
    })
  }

  get #starting() {
    const { log } = this.#options
    return Server.makeDurable({ ...judged(this.#options), ...log.options })
  }

  /** Starts the next manager. */
  #begin(afterMs: number): void {
    const { world, violate, yields } = this.#options
    const process = world.process(yields)
    this.#newest = process
    const start = Effect.suspend(() => Effect.provideService(this.#starting, Scope.Scope, Scope.makeUnsafe())).pipe(
      Effect.retry({
        schedule: Schedule.spaced("100 millis"),
        while: (error) => error instanceof Fenced || error instanceof LogUnavailable
      }),
      Effect.delay(afterMs),
      Effect.provideService(References.MinimumLogLevel, "Error")
    )
    Effect.runForkWith(process.context)(start).addObserver((exit) => {
      if (Exit.isFailure(exit)) return violate(`no manager can begin: ${Cause.pretty(exit.cause)}`)
      if (process !== this.#newest) return
      const before = this.reached
      this.#serve({ process, server: exit.value })
      if (before !== undefined) this.#options.onLost(before.process, false)
    })
  }

  #lose(process: Process): void {
    if (this.reached?.process === process) this.reached = undefined
  }

  /** From now on clients reach this manager. */
  #serve(host: Host): void {
    const { onEngine, violate } = this.#options
    this.begun++
    this.reached = host
    this.engine = host.server.engine
    onEngine(this.engine)
    onDefect(host, (cause) => {
      if (!(Cause.squash(cause) instanceof Fenced)) return violate(`the server stopped: ${Cause.pretty(cause)}`)
      this.struck++
      if (host.process === this.#newest) this.#begin(0)
      this.#lose(host.process)
      this.#options.onLost(host.process, false)
    })
  }
}

// internals

/** The options of a server whose invariants are checked after every step. */
const judged = ({ server, violate }: HostsOptions): Server.ServerOptions => {
  const monitor = new Monitor()
  return {
    ...server,
    monitor: (engine, outputs) => {
      const broken = monitor.observe(engine, outputs)
      broken.forEach(violate)
      return broken
    }
  }
}

/** Starts a manager before anything else happens. */
const startNow = <E>(
  { world, yields }: HostsOptions,
  start: Effect.Effect<Server.Server, E, Effect.Services<ReturnType<typeof Server.make>>>
): Host => {
  const process = world.process(yields)
  const starting = Effect.runForkWith(process.context)(
    Effect.orDie(start).pipe(
      Effect.provideService(Scope.Scope, Scope.makeUnsafe()),
      // The warnings of its log are of faults.
      Effect.provideService(References.MinimumLogLevel, "Error")
    )
  )
  world.run(Infinity, () => starting.pollUnsafe() === undefined)
  // Starting the first manager cannot fail.
  return { process, server: Exit.getSuccess(starting.pollUnsafe()!).pipe(Option.getOrThrow) }
}

const onDefect = ({ process, server }: Host, run: (cause: Cause.Cause<unknown>) => void): void => {
  Effect.runForkWith(process.context)(server.awaitDefect).addObserver((exit) => {
    if (Exit.isFailure(exit)) run(exit.cause)
  })
}
