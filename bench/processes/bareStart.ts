/** Node without a program: the least that any start of a process costs. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { answer } from "../child.ts"
import { starts } from "./starts.ts"

const bareStart = Effect.promise(() => once(spawn(process.execPath, ["-e", "0"], { stdio: "ignore" }), "exit"))

NodeRuntime.runMain(answer(() => starts(bareStart)))
