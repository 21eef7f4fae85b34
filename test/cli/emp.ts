/** The command line under test: `emp` as its user runs it, and a manager that it has started. */
import { type Manager, SharedLock } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Effect, Layer, ManagedRuntime, Redacted, Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { untilWaiting } from "../support/untilWaiting.ts"

/** Its file. */
export const program = fileURLToPath(new URL("../../packages/cli/src/bin/emp.ts", import.meta.url))

/** What a command has printed, and its exit code. */
export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly error: string
}

/** A command that runs. */
export interface Running {
  readonly process: ChildProcess
  readonly out: () => string
  readonly error: () => string
  readonly ended: Promise<Ended>
}

/** Starts a command. The environment has no variable of `emp` but those given. */
export const start = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = {}): Running => {
  const ours = Object.entries(process.env).filter(([name]) => !name.startsWith("EMP_"))
  // A module of kinds must have the library that the command has, not the copy in its bundle.
  const execArgv = process.execArgv.filter((arg) => !(args.includes("--kinds") && arg.startsWith("--import")))
  const child = spawn(process.execPath, [...execArgv, program, ...args], {
    env: { ...Object.fromEntries(ours), NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let [out, error] = ["", ""]
  child.stdout.on("data", (chunk) => out += chunk)
  child.stderr.on("data", (chunk) => error += chunk)
  const ended = new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, out, error })))
  return { process: child, out: () => out, error: () => error, ended }
}

/** Waits for a condition of a running command, or for its end. */
export const until = (running: Running, holds: () => boolean): Promise<void> =>
  new Promise((resolve) => {
    const check = () => holds() ? resolve() : undefined
    running.process.stdout?.on("data", () => setImmediate(check))
    running.process.stderr?.on("data", () => setImmediate(check))
    running.process.on("close", () => resolve())
    check()
  })

/** A manager of `emp serve`, in a folder of its own, and a program that is connected to it. */
export interface Served {
  readonly folder: string
  readonly socket: string
  readonly keyFile: string
  readonly manager: Running
  /** Runs a command to its end. */
  readonly emp: (command: string, ...args: ReadonlyArray<string>) => Promise<Ended>
  /** Starts a command that a signal ends. */
  readonly starts: (command: string, ...args: ReadonlyArray<string>) => Running
  /** Runs an effect in the program. What it opens stays open until the manager ends. */
  readonly run: <A, E>(effect: Effect.Effect<A, E, Manager.Manager | Scope.Scope>) => Promise<A>
  readonly end: () => Promise<void>
}

/** Serves a manager, with more options of `emp serve`. */
export const serve = async (...options: ReadonlyArray<string>): Promise<Served> => {
  const folder = mkdtempSync(join(tmpdir(), "emp-cli-"))
  const [socket, keyFile] = [join(folder, "manager"), join(folder, "key")]
  const manager = start(["serve", "--socket", socket, "--key-file", keyFile, "--make-key-file", ...options])
  await until(manager, () => manager.out().includes("listens"))
  const key = () => Redacted.make(readFileSync(keyFile, "utf8").trim())
  const runtime = ManagedRuntime.make(
    Layer.suspend(() => NodeManager.layerClient({ path: socket, key: key(), name: "worker" }))
  )
  const scope = Scope.makeUnsafe()
  const starts = (command: string, ...args: ReadonlyArray<string>) =>
    start([command, "--socket", socket, "--key-file", keyFile, ...args])
  return {
    folder,
    socket,
    keyFile,
    manager,
    emp: (command, ...args) => starts(command, ...args).ended,
    starts,
    run: (effect) => runtime.runPromise(Effect.provideService(effect, Scope.Scope, scope)),
    end: async () => {
      await runtime.dispose()
      manager.process.kill("SIGTERM")
      await manager.ended
      rmSync(folder, { recursive: true })
    }
  }
}

/** A lock that one fiber of the program holds, and another one waits for. */
export const contendedLock = (name: string) =>
  Effect.gen(function*() {
    const lock = yield* SharedLock.make({ name })
    yield* Effect.forkScoped(lock.withLock(Effect.never))
    yield* Effect.forkScoped(lock.withLock(Effect.never))
    yield* untilWaiting(lock, 1)
  })
