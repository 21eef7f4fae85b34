/** Standard output: lines, and tables of aligned columns. */
import type { Manager } from "@effect-multiprocessing/core"
import * as Effect from "effect/Effect"

/** Writes text, and waits until the system has taken it: what reads a pipe decides how fast a command goes. */
export const write = (text: string): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    process.stdout.write(text, () => resume(Effect.void))
  })

/** Writes lines. */
export const print = (...lines: ReadonlyArray<string>): Effect.Effect<void> =>
  write(lines.map((line) => `${line}\n`).join(""))

/** Writes a value as a line of JSON. */
export const printJson = (value: unknown): Effect.Effect<void> => print(JSON.stringify(value))

/** A cell of a table. Numbers stand at the right of their column. */
export type Cell = string | number

/** Lines of aligned columns under a heading. */
export const table = (
  heading: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<Cell>>
): ReadonlyArray<string> => {
  const isNumber = heading.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === "number"))
  const lines = [heading, ...rows].map((row) => row.map((cell) => shown(String(cell))))
  const widths = heading.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)))
  return lines.map((line) =>
    line.map((cell, i) => isNumber[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)).join("  ").trimEnd()
  )
}

/** A text of another process, without what a terminal would obey. */
// oxlint-disable-next-line no-control-regex -- these are the characters that must not be written
export const shown = (text: string): string => text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "\uFFFD")

/** When a session ends that has no connection. Empty: it has one. */
export const endsIn = ({ endsInMs }: Pick<Manager.SessionInfo, "endsInMs">): string =>
  endsInMs === null ? "" : duration(endsInMs)

/** A time as people read it, by its two largest units: `2h 5m`. */
export const duration = (milliseconds: number): string => {
  const seconds = Math.floor(milliseconds / 1_000)
  const units = [[86_400, "d"], [3_600, "h"], [60, "m"], [1, "s"]] as const
  const first = units.findIndex(([size]) => seconds >= size)
  if (first < 0) return "0s"
  return units.slice(first, first + 2).map(([size, unit], i) => {
    const rest = i === 0 ? seconds : seconds % units[first]![0]
    return `${Math.floor(rest / size)}${unit}`
  }).join(" ")
}
