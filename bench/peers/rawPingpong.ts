/**
 * The limit of one call at a time: 64 bytes there and 64 bytes back over a plain socket, with one message in flight and
 * without Effect. Argument: the path of the socket.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import { answer } from "../child.ts"
import type { Round } from "../rounds.ts"

const [path = ""] = process.argv.slice(2)

const message = Buffer.alloc(64, 1)

/** A message comes back whole, because a Unix socket does not split 64 bytes that were written at once. */
const round = (socket: Net.Socket): Round => (milliseconds) =>
  Effect.callback((resume) => {
    let calls = 0
    let running = true
    const start = performance.now()
    setTimeout(() => {
      running = false
    }, milliseconds)
    const onData = () => {
      calls++
      if (running) return socket.write(message)
      socket.off("data", onData)
      return resume(Effect.succeed(calls / (performance.now() - start) * 1_000))
    }
    socket.on("data", onData)
    socket.write(message)
  })

const main = Effect.gen(function*() {
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => Net.connect(path)),
    (socket) => Effect.sync(() => socket.destroy())
  )
  yield* answer(() => round(socket))
})

NodeRuntime.runMain(Effect.scoped(main))
