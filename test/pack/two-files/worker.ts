/** The entry of the workers, which never run the main program. */
import { NodeManager } from "@effect-multiprocessing/node"
import { Effect } from "effect"
import { tasks } from "./tasks.ts"

NodeManager.runMain(Effect.die("a worker was started as the main program"), { tasks })
