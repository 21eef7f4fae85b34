#!/usr/bin/env node
/** The program `emp`. */
import * as Effect from "effect/Effect"
import { run } from "../commandLine.ts"

// A reader that has enough, such as `head`, has closed the pipe. Its output is what it wanted.
process.stdout.on("error", () => process.exit(0))

Effect.runFork(run(process.argv.slice(2))).addObserver((exit) => {
  process.exitCode = exit._tag === "Success" ? exit.value : 1
})
