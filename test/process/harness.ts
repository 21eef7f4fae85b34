/** Real processes for tests: starts programs, and finds the processes that they leave. Waits on conditions only. */
import { Effect, Schedule } from "effect"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** A program under test. */
export interface Program {
  readonly pid: number
  readonly process: ChildProcess
  /** Its output so far, of both streams. */
  readonly output: () => string
  readonly exit: Effect.Effect<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

/** The file of a fixture. */
export const fixture = (name: string): URL => new URL(`./fixtures/${name}.ts`, import.meta.url)

/** Starts a program as its user does, for the life of the scope. */
export const start = (program: URL, ...args: ReadonlyArray<string>) => startWith({}, program, ...args)

/** `start` with more options for Node, and with another environment. */
export const startWith = (
  options: { readonly execArgv?: ReadonlyArray<string>; readonly env?: NodeJS.ProcessEnv },
  program: URL,
  ...args: ReadonlyArray<string>
) =>
  Effect.acquireRelease(
    Effect.sync((): Program => {
      const child = spawn(process.execPath, [
        ...process.execArgv,
        ...options.execArgv ?? [],
        fileURLToPath(program),
        ...args
      ], {
        env: { ...process.env, ...options.env },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true
      })
      let output = ""
      child.stdout.on("data", (chunk) => output += chunk)
      child.stderr.on("data", (chunk) => output += chunk)
      return {
        pid: child.pid!,
        process: child,
        output: () => output,
        exit: waitUntil("the program has ended", () => child.exitCode !== null || child.signalCode !== null).pipe(
          Effect.map(() => ({ code: child.exitCode, signal: child.signalCode }))
        )
      }
    }),
    ({ process }) => Effect.sync(() => process.kill("SIGKILL"))
  )

/** Waits for a condition, which it checks often. After five minutes it dies with the name of the condition. */
export const waitUntil = (what: string, holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => holds() ? Effect.void : Effect.fail(what)).pipe(
    Effect.retry(Schedule.spaced(50).pipe(Schedule.upTo({ duration: "5 minutes" }))),
    Effect.catch(() => Effect.die(new Error(`waited in vain until ${what}`)))
  )

/** One line of the system's process table. */
export interface Entry {
  readonly pid: number
  readonly parent: number
  readonly command: string
}

/** Every process of this machine that is not a zombie. */
export const processes = (): ReadonlyArray<Entry> =>
  execFileSync("ps", ["-e", "-o", "pid=,ppid=,stat=,args="], { encoding: "utf8" }).trim().split("\n").flatMap(
    (line) => {
      const [, pid, parent, stat, command] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line)!
      return stat!.startsWith("Z") ? [] : [{ pid: Number(pid), parent: Number(parent), command: command! }]
    }
  )

/** The descendants of a process. */
export const descendants = (pid: number, all = processes()): ReadonlyArray<Entry> =>
  all.filter((entry) => entry.parent === pid).flatMap((child) => [child, ...descendants(child.pid, all)])

/** The manager process of this or another process. */
export const managerOf = (pid: number): number =>
  descendants(pid).find((entry) => entry.command.includes("programs/manager.cjs"))!.pid

/** Whether a process exists. Linux says so without another process, which costs more than all that is waited for. */
export const isAlive = (pid: number): boolean => {
  if (process.platform !== "linux") return processes().some((entry) => entry.pid === pid)
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}

/** Stops all threads of a process where they are, until it gets SIGCONT. */
export const freeze = (pid: number): Effect.Effect<void> =>
  Effect.andThen(
    Effect.sync(() => process.kill(pid, "SIGSTOP")),
    Effect.repeat(Effect.yieldNow, { until: () => Effect.sync(() => isFrozen(pid)) })
  )

const isFrozen = (pid: number): boolean => {
  if (process.platform !== "linux") {
    return execFileSync("ps", ["-o", "stat=", String(pid)], { encoding: "utf8" })[0] === "T"
  }
  return readdirSync(`/proc/${pid}/task`).every((thread) =>
    /^State:\tT/m.test(readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8"))
  )
}

/** Waits until none of the processes exists. */
export const allGone = (entries: ReadonlyArray<Entry>): Effect.Effect<void> =>
  waitUntil(`${entries.map(({ pid }) => pid).join(", ")} are gone`, () => !entries.some(({ pid }) => isAlive(pid)))

/** A folder for `XDG_RUNTIME_DIR` that no other program has its sockets in, for the life of the scope. */
export const runtimeFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "ends-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)
