/**
 * The program of a watchdog (see `../watchdog.ts`). Its standard input names process groups, one in each line, with how
 * each is guarded. When the input ends, the owner has ended: every guarded group is killed after its grace.
 */
import { rmSync } from "node:fs"
import * as Signals from "../signals.ts"
import type { Guard, Line } from "../watchdog.ts"

const groups = new Map<number, Guard>()

// It waits for the owner's end, also when the signal was sent to all processes of a program.
Signals.ignore()

/** A group whose processes have all ended cannot be killed. */
process.on("uncaughtException", () => {})

const killAll = (): void => {
  // A timer for each: an error ends only its own.
  for (const [group, { folder, graceMs }] of groups) {
    setTimeout(() => process.kill(-group, "SIGKILL"), graceMs)
    if (folder !== undefined) setTimeout(() => rmSync(folder, { recursive: true, force: true }), graceMs)
  }
}

let unfinished = ""
process.stdin.setEncoding("utf8").on("data", (text) => {
  const lines = (unfinished + text).split("\n")
  unfinished = lines.pop() ?? ""
  for (const line of lines) {
    const { group, guard }: Line = JSON.parse(line)
    if (guard === undefined) groups.delete(group)
    else groups.set(group, guard)
  }
}).on("end", killAll).on("error", killAll)
