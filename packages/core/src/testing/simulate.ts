/**
 * Tests programs that share objects: runs a program with its processes in one thread, once for each seed, with another
 * order of events and other faults each time. A bug of one run in a thousand in production happens in every run of a
 * seed.
 *
 * It runs a main program and its tasks, as `runMain` does. `Process.spawn` starts a simulated process.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Kind from "../Kind.ts"
import type { Limits } from "../Limits.ts"
import { explain } from "./explain.ts"
import { drawFaults, type Fault, type FaultCounts, type FaultName, noFaults } from "./Faults.ts"
import { Random } from "./Random.ts"
import { programWith, type SimulatedServices, type SimulatedTasks } from "./SimulatedProcesses.ts"
import { simulateSeed, type Simulation } from "./simulateSeed.ts"

/** The options of a simulation. */
export interface SimulateOptions {
  /** The number of seeds. Each seed is a run. Default 100. */
  readonly seeds?: number | undefined
  /** The first seed. Default 1. */
  readonly from?: number | undefined
  /** The tasks of its processes, as for `runMain`. */
  readonly tasks?: SimulatedTasks | undefined
  /** The own kinds of its objects, as for `runMain`. Their invariants are checked after every step. */
  readonly kinds?: ReadonlyArray<Kind.Known> | undefined
  /**
   * The faults that may happen; besides, events happen in any order. Default: `harmlessFaults`. Add `kill`, `cut`
   * and `half` for a program that survives the death of a process and the loss of its connection. They strike the processes that
   * the main program starts, never the main program.
   */
  readonly faults?: ReadonlyArray<FaultName> | undefined
  /** Bounds other than the defaults. A handshake has no deadline unless it is given here. */
  readonly limits?: Partial<Limits> | undefined
  /** The number of tasks of the scheduler after which a run counts as endless. Default 100,000. */
  readonly stepsMax?: number | undefined
}

/**
 * Faults that change only the time of events: links are slow and deliver pieces, processes pause, timers fire early.
 * And `cancel`, which interrupts only the effects that `cancellable` runs.
 */
export const harmlessFaults: ReadonlyArray<FaultName> = ["delay", "split", "pause", "rush", "cancel"]

/** A summary of all runs. */
export interface Simulated {
  readonly seeds: number
  /** The number of different runs. */
  readonly different: number
  /** The number of tasks of the scheduler. */
  readonly steps: number
  /** The number of faults that happened. */
  readonly faults: FaultCounts
}

/** A seed for which the program fails. The same seed makes the same run. */
export class SimulationFailed extends Schema.TaggedError<SimulationFailed>()("SimulationFailed", {
  seed: Schema.Int,
  /** The violations, as sentences. */
  violations: Schema.Array(Schema.String),
  /** The last calls of the run, in the order in which they took effect. */
  calls: Schema.Array(Schema.String),
  /** The failure of the main program, if it failed. */
  cause: Schema.optional(Schema.Unknown)
}) {
  override get message(): string {
    return [
      `seed ${this.seed}: ${this.violations.join("\n")}`,
      ...(this.calls.length === 0 ? [] : ["the last calls:", ...this.calls.map((line) => `  ${line}`)]),
      `replay it alone: simulate(program, { seeds: 1, from: ${this.seed} }), with the other options as they were`
    ].join("\n")
  }
}

/**
 * Runs a program once for each seed, and fails with the first run in which the main program fails (also by a failed
 * assertion), waits for ever, or does not end. It also certifies the history of the manager.
 *
 * The seed decides which fiber of which process runs next, the results of Effect's `Clock` and `Random`, and the
 * faults. Time is simulated, so an hour of sleep takes no real time. Everything else that the program uses must be
 * deterministic, too: no files, no sockets, and no timers other than Effect's. A seed that fails is run again, and the
 * error says if the second run differs from the first.
 *
 * **Cancellation** Between two runs.
 *
 * ```ts
 * it("loses no order", () => Effect.runPromise(simulate(main, { tasks, seeds: 500 })))
 * ```
 */
export const simulate = <A, E>(
  main: Effect.Effect<A, E, SimulatedServices>,
  options: SimulateOptions = {}
): Effect.Effect<Simulated, SimulationFailed> =>
  Effect.gen(function*() {
    const { from = 1, seeds = 100 } = options
    if (!(Number.isSafeInteger(seeds) && seeds > 0)) return yield* mistake("seeds", "of at least 1", seeds)
    if (!Number.isSafeInteger(from)) return yield* mistake("from", "", from)
    const { stepsMax = 1 } = options
    if (!(Number.isSafeInteger(stepsMax) && stepsMax > 0)) return yield* mistake("stepsMax", "of at least 1", stepsMax)
    const faults = noFaults()
    const traces = new Set<string>()
    let steps = 0
    for (let seed = from; seed < from + seeds; seed++) {
      const { simulation, ...run } = runSeed(main, options, seed)
      if (run.violations.length > 0) {
        const again = runSeed(main, options, seed).simulation
        const violations = again.trace === simulation.trace ? run.violations : [...run.violations, notRepeatable]
        return yield* new SimulationFailed({ seed, ...run, violations, calls: explain(simulation, callsMax) })
      }
      traces.add(simulation.trace)
      steps += simulation.steps
      for (const [name, times] of Object.entries(simulation.faults)) faults[name as FaultName] += times
      yield* Effect.yieldNow
    }
    return { seeds, different: traces.size, steps, faults }
  })

// internals

/** The number of calls that a failure shows. */
const callsMax = 30

/** The number of processes that have faults. Later ones have none. */
const facingFaults = 8

/** The steps over which the faults of a seed are spread: runs have some hundred steps, or some thousand. */
const faultSteps = [50, 200, 1_000]

const notRepeatable = "A second run of this seed went another way: the program uses something that the seed does not " +
  "decide, such as Date.now, Math.random, a timer or a file"

const mistake = (option: string, what: string, given: number): Effect.Effect<never> =>
  Effect.die(new RangeError(`${option} must be a whole number ${what}, not ${given}`))

/** One run, and its failure if it failed. */
const runSeed = <A, E>(
  main: Effect.Effect<A, E, SimulatedServices>,
  options: SimulateOptions,
  seed: number
): { readonly simulation: Simulation; readonly violations: ReadonlyArray<string>; readonly cause?: unknown } => {
  let failure: Cause.Cause<E> | undefined
  const exit = Effect.map(Effect.exit(Effect.scoped(main)), (exit) => {
    if (Exit.isFailure(exit)) failure = exit.cause
  })
  const simulation = simulateSeed(programWith(options.tasks ?? Layer.empty)(exit), {
    seed,
    clients: 1,
    names: ["main"],
    restarts: 0,
    ownKinds: options.kinds,
    faults: faultsOf(seed, options.faults ?? harmlessFaults),
    limits: { handshakeMs: Infinity, ...options.limits },
    stepsMax: options.stepsMax
  })
  if (failure === undefined) return { simulation, violations: simulation.violations }
  const violations = [`main failed: ${Cause.pretty(failure).split("\n")[0]}`, ...simulation.violations]
  return { simulation, violations, cause: Cause.squash(failure) }
}

const faultsOf = (seed: number, names: ReadonlyArray<FaultName>): ReadonlyArray<Fault> => {
  const random = new Random(seed)
  return drawFaults(random, 0, facingFaults, random.pick(faultSteps), names)
    .filter(({ client, fault }) => client > 0 || !["cut", "half", "kill"].includes(fault))
}
