/** Writes the results into the documentation: between two marks of `docs/performance.md`, and a chart beside it. */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { chart } from "./chart.ts"
import { cells, columns, type Report, rounded, type Row } from "./report.ts"
import { median } from "./rounds.ts"

const pageFile = fileURLToPath(new URL("../docs/performance.md", import.meta.url))
const chartFile = fileURLToPath(new URL("../docs/performance.svg", import.meta.url))

const begin = "<!-- written by npm run bench -- --write-docs -->"
const end = "<!-- until here -->"

/** Writes both files, and returns their paths. */
export const writePage = (report: Report): ReadonlyArray<string> => {
  writeFileSync(chartFile, chart(report.rows, `Ratios of ${dateOf(report)}`))
  writeFileSync(pageFile, withResults(readFileSync(pageFile, "utf8"), results(report)))
  return [pageFile, chartFile]
}

/** Replaces the results between the marks of a page. */
export const withResults = (page: string, results: string): string => {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`the page has no "${begin}" with "${end}" after it`)
  return `${page.slice(0, from)}${begin}\n\n${results}\n\n${page.slice(to)}`
}

/** The text between the marks. */
export const results = (report: Report): string => {
  const { failed, machine, plan, rows, skipped } = report
  const { cores, cpu, kernel, memoryGiB, node, python = "none", redis = "none" } = machine
  const slower = rows.filter(({ ratio }) => ratio < 1).map(({ key }) => `\`${key}\``)
  return [
    `Measured on ${dateOf(report)} with ${cpu}, ${cores} cores, ${memoryGiB} GiB of memory, ${kernel}; Node ${node}, ` +
    `Python ${python}, Redis ${redis}. ${plan.pairs} pairs of rounds of ${plan.roundMs} ms, longer ones where processes start or meet.`,
    "![Ratios as a chart](performance.svg)",
    "### The cost of one operation",
    "Microseconds of one client per operation, one at a time, and with 256 fibers whose calls travel together.",
    table(["operation", "ours", "python-manager", "raw-pingpong", "ours, 256 fibers"], costs(rows)),
    "### Every comparison",
    table(columns, rows.map((row) => cells(row))),
    `Ours is slower than the peer in ${slower.length} of ${rows.length} comparisons: ${slower.join(", ")}.`,
    ...skipped.map(({ peer, reason }) => `Not compared: ${peer} (${reason}).`),
    ...failed.map(({ key, reason }) => `Not compared: \`${key}\` (${reason}).`)
  ].join("\n\n")
}

// internals

const dateOf = ({ date }: Report): string => date.slice(0, 10)

/** The costs of each operation that is measured both with one fiber and with many. */
const costs = (rows: ReadonlyArray<Row>): ReadonlyArray<ReadonlyArray<string>> =>
  [...Map.groupBy(rows, ({ task }) => task.operation)].flatMap(([operation, members]) => {
    const at = (shape: string) => members.filter(({ key }) => key.startsWith(`${operation}@${shape}/`))
    const [alone, many] = [at("1x1"), at("256x1")]
    if (alone.length === 0 || many.length === 0) return []
    const theirs = (name: string) => alone.filter(({ peer }) => peer === name).map(({ theirs }) => theirs)
    const rates = [
      alone.map(({ ours }) => ours),
      theirs("python-manager"),
      theirs("raw-pingpong"),
      many.map(({ ours }) => ours)
    ]
    return [[operation, ...rates.map((rates) => rates.length === 0 ? "" : rounded(1e6 / median(rates)))]]
  })

/** A table whose first column is text, and whose other columns are numbers. */
const table = (head: ReadonlyArray<string>, lines: ReadonlyArray<ReadonlyArray<string>>): string => {
  const all = [head, ...lines]
  const widths = head.map((_, column) => Math.max(...all.map((cells) => cells[column]!.length)))
  const row = (cells: ReadonlyArray<string>) =>
    `| ${cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join(" | ")} |`
  const rule = `| ${widths.map((width, i) => i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`).join(" | ")} |`
  return [row(head), rule, ...lines.map(row)].join("\n")
}
