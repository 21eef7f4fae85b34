/**
 * Explains a run to the reader of a failure: a line for each call, in the order in which the calls took effect.
 */
import type { CallRecord } from "./History.ts"
import { show } from "./kinds/Model.ts"
import type { Simulation } from "./simulateSeed.ts"

/** The last calls of a run on shared objects. Calls without a reply come last. */
export const explain = ({ history, nameOf }: Simulation, linesMax: number): ReadonlyArray<string> => {
  const changes = new Set(history.journal.map(({ sequence, session }) => `${session}:${sequence}`))
  // A read has the index of the last change that it saw, and is shown after it.
  const place = ({ index = Infinity, sequence, session }: CallRecord): number =>
    changes.has(`${session}:${sequence}`) ? index : index + 0.5
  return history.records
    .filter(({ object }) => object > 0)
    .sort((left, right) => place(left) - place(right) || left.invoke - right.invoke)
    .slice(-linesMax)
    .map(({ args, client, fate, object, operation, outcome }) => {
      const call = `${client}: ${operation}${show(args)} on ${nameOf(object)}`
      if (outcome === undefined) return `${call} ${fate ?? "has no reply"}`
      return `${call} → ${outcome._tag === "Success" ? show(outcome.reply) : outcome.error}`
    })
}
