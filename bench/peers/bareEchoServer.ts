/**
 * Sends each message back, with all messages of one turn of the event loop in one frame. Argument: the socket's path.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import { serve } from "../child.ts"
import { FrameReader, FrameWriter, messageHeaderBytes } from "./frames.ts"

const [path = ""] = process.argv.slice(2)

const server = Net.createServer((socket) => {
  const writer = new FrameWriter()
  const reader = new FrameReader((frame, start, end) => {
    for (let at = start; at < end;) {
      const sequence = frame.readUInt32LE(at)
      const size = frame.readUInt32LE(at + 4)
      at += messageHeaderBytes
      writer.message(sequence, frame, at, at + size)
      at += size
    }
  })
  socket.on("data", (chunk) => {
    reader.push(chunk as Buffer)
    if (!writer.isEmpty) socket.write(writer.take())
  }).on("error", () => {})
})

const main = Effect.callback<void>((resume) => {
  server.listen(path, () => resume(serve))
})

NodeRuntime.runMain(Effect.andThen(main, Effect.sync(() => process.exit())))
