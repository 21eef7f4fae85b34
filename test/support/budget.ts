/**
 * The size of a random test. The number that a test writes is what `npm test` takes; `TEST_BUDGET` multiplies it, by 8 in
 * continuous integration. A test whose smaller form shows as much has no budget.
 */
const factor = Number(process.env["TEST_BUDGET"] ?? 1)
const share = Math.min(1, factor / 8)
if (!(factor > 0)) throw new Error(`TEST_BUDGET must be a number above 0, not ${process.env["TEST_BUDGET"]}`)

/** Some of many cases of one search, at least one: every eighth, times `TEST_BUDGET`. */
export const sample = <A>(cases: ReadonlyArray<A>): ReadonlyArray<A> =>
  cases.filter((_, i) => Math.ceil((i + 1) * share) > Math.ceil(i * share))

/** This many programs, seeds or rounds, times `TEST_BUDGET`; at least one. */
export const budget = (count: number): number => Math.max(1, Math.round(count * factor))
