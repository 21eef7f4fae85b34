/** Formats the results: as lines of a table for people, and as JSON for programs. */
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import type { Machine } from "./machine.ts"
import type { Plan, Result, Task } from "./rounds.ts"

/** The result of a comparison. */
export interface Row extends Result {
  readonly key: string
  readonly task: Task
  /** The peer's name. */
  readonly peer: string
}

/** A peer, or a variant of ours, whose comparisons were skipped because its program is not installed on this machine. */
export interface Skipped {
  readonly peer: string
  readonly reason: string
}

/** A comparison that failed. */
export interface Failed {
  readonly key: string
  readonly reason: string
}

/** The results of a run. */
export interface Report {
  readonly rows: ReadonlyArray<Row>
  readonly skipped: ReadonlyArray<Skipped>
  readonly failed: ReadonlyArray<Failed>
  readonly plan: Plan
  readonly machine: Machine
  /** In ISO 8601. */
  readonly date: string
}

const file = new URL("./results/latest.json", import.meta.url)

/** The heads of a table's columns. */
export const columns = ["operation@fibersxclients/peer", "ours/s", "theirs/s", "ratio", "min–max"] as const

/** The cells of a row, in the order of the columns. */
export const cells = ({ highest, key, lowest, ours, ratio, theirs }: Row): ReadonlyArray<string> => [
  key,
  rounded(ours),
  rounded(theirs),
  ratio.toFixed(2),
  `${lowest.toFixed(2)}–${highest.toFixed(2)}`
]

/** The head line, for a terminal. */
export const heading = (width: number): string => aligned(columns, width)

/** The line of a comparison, for a terminal. */
export const line = (row: Row, width: number): string => aligned(cells(row), width)

/** The text below the lines. */
export const explanation = ({ failed, plan, skipped }: Report): string =>
  [
    `Rates are medians of ${plan.pairs} rounds of ${plan.roundMs} ms, or longer where it says so in bench/. A ratio is ours over`,
    `theirs: the median over the ${plan.pairs} pairs of neighbouring rounds, and the lowest and highest of them.`,
    ...skipped.map(({ peer, reason }) => `skipped: ${peer} (${reason})`),
    ...failed.map(({ key, reason }) => `failed: ${key} (${reason})`)
  ].join("\n")

/** Writes the results as JSON, and returns the path. */
export const save = ({ date, failed, machine, plan, rows, skipped }: Report): string => {
  const path = fileURLToPath(file)
  const results = {
    date,
    ...machine,
    plan,
    ratios: Object.fromEntries(rows.map(({ key, ratio }) => [key, ratio])),
    details: Object.fromEntries(rows.map(({ key, ...details }) => [key, details])),
    skipped,
    failed
  }
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify(results, undefined, 2)}\n`)
  return path
}

/** Formats a rate: as a whole number, or with one decimal below 100. */
export const rounded = (rate: number): string =>
  rate.toLocaleString("en-US", { maximumFractionDigits: rate < 100 ? 1 : 0 })

const numberWidth = 10

const aligned = ([key = "", ...numbers]: ReadonlyArray<string>, width: number): string =>
  [key.padEnd(Math.max(width, columns[0].length)), ...numbers.map((number) => number.padStart(numberWidth))].join("  ")
