/** The results, for people as lines of a table and for programs as JSON. */
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import type { Machine } from "./machine.ts"
import type { Plan, Result, Task } from "./rounds.ts"

/** A comparison that was made. */
export interface Row extends Result {
  readonly key: string
  readonly task: Task
  /** Its name. */
  readonly peer: string
}

/** A peer that is not on this machine, and so none of its comparisons was made. */
export interface Skipped {
  readonly peer: string
  readonly reason: string
}

/** A comparison that broke. */
export interface Failed {
  readonly key: string
  readonly reason: string
}

/** Everything a run has to say. */
export interface Report {
  readonly rows: ReadonlyArray<Row>
  readonly skipped: ReadonlyArray<Skipped>
  readonly failed: ReadonlyArray<Failed>
  readonly plan: Plan
  readonly machine: Machine
  /** As ISO 8601. */
  readonly date: string
}

const file = new URL("./results/latest.json", import.meta.url)

/** What the columns of a table are. */
export const columns = ["operation@fibersxclients/peer", "ours/s", "theirs/s", "ratio", "min–max"] as const

/** A row's numbers, in the order of the columns. */
export const cells = ({ highest, key, lowest, ours, ratio, theirs }: Row): ReadonlyArray<string> => [
  key,
  rounded(ours),
  rounded(theirs),
  ratio.toFixed(2),
  `${lowest.toFixed(2)}–${highest.toFixed(2)}`
]

/** The line above the others, for a terminal. */
export const heading = (width: number): string => aligned(columns, width)

/** A comparison as a line. */
export const line = (row: Row, width: number): string => aligned(cells(row), width)

/** What stands below the lines. */
export const explanation = ({ failed, plan, skipped }: Report): string =>
  [
    `Rates are medians of ${plan.pairs} rounds of ${plan.roundMs} ms, or longer where it says so in bench/. A ratio is ours over`,
    `theirs: the median over the ${plan.pairs} pairs of neighbouring rounds, and the lowest and highest of them.`,
    ...skipped.map(({ peer, reason }) => `skipped: ${peer} (${reason})`),
    ...failed.map(({ key, reason }) => `failed: ${key} (${reason})`)
  ].join("\n")

/** Writes the results; answers where. */
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

/** Per second, or whatever it counts: whole numbers, but for small ones. */
export const rounded = (rate: number): string =>
  rate.toLocaleString("en-US", { maximumFractionDigits: rate < 100 ? 1 : 0 })

const numberWidth = 10

const aligned = ([key = "", ...numbers]: ReadonlyArray<string>, width: number): string =>
  [key.padEnd(Math.max(width, columns[0].length)), ...numbers.map((number) => number.padStart(numberWidth))].join("  ")
