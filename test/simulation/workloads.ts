/** Everything that clients of a simulated run can do. */
import { specimens } from "#core/testing/kinds/index.ts"
import type { AnyWorkload } from "#core/testing/Workload.ts"
import { scenarios } from "./scenarios.ts"

/** The specimen of each kind by the kind's name, and the scenarios. */
export const workloads: Readonly<Record<string, AnyWorkload>> = {
  ...Object.fromEntries(specimens.map((specimen) => [specimen.kind.name, specimen])),
  ...scenarios
}

/** The actions of a workload, with its name: `Queue.offer`. */
export const actionsOf = (name: string): ReadonlyArray<string> =>
  Object.keys(workloads[name]!.actions).map((action) => `${name}.${action}`)
