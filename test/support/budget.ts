/**
 * The size of a random test. `TEST_BUDGET` multiplies the number that a test writes: `npm test` takes half of it,
 * continuous integration eight times as much. A test whose smaller form shows as much has no budget.
 */
const whole = 8
const factor = Number(process.env["TEST_BUDGET"] ?? 1 / 2)
const share = Math.min(1, factor / whole)
if (!(factor > 0)) throw new Error(`TEST_BUDGET must be a number above 0, not ${process.env["TEST_BUDGET"]}`)

/** Whether every search is made in full, as in continuous integration. */
export const isWhole = share === 1

/** Some of many cases of one search, at least one: a sixteenth in `npm test`, all in continuous integration. */
export const sample = <A>(cases: ReadonlyArray<A>): ReadonlyArray<A> =>
  cases.filter((_, i) => Math.ceil((i + 1) * share) > Math.ceil(i * share))

/** This many programs, seeds or rounds, times `TEST_BUDGET`; at least one. */
export const budget = (count: number): number => Math.max(1, Math.round(count * factor))
