/** Python's multiprocessing: four processes that write to one Manager().dict(). A round is a run of the script. */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { BenchError, type Contestant } from "../rounds.ts"

const script = fileURLToPath(new URL("./python_manager.py", import.meta.url))

/** Where Python's total rate saturates. */
const processes = 4

/** One run. Its processes are a group of their own, and end together. */
export const contestant: Contestant = () => (milliseconds) =>
  Effect.callback((resume) => {
    const args = [script, "--processes", String(processes), "--seconds", String(milliseconds / 1_000)]
    const run = spawn("python3", args, { detached: true, stdio: ["ignore", "pipe", "inherit"] })
    let output = ""
    run.stdout.setEncoding("utf8").on("data", (text) => {
      output += text
    })
    run.once("error", ({ message }) => resume(Effect.fail(new BenchError({ issue: message }))))
    run.once("close", (code) =>
      resume(
        code === 0
          ? Effect.succeed((JSON.parse(output) as { readonly operationsPerSecond: number }).operationsPerSecond)
          : Effect.fail(new BenchError({ issue: `python_manager.py ended with code ${code}` }))
      ))
    return Effect.sync(() => {
      if (run.pid !== undefined) process.kill(-run.pid, "SIGKILL")
    })
  })
