/**
 * What every kind gets for its specimen: random programs of its actions, in several clients at once, on every deployment
 * of a manager. What they saw is certified (S-31).
 */
import { specimens } from "#core/testing/kinds/index.ts"
import { Ledger } from "#core/testing/Ledger.ts"
import { Manager } from "@effect-multiprocessing/core"
import { certify, Recorder } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { draw, perform, type Performer, type Plan, stagesOf } from "../simulation/Plan.ts"
import { actionsOf } from "../simulation/workloads.ts"
import type { Recorded, Suite } from "./suite.ts"

/** Programs of each kind, by their seeds. */
const seeds = [1, 2]

/** Of an action, in milliseconds; each round of help begins so much later after the one before it. */
const sleepMaxMs = 5

const performer = (number: number): Performer => ({
  number,
  name: `client ${number}`,
  isLost: () => false,
  cancellable: (effect) => Effect.exit(effect)
})

/** Performs a plan: each client has a connection of its own, and one more helps those that wait. */
export const performAll = (
  plan: Plan,
  ledger: Ledger,
  { connect }: Pick<Recorded, "connect">,
  recorderOf: (client: string) => Recorder
) =>
  Effect.gen(function*() {
    const stages = stagesOf(plan, ledger, sleepMaxMs)
    const as = ({ name }: Performer) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.scoped(Effect.suspend(() => {
        const recorder = recorderOf(name)
        return Effect.flatMap(
          connect((link) => recorder.listen(link)),
          (manager) => Effect.provideService(effect, Manager.Manager, manager)
        )
      }))
    const clients = Array.from({ length: plan.clients }, (_, i) => performer(i + 1))
    const performed = Effect.forEach(clients, (client) => as(client)(perform(client, stages, plan.steps)), {
      concurrency: "unbounded",
      discard: true
    })
    const helper = performer(0)
    const help = (round: number): Effect.Effect<never, unknown, Manager.Manager> =>
      Effect.sleep(sleepMaxMs * (1 + round)).pipe(
        Effect.andThen(Effect.forEach(stages, (stage) => stage.help(helper, round))),
        Effect.andThen(Effect.suspend(() => help(round + 1)))
      )
    yield* Effect.raceFirst(performed, as(helper)(help(0)))
  })

/** Every kind that has a specimen. */
export const specimenSuite: Suite = ({ name, recorded }) =>
  describe(`Specimens, ${name}`, () => {
    it.live.each(specimens.map(({ kind }) => kind.name))("%s is what its model says", (kind) =>
      Effect.gen(function*() {
        const manager = yield* recorded
        const recorders: Array<Recorder> = []
        let events = 0
        const recorderOf = (client: string): Recorder => {
          const recorder = new Recorder({ client, clock: "events", now: () => ++events })
          recorders.push(recorder)
          return recorder
        }
        // What one program leaves in a queue, the next one takes.
        const ledger = new Ledger()
        for (const seed of seeds) {
          yield* performAll(draw(seed, { actions: actionsOf(kind) }), ledger, manager, recorderOf)
        }
        const verdict = certify({
          journal: yield* manager.journal,
          records: recorders.flatMap(({ records }) => records),
          watches: recorders.flatMap(({ watches }) => watches)
        })
        assert.deepStrictEqual(verdict, [])
        const { inspect } = yield* manager.connect((link) => link)
        assert.strictEqual((yield* inspect).counts.waiters, 0)
      }).pipe(Effect.scoped))
  })
