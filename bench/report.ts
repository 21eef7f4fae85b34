/** The results, for people as a table and for programs as JSON. */
import { mkdirSync, writeFileSync } from "node:fs"
import { cpus } from "node:os"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import type { Plan, Result } from "./rounds.ts"

/** A comparison that was made. */
export interface Row extends Result {
  readonly key: string
}

/** A peer that is not on this machine, and so none of its comparisons was made. */
export interface Skipped {
  readonly peer: string
  readonly reason: string
}

/** Everything a run has to say. */
export interface Report {
  readonly rows: ReadonlyArray<Row>
  readonly skipped: ReadonlyArray<Skipped>
  readonly plan: Plan
}

const file = new URL("./results/latest.json", import.meta.url)

/** Lines for a terminal. */
export const table = ({ plan, rows, skipped }: Report): string => {
  const rate = (perSecond: number) => Math.round(perSecond).toLocaleString("en-US")
  const lines = [
    ["operation@fibersxclients/peer", "ours/s", "theirs/s", "ratio", "min–max"],
    ...rows.map(({ highest, key, lowest, ours, ratio, theirs }) => [
      key,
      rate(ours),
      rate(theirs),
      ratio.toFixed(2),
      `${lowest.toFixed(2)}–${highest.toFixed(2)}`
    ])
  ]
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  return [
    ...lines.map((line) =>
      line.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ")
    ),
    "",
    `Rates are medians of ${plan.pairs} rounds of ${plan.roundMs} ms. A ratio is ours over theirs: the median over the`,
    `${plan.pairs} pairs of neighbouring rounds, and the lowest and highest of them.`,
    ...skipped.map(({ peer, reason }) => `skipped: ${peer} (${reason})`)
  ].join("\n")
}

/** Writes the results; answers where. */
export const save = ({ plan, rows, skipped }: Report): string => {
  const path = fileURLToPath(file)
  const results = {
    date: new Date().toISOString(),
    node: process.version,
    cpu: cpus()[0]?.model ?? "unknown",
    cpus: cpus().length,
    plan,
    ratios: Object.fromEntries(rows.map(({ key, ratio }) => [key, ratio])),
    details: Object.fromEntries(rows.map(({ key, ...result }) => [key, result])),
    skipped
  }
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify(results, undefined, 2)}\n`)
  return path
}
