/** A process that is started without this library; its first byte is the result. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { answer } from "../child.ts"
import { starts } from "./starts.ts"

const entry = fileURLToPath(new URL("./entry.ts", import.meta.url))

const firstByte = Effect.gen(function*() {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, [...process.execArgv, entry, "plain"], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      return { stdout: child.stdout, ended: once(child, "exit") }
    }),
    ({ ended }) => Effect.promise(() => ended)
  )
  yield* Effect.promise(() => once(child.stdout, "data"))
})

NodeRuntime.runMain(answer(() => starts(firstByte)))
