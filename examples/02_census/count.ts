/** Counts identifiers: the work itself, without any sharing. */

/** Returns how often each identifier occurs in a source text. */
export const identifiers = (text: string): Record<string, number> => {
  const counts = new Map<string, number>()
  for (const [word] of text.matchAll(/[A-Za-z_$][\w$]*/g)) counts.set(word, (counts.get(word) ?? 0) + 1)
  return Object.fromEntries(counts)
}

/** Adds up the counts of several files. */
export const total = (files: Iterable<Readonly<Record<string, number>>>): ReadonlyMap<string, number> => {
  const totals = new Map<string, number>()
  for (const counts of files) {
    for (const [word, count] of Object.entries(counts)) totals.set(word, (totals.get(word) ?? 0) + count)
  }
  return totals
}
