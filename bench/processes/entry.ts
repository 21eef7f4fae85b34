/** A worker. With an argument it is a process with the same imports that replies at once and uses no manager. */
import { NodeManager } from "@effect-multiprocessing/node"
import * as Effect from "effect/Effect"
import { Tasks } from "./tasks.ts"

if (process.argv.length > 2) process.stdout.write("1")
else NodeManager.runMain(Effect.void, { tasks: Tasks.toLayer({ Echo: ({ n }) => Effect.succeed(n) }) })
