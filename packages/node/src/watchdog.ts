/**
 * The owner's side of the watchdog: a process that kills the process groups of this process's children when this process
 * ends without having ended them, for example by SIGKILL.
 *
 * It is a process of its own because a child cannot be trusted with its own end: it may be in a busy loop, frozen or
 * dead, while processes that it started live on in its group. The watchdog starts with the first child, and ends with
 * its owner. If it is killed, the next child brings it back.
 */
import * as Effect from "effect/Effect"
import * as NodeChildProcess from "node:child_process"
import { randomUUID } from "node:crypto"
import type { Socket } from "node:net"
import { childVariable } from "./inbox.ts"
import { complaintHere } from "./nodeVersion.ts"
import { program } from "./ownFile.ts"
import { reasonOf } from "./reason.ts"

/** How the process group of a child is guarded. */
export interface Guard {
  /** The name of a worker, which a program waits for when it ends. Absent: a manager. */
  readonly worker?: string | undefined
  /** Milliseconds for its processes to end by themselves after their owner. */
  readonly graceMs: number
  /** Removed when the group is killed. */
  readonly folder?: string | undefined
}

/** A line on the watchdog's standard input. */
export type Line = Guarded | Announced

/** A process group; without a guard it has ended. */
interface Guarded {
  readonly group: number
  readonly guard?: Guard | undefined
}

/** A child that is about to start, or whose start is over: its group is guarded then, or there is none. */
interface Announced {
  /** What its environment has. */
  readonly environment: string
  readonly isStarting: boolean
}

/** The process groups that have not ended. */
const groups = new Map<number, Guard>()

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
          for (const [group, guard] of groups) tell({ group, guard })
        })
  )
})

/** The names of the workers that have not ended. */
export const workers = (): ReadonlyArray<string> => [...groups.values()].flatMap(({ worker }) => worker ?? [])

/**
 * Announces a child; call it when the watchdog has started. If this process is killed before the child is guarded, the
 * watchdog finds the child by its environment. Otherwise a child that was frozen then would stay: it has no instructions,
 * but cannot read that its lifeline has ended.
 */
export const announce = (): { readonly environment: Record<string, string>; readonly isOver: () => void } => {
  const id = randomUUID()
  const announced = (isStarting: boolean) => tell({ environment: `${childVariable}=${id}`, isStarting })
  announced(true)
  return { environment: { [childVariable]: id }, isOver: () => announced(false) }
}

/** The group of a child is killed when this process ends. */
export const guard = (group: number, guard: Guard): void => {
  groups.set(group, guard)
  tell({ group, guard })
}

/** A group has ended: its number may be given to another process. */
export const release = (group: number): void => {
  groups.delete(group)
  tell({ group })
}

const tell = (line: Line): void => {
  watchdog?.stdin?.write(`${JSON.stringify(line)}\n`)
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
