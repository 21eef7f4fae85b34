/** What is printed of a run that failed: its violations, and the shortest plan that still fails. */
import { type JournalEntry, show, type Simulation } from "@effect-multiprocessing/core/testing"
import type { Mutant } from "./mutation.ts"
import { type Plan, run, shorten } from "./Plan.ts"

/** Runs that are spent on making one failure shorter. */
const shortenRunsMax = 200

const linesMax = { violations: 10, journal: 40 }

/** A failed run, as lines. */
export const report = (plan: Plan, { violations }: Simulation, mutant: Mutant | undefined): ReadonlyArray<string> => {
  let runs = 0
  const shortest = shorten(plan, mutant, () => runs++ < shortenRunsMax)
  const again = run(shortest, mutant)
  const { journal, records } = again.history
  // What the steward did to help is no part of the explanation.
  const helpers = new Set(records.filter(({ client }) => client === "client 0").map(({ session }) => session))
  const explain = journal.filter(({ object, session }) => object > 0 && !helpers.has(session))
  const open = records.filter(({ outcome, session }) => outcome === undefined && !helpers.has(session))
  return [
    `seed ${plan.seed} failed:`,
    ...indent(violations.slice(0, linesMax.violations)),
    `the shortest plan found that fails (${shortest.steps.length} of ${plan.steps.length} steps):`,
    ...indent(
      shortest.steps.map(({ action, client, fiber, way }) => `client ${client}, fiber ${fiber}: ${action}, ${way}`)
    ),
    ...indent(
      shortest.faults.map(({ at, client, fault, milliseconds, server }) =>
        `from step ${at}: ${fault} client ${client}${server ? "'s server" : ""} (${milliseconds} ms)`
      )
    ),
    ...indent(
      (shortest.hosts ?? []).map(({ at, fault, milliseconds }) =>
        `from step ${at}: ${fault} the manager (${milliseconds} ms)`
      )
    ),
    ...indent(again.violations.slice(0, linesMax.violations)),
    `the end of its journal (${journal.length} entries, without those of the manager and the steward) and its open calls:`,
    ...indent(explain.slice(-linesMax.journal).map(line)),
    ...indent(
      open.map(({ client, fate, object, operation }) => `${operation} on #${object} by ${client}: ${fate ?? "open"}`)
    )
  ]
}

/** Of a stack only its first line tells something here. */
const indent = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.map((line) => `  ${line.split("\n    at ")[0]!.slice(0, 200)}`)

const line = ({ args, cause, index, kind, object, operation, reply, sequence, session }: JournalEntry): string =>
  `${index} ${session}:${sequence} ${cause === "request" ? operation : cause} ${kind} #${object} ${show(args)} → ${
    show(reply)
  }`
