/** The log that tasks leave behind: a line when an attempt begins, and one when it ends. */
import { existsSync, readFileSync } from "node:fs"

/** The attempts of each task that began, and those that ended. */
export interface TaskLog {
  readonly began: ReadonlyMap<number, ReadonlyArray<number>>
  readonly ended: ReadonlyMap<number, ReadonlyArray<number>>
}

/** Reads a log. A line that a killed worker left unfinished is ignored. */
export const read = (path: string): TaskLog => {
  const log = { began: new Map<number, Array<number>>(), ended: new Map<number, Array<number>>() }
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : []
  for (const line of lines) {
    const [, what, id, attempt] = /^(began|ended) (\d+) (\d+)$/.exec(line) ?? []
    if (what !== "began" && what !== "ended") continue
    const attempts = log[what].get(Number(id)) ?? []
    attempts.push(Number(attempt))
    log[what].set(Number(id), attempts)
  }
  return log
}

/** Returns the tasks of which an attempt began more than once. */
export const repeated = ({ began }: TaskLog): ReadonlyArray<string> =>
  [...began].flatMap(([id, attempts]) =>
    new Set(attempts).size === attempts.length ? [] : [`task ${id} began as attempts ${attempts.join(", ")}`]
  )
