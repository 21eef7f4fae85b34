/** All comparisons, collected from the files that define them. */
import { inspections } from "./inspection/comparisons.ts"
import { fewObjects, objects } from "./objects.ts"
import { pools } from "./pool/comparisons.ts"
import { processes } from "./processes/comparisons.ts"
import type { Comparison } from "./rounds.ts"

/** All comparisons, in this order. */
export const full: ReadonlyArray<Comparison> = [...objects, ...processes, ...pools, ...inspections]

/** The comparisons of `--quick`: under fifty seconds. */
export const quick: ReadonlyArray<Comparison> = fewObjects
