/** Requests to the directory to open objects of every kind: those of the specimens' samples, and variations of them. */
import type { Argument, Cell } from "#core/engine/Value.ts"
import { isCell } from "#core/engine/Value.ts"
import { specimens } from "#core/testing/kinds/index.ts"
import type { Opener } from "#core/testing/Workload.ts"
import { type Random, simulateSeed } from "@effect-multiprocessing/core/testing"
import { Effect } from "effect"

/**
 * The arguments of `open` without the name: kind, fingerprint, the number of options, the options, the first values.
 */
type Opening = readonly [kind: string, fingerprint: Argument, size: Argument, ...ReadonlyArray<Argument>]

const sampled = simulateSeed(
  () =>
    Effect.forEach(
      specimens.flatMap(({ samples }) => Object.values<Opener>(samples)),
      (open) => open(undefined)
    ),
  { seed: 1, clients: 1, faults: [] }
)

const openings = sampled.history.records.filter(({ operation }) => operation === "open").map(
  ({ args: [kind, fingerprint, , ...rest] }): Opening => [String(kind), fingerprint!, ...rest as [Argument]]
)

/** The samples of each kind. */
const byKind = [...Map.groupBy(openings, ([kind]) => kind).values()]

/** The names of options, among them the fields of records, each as often as it is in samples. */
export const words: ReadonlyArray<string> = openings.flatMap(([, , size, ...rest]) =>
  rest.slice(0, Number(size) * 2).filter((_, i) => i % 2 === 0).map(String)
)

const numbers = [1, 1, 2, 3, 3, 5, 0, -1, 0.5, 1e15, Infinity]

/** Draws an opening, mostly a valid one. `value` draws the first values. */
export const drawOpening = (random: Random, name: string | null, value: () => Cell): ReadonlyArray<Argument> => {
  const [kind, fingerprint, size, ...rest] = random.pick(random.pick(byKind))
  const drawn = rest.map((argument) =>
    random.chance(1 / 2)
      ? argument
      : isCell(argument)
      ? value()
      : typeof argument === "number"
      ? random.pick(numbers)
      : random.chance(1 / 8)
      ? random.pick(["nonsense", "", "integer -5 5", null])
      : argument
  )
  return [
    random.chance(1 / 20) ? "Nonsense" : kind,
    random.chance(1 / 8) ? "other" : fingerprint,
    name,
    random.chance(1 / 20) ? random.pick(numbers) : size,
    ...drawn
  ]
}
