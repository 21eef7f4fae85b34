/**
 * A run as data: who does what, and what goes wrong. Drawn from a seed, and made shorter when it fails.
 */
import type { Manager } from "@effect-multiprocessing/core"
import {
  type Client,
  drawFaults,
  type Fault,
  Random,
  simulateSeed,
  type Simulation
} from "@effect-multiprocessing/core/testing"
import { Cause, Effect, Exit } from "effect"
import { actions, remove, themes } from "./actions.ts"
import { Ledger } from "./Ledger.ts"
import type { Mutant } from "./mutants.ts"
import * as Objects from "./objects.ts"

/** One action of one fiber of one client. */
export interface Step {
  readonly client: number
  readonly fiber: number
  readonly action: string
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
}

const names = Object.keys(actions)

/** Steps over which faults are spread: about as many as a run has. */
const faultSteps = 1_200

/** The plan of a seed, out of actions that can meet a bug if there is one. */
export const draw = (seed: number, mutant?: Mutant): Plan => {
  const random = new Random(seed)
  const clients = 2 + random.below(3)
  // Most runs use few actions, so that these meet more often.
  const repertoire = mutant?.actions ??
    random.pick([names, random.pick(themes), Array.from({ length: 6 }, () => random.pick(names))])
  const steps = Array.from({ length: 20 + random.below(80) }, (): Step => ({
    client: 1 + random.below(clients),
    fiber: random.below(3),
    action: random.pick(repertoire),
    choice: random.below(1_000_000)
  }))
  const faults = drawFaults(random, 1, clients + 1, faultSteps)
  return { seed, clients, steps, faults, inFlightMax: random.pick([1, 3, 16]) }
}

/** Runs a plan, with a bug in the manager or without. */
export const run = (plan: Plan, mutant?: Mutant): Simulation => {
  const ledger = new Ledger()
  return simulateSeed((client) => client.number === 0 ? steward(client, ledger) : worker(client, ledger, plan.steps), {
    seed: plan.seed,
    clients: plan.clients + 1,
    steady: 1,
    faults: plan.faults,
    limits: { inFlightMax: plan.inFlightMax, watchCredit: 2, traceEveryDrops: 2 },
    ...mutant?.options
  })
}

/** Drops steps and faults while the run still fails, as long as `mayGoOn`. */
export const shorten = (plan: Plan, mutant: Mutant | undefined, mayGoOn: () => boolean): Plan => {
  let shortest = plan
  for (let size = Math.max(plan.steps.length, plan.faults.length); size >= 1; size = Math.floor(size / 2)) {
    for (const part of ["faults", "steps"] as const) {
      for (let start = 0; start < shortest[part].length && mayGoOn();) {
        const shorter = { ...shortest, [part]: shortest[part].filter((_, i) => i < start || i >= start + size) }
        if (run(shorter, mutant).violations.length > 0) shortest = shorter
        else start += size
      }
    }
  }
  return shortest
}

/** A client that does its steps, in as many fibers as they ask for. */
const worker = (client: Client, ledger: Ledger, steps: ReadonlyArray<Step>) =>
  Effect.gen(function*() {
    const objects = yield* Objects.open
    const fibers = [0, 1, 2].map((fiber) =>
      steps.filter((step) => step.client === client.number && step.fiber === fiber)
    )
    yield* Effect.forEach(fibers, (own) =>
      Effect.forEach(own, ({ action, choice }) =>
        client.cancellable(
          Effect.scoped(Effect.suspend(() => actions[action]!({ client, ledger, objects, random: new Random(choice) })))
        ).pipe(
          Effect.flatMap((exit) =>
            // What fails, or is interrupted, was meant to; a defect ends the run.
            Exit.isFailure(exit) && Cause.hasDies(exit.cause) ? Effect.die(Cause.squash(exit.cause)) : Effect.void
          )
        ), { discard: true }), { concurrency: "unbounded", discard: true })
  })

/**
 * Rounds in which the steward keeps things moving before it closes the queues, and before it goes: a fiber may need one
 * for each of its steps.
 */
const rounds = { open: 4, all: 100 }

/**
 * The client that meets no faults. Whenever all the others wait for something (its sleep is longer than any of
 * theirs), it gives them what they wait for; in the end it closes everything.
 */
const steward = (client: Client, ledger: Ledger) =>
  Effect.gen(function*() {
    for (let round = 0; client.others() > 0 && round < rounds.all; round++) {
      yield* Effect.sleep(120_000)
      // Opened anew: some of them have been deleted since.
      yield* Effect.scoped(Effect.flatMap(Objects.open, (objects) => help(client, ledger, objects, round)))
    }
    const { bell, brief, desk, go, hatch, jobs, mail, round, shelf } = yield* Objects.open
    yield* shelf.clear
    yield* desk.clear
    yield* Effect.forEach([bell, go, round, jobs, mail, brief, hatch], (object) => Effect.ignore(remove(object)), {
      discard: true
    })
  })

const help = (client: Client, ledger: Ledger, objects: Objects.Objects, round: number) => {
  const { bell, board, brief, counter, go, hatch, jobs, lines, mail, notes, round: barrier, scores, store } = objects
  const helps: ReadonlyArray<Effect.Effect<unknown, unknown, Manager.Manager>> = [
    bell.withLock(Effect.andThen(store.add(5), bell.notifyAll)),
    counter.modify((n) => [undefined, n + 1]),
    // What waits for a condition sees every change, however short.
    ...[0, 1, 2, 3, 4, 5].map((n) => counter.set(n)),
    board.set({ running: true, count: 15 }),
    board.set({ running: false, count: 0 }),
    go.release,
    // In turn: a party for the one that waits alone, and a whole barrier for those who come to a broken one.
    round % 2 === 0 ? barrier.await : barrier.reset,
    scores.setAll([["a", 3], ["b", 3], ["c", 3]]),
    scores.setAll([["a", 0], ["b", 0], ["c", 0]]),
    scores.clear,
    notes.set({ a: 1, b: 1, c: 1 }),
    notes.clear,
    lines.clear,
    Effect.suspend(() => jobs.offer(ledger.item())),
    Effect.map(jobs.take, (item) => ledger.took(item, client)),
    mail.take,
    brief.close,
    remove(hatch),
    ...(round < rounds.open ? [] : [jobs.close, mail.close])
  ]
  return Effect.forEach(helps, (help) => Effect.ignore(Effect.timeoutOption(help, 10)), { discard: true })
}
