/** What the tasks have left behind. */
import { existsSync, readFileSync } from "node:fs"

/** The attempts that began, and those that ended, of each task. */
export interface TaskLog {
  readonly began: ReadonlyMap<number, ReadonlyArray<number>>
  readonly ended: ReadonlyMap<number, ReadonlyArray<number>>
}

/** Reads a log; a line that a killed worker has not finished counts for nothing. */
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

/** What is wrong with the attempts of the tasks: each may begin once, and a later one only after those before it. */
export const repeated = ({ began }: TaskLog): ReadonlyArray<string> =>
  [...began].flatMap(([id, attempts]) =>
    new Set(attempts).size === attempts.length ? [] : [`task ${id} began as attempts ${attempts.join(", ")}`]
  )
