/** Formats results for people. */

/** The most frequent words, in two columns. */
export const top = (totals: ReadonlyMap<string, number>, size: number): string =>
  [...totals]
    .toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, size)
    .map(([word, count]) => `${String(count).padStart(8)}  ${word}`)
    .join("\n")
