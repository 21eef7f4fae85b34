/**
 * For tests of programs that share objects: runs a program with its processes in one thread, once for each seed, with
 * another order of events and other faults every time. What one run in a thousand does wrong in production, a seed
 * does wrong always.
 *
 * It runs what `runMain` runs, a main program and its tasks; `Process.spawn` starts a simulated process.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { Limits } from "../Limits.ts"
import { explain } from "./explain.ts"
import { drawFaults, type Fault, type FaultCounts, type FaultName, noFaults } from "./Faults.ts"
import { Random } from "./Random.ts"
import { programWith, type SimulatedServices, type SimulatedTasks } from "./SimulatedProcesses.ts"
import { simulateSeed, type Simulation } from "./simulateSeed.ts"

/** How a program is simulated. */
export interface SimulateOptions {
  /** How many seeds, and so runs. Default 100. */
  readonly seeds?: number | undefined
  /** The first seed. Default 1. */
  readonly from?: number | undefined
  /** What its processes can be asked to run, as for `runMain`. */
  readonly tasks?: SimulatedTasks | undefined
  /**
   * What may happen, besides that everything happens in any order. Default: `harmlessFaults`. Add `kill` and `cut` for
   * a program that survives the death of a process and the loss of its connection; they strike the processes that the
   * main program starts, never itself.
   */
  readonly faults?: ReadonlyArray<FaultName> | undefined
  /** Bounds other than the defaults. A handshake has no deadline unless it is given here. */
  readonly limits?: Partial<Limits> | undefined
  /** Tasks of the scheduler after which a run counts as endless. Default 100 000. */
  readonly stepsMax?: number | undefined
}

/**
 * Faults that change only when things happen: links are slow, and deliver pieces; processes pause; timers go off
 * early. And `cancel`, which interrupts nothing but what `cancellable` runs.
 */
export const harmlessFaults: ReadonlyArray<FaultName> = ["delay", "split", "pause", "rush", "cancel"]

/** What all runs together were. */
export interface Simulated {
  readonly seeds: number
  /** How many of the runs differ from each other. */
  readonly different: number
  /** Tasks of the scheduler. */
  readonly steps: number
  /** Faults that happened. */
  readonly faults: FaultCounts
}

/** A seed with which the program fails. The same seed makes the same run. */
export class SimulationFailed extends Schema.TaggedError<SimulationFailed>()("SimulationFailed", {
  seed: Schema.Int,
  /** What was wrong, as sentences. */
  violations: Schema.Array(Schema.String),
  /** The last calls of the run, in the order in which they took effect. */
  calls: Schema.Array(Schema.String),
  /** What the main program failed with, if it did. */
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
 * Runs a program once for each seed, and fails with the first run in which the main program fails (a failed assertion
 * is such a failure), waits for ever, or does not end. What the manager did is certified besides.
 *
 * The seed decides all that is left open: which fiber of which process runs next, Effect's `Clock` and `Random`, and
 * the faults. Time is simulated, so an hour of sleep takes none. Whatever else the program uses must be as
 * deterministic: files, sockets and timers other than Effect's are not there. When a seed fails it is run again, and
 * if that run was another one, the error says so.
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

/** Calls that a failure shows. */
const callsMax = 30

/** Processes that meet faults; later ones meet none. */
const facingFaults = 8

/** Runs have some hundred steps, or some thousand: the faults of a seed are spread over one of these. */
const faultSteps = [50, 200, 1_000]

const notRepeatable = "A second run of this seed went another way: something in the program is not decided by it, " +
  "such as Date.now, Math.random, a timer or a file"

const mistake = (option: string, what: string, given: number): Effect.Effect<never> =>
  Effect.die(new RangeError(`${option} must be a whole number ${what}, not ${given}`))

/** One run: what became of it, and everything that was wrong. */
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
    .filter(({ client, fault }) => client > 0 || !["cut", "kill"].includes(fault))
}
