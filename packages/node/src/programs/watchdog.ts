/**
 * The program of a watchdog (see `../watchdog.ts`). Its standard input names process groups, one in each line, with how
 * each is guarded. When the input ends, the owner has ended: every guarded group is killed after its grace, and every
 * child at once that was announced and has no group yet.
 */
import { readdir, readFile, rmSync } from "node:fs"
import * as Signals from "../signals.ts"
import type { Guard, Line } from "../watchdog.ts"

const groups = new Map<number, Guard>()

/** What the environments of the children have that are being started. */
const starting = new Set<string>()

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

/** Only Linux says which environment a process has begun with. Another system has no such files. */
const killStarting = (): void => {
  if (starting.size === 0) return
  readdir("/proc", (_, names: ReadonlyArray<string> = []) => {
    for (const name of names) {
      readFile(`/proc/${name}/environ`, "latin1", (_, environment = "") => {
        if (environment.split("\0").some((entry) => starting.has(entry))) process.kill(-Number(name), "SIGKILL")
      })
    }
  })
}

const onEnd = (): void => {
  killAll()
  killStarting()
}

let unfinished = ""
process.stdin.setEncoding("utf8").on("data", (text) => {
  const lines = (unfinished + text).split("\n")
  unfinished = lines.pop() ?? ""
  for (const line of lines) {
    const told: Line = JSON.parse(line)
    if ("isStarting" in told) {
      if (told.isStarting) starting.add(told.environment)
      else starting.delete(told.environment)
    } else if (told.guard === undefined) groups.delete(told.group)
    else groups.set(told.group, told.guard)
  }
}).on("end", onEnd).on("error", onEnd)
