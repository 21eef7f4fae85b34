/** Python's Pool.map. A round is one run of the script. */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { BenchError, type Contestant } from "../rounds.ts"
import { workers } from "./batches.ts"

const script = fileURLToPath(new URL("./python_pool.py", import.meta.url))

/** One run. Its processes have their own process group, and end together. */
export const contestant: Contestant = ({ fibers }) => (milliseconds) =>
  Effect.callback((resume) => {
    const options = [
      "--processes",
      String(workers),
      "--tasks",
      String(fibers),
      "--seconds",
      String(milliseconds / 1_000)
    ]
    const run = spawn("python3", [script, ...options], { detached: true, stdio: ["ignore", "pipe", "inherit"] })
    let output = ""
    run.stdout.setEncoding("utf8").on("data", (text) => {
      output += text
    })
    run.once("error", ({ message }) => resume(Effect.fail(new BenchError({ issue: message }))))
    run.once("close", (code) =>
      resume(
        code === 0
          ? Effect.succeed((JSON.parse(output) as { readonly operationsPerSecond: number }).operationsPerSecond)
          : Effect.fail(new BenchError({ issue: `python_pool.py ended with code ${code}` }))
      ))
    return Effect.sync(() => {
      if (run.pid !== undefined) process.kill(-run.pid, "SIGKILL")
    })
  })
