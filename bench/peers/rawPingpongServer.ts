/** Sends every byte back. Argument: the path of the socket. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import { serve } from "../child.ts"

const [path = ""] = process.argv.slice(2)

const server = Net.createServer((socket) => {
  socket.on("data", (chunk) => socket.write(chunk)).on("error", () => {})
})

const main = Effect.callback<void>((resume) => {
  server.listen(path, () => resume(serve))
})

NodeRuntime.runMain(Effect.andThen(main, Effect.sync(() => process.exit())))
