/** Python's multiprocessing: its own processes, and the manager that it starts for them. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface, type Interface } from "node:readline"
import { fileURLToPath } from "node:url"
import { BenchError, type Contestant } from "../rounds.ts"

/** The program's name. */
export const program = "python3"

const script = fileURLToPath(new URL("./python_manager.py", import.meta.url))

/**
 * The number of processes at which Python's total rate saturates. They replace any number of fibers, which Python
 * lacks.
 */
const saturation = 4

/** Starts it, for the life of the scope. Its processes have their own process group, and end together. */
export const start: Effect.Effect<Contestant, BenchError, Scope.Scope> = Effect.gen(function*() {
  const python = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(program, [script], { detached: true, stdio: ["pipe", "pipe", "inherit"] })),
    ({ pid }) => Effect.sync(() => pid !== undefined && process.kill(-pid, "SIGKILL"))
  )
  const lines = createInterface({ input: python.stdout })
  return ({ clients, fibers, operation }) => (milliseconds) => {
    const processes = fibers === 1 ? clients : Math.max(saturation, clients)
    const request = JSON.stringify({ operation, processes, seconds: milliseconds / 1_000 })
    return Effect.suspend(() => {
      python.stdin.write(`${request}\n`)
      return Effect.map(next(python, lines), Number)
    })
  }
})

/** Waits for the next line of its output. */
const next = (python: ChildProcess, lines: Interface): Effect.Effect<string, BenchError> =>
  Effect.callback((resume) => {
    const onLine = (line: string) => {
      python.off("exit", onExit)
      resume(Effect.succeed(line))
    }
    const onExit = (code: number | null) => {
      lines.off("line", onLine)
      resume(Effect.fail(new BenchError({ issue: `python_manager.py has ended with code ${code}` })))
    }
    python.once("exit", onExit)
    lines.once("line", onLine)
  })
