/**
 * What a run did, for the person who reads why it failed: a line for each call, in the order in which calls ended.
 */
import { show } from "./models/Model.ts"
import type { Simulation } from "./simulateSeed.ts"

/** The last calls of a run on shared objects, those that never ended last. */
export const story = ({ history, nameOf }: Simulation, linesMax: number): ReadonlyArray<string> =>
  history.records
    .filter(({ object }) => object > 0)
    .sort((left, right) => (left.complete ?? Infinity) - (right.complete ?? Infinity) || left.invoke - right.invoke)
    .slice(-linesMax)
    .map(({ args, client, fate, object, operation, outcome }) => {
      const call = `${client}: ${operation}${show(args)} on ${nameOf(object)}`
      if (outcome === undefined) return `${call} ${fate ?? "has no answer"}`
      return `${call} → ${outcome._tag === "Success" ? show(outcome.reply) : outcome.error}`
    })
