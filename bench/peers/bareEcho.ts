/**
 * The limit of batching: our protocol's shape, and nothing else. A frame carries all messages of one turn of the event
 * loop, and Effect fibers wait for the reply with their sequence. There is no schema, no engine and no memory of
 * replies.
 *
 * ```text
 *   frame    size of the rest (u32), then messages
 *   message  sequence (u32), size (u32), payload
 * ```
 *
 * Argument: the path of the socket.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Net from "node:net"
import { answer } from "../child.ts"
import { fibers } from "../loops.ts"
import { keys, value } from "../workload.ts"
import { FrameReader, FrameWriter, messageHeaderBytes } from "./frames.ts"

const [path = ""] = process.argv.slice(2)

/** Places for waiting fibers, by sequence: more than there are fibers, so that no two share a place. */
const places = 4_096

const payloads = keys.map((key) => Buffer.from(key + value))

const main = Effect.gen(function*() {
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => Net.connect(path)),
    (socket) => Effect.sync(() => socket.destroy())
  )
  const writer = new FrameWriter()
  const waiting = Array.from({ length: places }, (): (exit: Exit.Exit<number>) => void => () => {})
  let sequence = 0
  let scheduled = false
  const flush = () => {
    scheduled = false
    if (!writer.isEmpty) socket.write(writer.take())
  }
  const reader = new FrameReader((frame, start, end) => {
    for (let at = start; at < end;) {
      const sequence = frame.readUInt32LE(at)
      const size = frame.readUInt32LE(at + 4)
      waiting[sequence % places]!(Exit.succeed(size))
      at += messageHeaderBytes + size
    }
  })
  socket.on("data", (chunk) => {
    // The fibers resume while the chunk is read, and their next messages leave at its end.
    scheduled = true
    reader.push(chunk as Buffer)
    flush()
  })
  const echo = (payload: Buffer) =>
    Effect.callback<number>((resume) => {
      waiting[++sequence % places] = resume
      writer.message(sequence, payload, 0, payload.length)
      if (scheduled) return
      scheduled = true
      setImmediate(flush)
    })
  yield* answer((task) => fibers(task.fibers, (position) => echo(payloads[position % payloads.length]!)))
})

NodeRuntime.runMain(Effect.scoped(main))
