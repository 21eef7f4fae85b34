import type { SimulationOptions } from "@effect-multiprocessing/core/testing"

/** What to give the simulation of a seed, so that it has the bug. */
export type Mutant = (seed: number) => Partial<SimulationOptions>
