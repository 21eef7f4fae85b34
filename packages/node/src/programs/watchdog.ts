/**
 * The program of a watchdog (see `../watchdog.ts`). Its standard input names process groups, one in each line: `+` guards
 * a group, `-` releases it. When the input ends, the owner has ended: a second later every guarded group is killed.
 */
import * as Signals from "../signals.ts"

/** Milliseconds for workers to end by themselves. */
const graceMs = 1_000

const groups = new Set<number>()

// It waits for the owner's end, also when the signal was sent to all processes of a program.
Signals.ignore()

/** A group whose processes have all ended cannot be killed. */
process.on("uncaughtException", () => {})

const killAll = (): void => {
  // A timer for each: an error ends only its own.
  for (const group of groups) setTimeout(() => process.kill(-group, "SIGKILL"), graceMs)
}

let unfinished = ""
process.stdin.setEncoding("utf8").on("data", (text) => {
  const lines = (unfinished + text).split("\n")
  unfinished = lines.pop() ?? ""
  for (const line of lines) {
    const group = Number(line.slice(1))
    if (line.startsWith("+")) groups.add(group)
    else groups.delete(group)
  }
}).on("end", killAll).on("error", killAll)
