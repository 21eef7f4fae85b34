/**
 * A run as data: which client does what, and what goes wrong. Drawn from a seed, and made shorter when it fails.
 */
import { Ledger } from "#core/testing/Ledger.ts"
import {
  type Client,
  drawFaults,
  drawHostFaults,
  type Fault,
  type HostFault,
  Random,
  simulateSeed,
  type Simulation
} from "@effect-multiprocessing/core/testing"
import { Cause, Effect, Exit } from "effect"
import type { Mutant } from "./mutation.ts"
import { patientHelpMs, Stage, type Way, ways } from "./Stage.ts"
import { actionsOf, workloads } from "./workloads.ts"

/** One action of one fiber of one client. */
export interface Step {
  readonly client: number
  readonly fiber: number
  /** Its workload and its name in there: `Queue.offer`. */
  readonly action: string
  readonly way: Way
  /** The seed of its details. */
  readonly choice: number
}

/** All that a run depends on. */
export interface Plan {
  readonly seed: number
  readonly clients: number
  readonly steps: ReadonlyArray<Step>
  readonly faults: ReadonlyArray<Fault>
  readonly inFlightMax: number
  /** How long sessions survive their links; absent: not at all. */
  readonly graceMs: number | undefined
  /** What strikes the processes of a manager with a log; absent: it has none. */
  readonly hosts: ReadonlyArray<HostFault> | undefined
}

/** What a plan is drawn for. */
export type Circumstances = Partial<Pick<Mutant, "actions" | "bug" | "faults" | "focus" | "hosts" | "ways">>

const themes = Object.keys(workloads).map(actionsOf)

const actions = themes.flat()

/** Steps over which faults are spread: about as many as a run has. */
const faultSteps = 1_200

/** The most tasks of a run. Several clients that hold a loan one after the other need more than the usual number. */
const stepsMax = 200_000

/** The same, of a run whose help waits for a log that fails. */
const durableStepsMax = 400_000

const some = (random: Random, size: number, from: ReadonlyArray<string>) =>
  Array.from({ length: size }, () => random.pick(from))

/** The plan of a seed, out of actions that can meet a bug if there is one. */
export const draw = (seed: number, mutant: Circumstances = {}): Plan => {
  const random = new Random(seed)
  const clients = 2 + random.below(3)
  const theme = mutant.actions ?? random.pick(themes)
  // Most runs use few actions, so that these meet more often.
  const repertoire = [
    ...mutant.focus ?? [],
    ...random.pick([
      theme,
      some(random, 2 + random.below(4), theme),
      mutant.actions ?? random.pick([actions, some(random, 6, actions)])
    ])
  ]
  // A bug is found with less work by runs that are not short.
  const shortest = mutant.actions === undefined ? 20 : 40
  const steps = Array.from({ length: shortest + random.below(100 - shortest) }, (): Step => ({
    client: 1 + random.below(clients),
    fiber: random.below(3),
    action: random.pick(repertoire),
    way: random.pick(mutant.ways ?? ways),
    choice: random.below(1_000_000)
  }))
  const faults = drawFaults(random, 1, clients + 1, faultSteps, mutant.faults)
  const inFlightMax = random.pick([1, 3, 16])
  return {
    seed,
    clients,
    steps,
    faults,
    inFlightMax,
    // Other bugs are found with less work in sessions that end.
    graceMs: mutant.bug === undefined || mutant.hosts !== undefined
      ? random.pick([undefined, undefined, 5_000, 30_000])
      : mutant.faults && 5_000,
    hosts: mutant.hosts && drawHostFaults(random, faultSteps, mutant.hosts)
  }
}

/** Runs a plan, with a bug in the manager or without. */
export const run = (plan: Plan, mutant?: Pick<Mutant, "options">): Simulation => {
  const stages = stagesOf(plan)
  const helpMs = plan.hosts === undefined ? undefined : patientHelpMs
  const program = (client: Client) =>
    client.number === 0 ? steward(client, stages, helpMs) : perform(client, stages, plan.steps)
  return simulateSeed(program, {
    seed: plan.seed,
    clients: plan.clients + 1,
    steady: 1,
    faults: plan.faults,
    graceMs: plan.graceMs,
    hosts: plan.hosts,
    stepsMax: plan.hosts === undefined ? stepsMax : durableStepsMax,
    limits: { inFlightMax: plan.inFlightMax, watchCredit: 2, traceEveryDrops: 2 },
    ...mutant?.options
  })
}

