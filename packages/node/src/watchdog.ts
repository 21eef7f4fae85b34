/**
 * The owner's side of the watchdog: a process that kills the process groups of this process's workers when this process
 * ends without having ended them, for example by SIGKILL.
 *
 * It is a process of its own because a worker cannot be trusted with its own end: it may be in a busy loop, frozen or
 * dead, while processes that it started live on in its group. The watchdog starts with the first worker, and ends with
 * its owner. If it is killed, the next worker brings it back.
 */
import * as Effect from "effect/Effect"
import * as NodeChildProcess from "node:child_process"
import type { Socket } from "node:net"
import { complaintHere } from "./nodeVersion.ts"
import { program } from "./ownFile.ts"
import { reasonOf } from "./reason.ts"

/** The process groups that have not ended, with the names of their workers. */
const groups = new Map<number, string>()

let watchdog: NodeChildProcess.ChildProcess | undefined

/** Starts the watchdog unless it runs. Fails with the reason, as text for people. */
export const start: Effect.Effect<void, string> = Effect.flatMap(program("watchdog"), (find) => {
  if (complaintHere !== undefined) return Effect.fail(complaintHere)
  if (watchdog !== undefined) return Effect.void
  return Effect.flatMap(
    Effect.try({ try: () => spawn(find()), catch: reasonOf }),
    (started) =>
      started.pid === undefined
        ? Effect.callback<void, string>((resume) => {
          started.once("error", (error) => resume(Effect.fail(reasonOf(error))))
        })
        : Effect.sync(() => {
          watchdog = started
          for (const group of groups.keys()) tell("+", group)
        })
  )
})

/** The names of the workers that have not ended. */
export const workers = (): ReadonlyArray<string> => [...groups.values()]

/** The group of a worker is killed when this process ends. */
export const guard = (group: number, worker: string): void => {
  groups.set(group, worker)
  tell("+", group)
}

/** A group has ended: its number may be given to another process. */
export const release = (group: number): void => {
  groups.delete(group)
  tell("-", group)
}

const tell = (sign: "+" | "-", group: number): void => {
  watchdog?.stdin?.write(`${sign}${group}\n`)
}

const spawn = (file: string): NodeChildProcess.ChildProcess => {
  const child = NodeChildProcess.spawn(process.execPath, [file], {
    stdio: ["pipe", "ignore", "ignore"],
    // An own process group: what kills the owner's group does not kill the watchdog.
    detached: true,
    // It holds no folder of the program and runs no code of it.
    cwd: "/",
    env: { ...process.env, NODE_OPTIONS: "" }
  })
  child.on("error", () => {}).once("exit", () => watchdog = undefined)
  child.stdin.on("error", () => {})
  // It keeps no program running. The type of `stdin` does not say that it is a socket; on Bun it is none.
  child.unref()
  ;(child.stdin as unknown as Partial<Socket>).unref?.()
  return child
}
