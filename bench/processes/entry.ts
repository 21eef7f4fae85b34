/** A worker; with an argument, a process that has the same imports, answers at once, and knows of no manager. */
import { NodeManager } from "@effect-multiprocessing/node"
import * as Effect from "effect/Effect"
import { Tasks } from "./tasks.ts"

if (process.argv.length > 2) process.stdout.write("1")
else NodeManager.runMain(Effect.void, { tasks: Tasks.toLayer({ Echo: ({ n }) => Effect.succeed(n) }) })