/** The first seed that finds a bug, of a number of seeds. */
export const findingSeed = (mutant: Mutant, seeds: number, from = 1): number | undefined => {
  for (let seed = from; seed < from + seeds; seed++) {
    if (run(draw(seed, mutant), mutant).violations.length > 0) return seed
  }
  return undefined
}

/** Drops steps and faults while the run still fails, as long as `mayGoOn`. */
export const shorten = (plan: Plan, mutant: Mutant | undefined, mayGoOn: () => boolean): Plan => {
  let shortest = plan
  for (let size = Math.max(plan.steps.length, plan.faults.length); size >= 1; size = Math.floor(size / 2)) {
    for (const part of ["faults", "hosts", "steps"] as const) {
      for (let start = 0; start < (shortest[part]?.length ?? 0) && mayGoOn();) {
        const items: ReadonlyArray<unknown> = shortest[part] ?? []
        const shorter = { ...shortest, [part]: items.filter((_, i) => i < start || i >= start + size) }
        if (run(shorter, mutant).violations.length > 0) shortest = shorter
        else start += size
      }
    }
  }
  return shortest
}

/** Fibers of a client. */
const fibers = [0, 1, 2]

/** A client that performs steps of a plan. */
export type Performer = Pick<Client, "number" | "name" | "isLost" | "cancellable">

/** The workloads of a plan, for one run. Plans that meet the same objects have the same ledger. */
export const stagesOf = (plan: Plan, ledger = new Ledger(), sleepMaxMs?: number): ReadonlyArray<Stage> => {
  const names = [...new Set(plan.steps.map(({ action }) => action.split(".")[0]!))]
  return names.map((name) => new Stage(name, workloads[name]!, ledger, sleepMaxMs))
}

/** Performs the steps of one client, in as many fibers as they ask for. Fails with a defect of any of them. */
export const perform = (client: Performer, stages: ReadonlyArray<Stage>, steps: ReadonlyArray<Step>) =>
  Effect.gen(function*() {
    const performs = new Map(
      yield* Effect.forEach(
        stages,
        (stage) => Effect.map(stage.enter(client), (perform) => [stage.name, perform] as const)
      )
    )
    const performStep = ({ action, choice, way }: Step) => {
      const [name, act] = action.split(".")
      return performs.get(name!)!(act!, way, new Random(choice))
    }
    yield* Effect.forEach(fibers, (fiber) =>
      Effect.forEach(
        steps.filter((step) => step.client === client.number && step.fiber === fiber),
        (step) =>
          client.cancellable(Effect.scoped(Effect.suspend(() => performStep(step)))).pipe(
            Effect.flatMap((exit) =>
              // What fails, or is interrupted, was meant to; a defect ends the run.
              Exit.isFailure(exit) && Cause.hasDies(exit.cause) ? Effect.die(Cause.squash(exit.cause)) : Effect.void
            )
          ),
        { discard: true }
      ), { concurrency: "unbounded", discard: true })
  })

/** Rounds of help in which no action ends, after which a client that still waits will wait for ever. */
const idleRounds = 20

/** Longer than any client sleeps for a while of work. */
const pause = 120_000

/**
 * The client that meets no faults: whenever all the others wait for something, it gives them what they wait for. So it
 * has no reason to fail, unless a manager that stands still for longer than the grace loses it as it loses the others.
 */
const steward = (client: Client, stages: ReadonlyArray<Stage>, helpMs?: number) =>
  Effect.gen(function*() {
    const ended = () => stages.reduce((sum, stage) => sum + stage.ended, 0)
    let last = 0
    for (let round = 0; client.others() > 0 && round - last <= idleRounds; round++) {
      // Its help could reach nobody any more. It is started again.
      if (client.isLost()) return yield* Effect.fail("the session of the steward was lost")
      const before = ended()
      yield* Effect.sleep(pause)
      yield* Effect.forEach(stages, (stage) => stage.help(client, round, helpMs), { discard: true })
      if (ended() > before) last = round
    }
  }).pipe(Effect.catch((error) => client.isLost() ? Effect.fail(error) : Effect.die(error)))
