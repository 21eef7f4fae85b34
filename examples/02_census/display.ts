/** Progress and results for a person: a bar that redraws on a terminal, plain lines elsewhere. */

/** Prints progress: every step on a terminal, each tenth of the way elsewhere. */
export const makeProgress = (total: number) => {
  const terminal = process.stdout.isTTY === true
  const started = performance.now()
  let shown = -1
  return (done: number): void => {
    const tenth = Math.floor((done / total) * 10)
    if (!terminal && tenth === shown) return
    shown = tenth
    const seconds = (performance.now() - started) / 1_000
    const rate = `${(done / Math.max(seconds, 0.001)).toFixed(0)} files/s`
    const share = `${done}/${total} files`
    if (!terminal) return console.log(`progress: ${share}, ${rate}`)
    const bar = "#".repeat(tenth * 3).padEnd(30, ".")
    process.stdout.write(`\r[${bar}] ${share}, ${rate} ${done === total ? "\n" : ""}`)
  }
}

/** The most frequent words, in two columns. */
export const top = (totals: ReadonlyMap<string, number>, size: number): string =>
  [...totals]
    .toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, size)
    .map(([word, count]) => `${String(count).padStart(8)}  ${word}`)
    .join("\n")
