/** What is compared with whom, from the files that know. */
import { fewObjects, objects } from "./objects.ts"
import { pools } from "./pool/comparisons.ts"
import { processes } from "./processes/comparisons.ts"
import type { Comparison } from "./rounds.ts"

/** Everything, in this order. */
export const full: ReadonlyArray<Comparison> = [...objects, ...processes, ...pools]

/** What fits into fifty seconds. */
export const quick: ReadonlyArray<Comparison> = fewObjects
