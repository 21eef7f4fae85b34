/**
 * A log of all bytes that a client sends and receives. Bytes are on disk before they are sent or read, so that the log
 * survives the death of the client (S-31).
 *
 * A wire log is a file of entries: kind, monotonic time, bytes. It has all links of one session, one after the other, and
 * is replayed through the same recorder that listens to links in memory.
 */
import { Recorder } from "#core/testing/Recorder.ts"
import type { Link } from "@effect-multiprocessing/core"
import { Effect } from "effect"
import { closeSync, existsSync, openSync, readFileSync, writevSync } from "node:fs"

const headerBytes = 13

/** What an entry is: the bytes of a message, or the beginning of a link. */
const entry = { sent: 0, received: 1, begun: 2 } as const

/** Writes all bytes of a link to a file before they are sent or read. */
export const record = (link: Link.Link, path: string) =>
  Effect.map(
    Effect.acquireRelease(Effect.sync(() => openSync(path, "a")), (file) => Effect.sync(() => closeSync(file))),
    (file): Link.Link => {
      const write = (kind: number, bytes: Uint8Array) => {
        const header = Buffer.alloc(headerBytes)
        header.writeUInt8(kind, 0)
        header.writeDoubleLE(Number(process.hrtime.bigint()) / 1_000, 1)
        header.writeUInt32LE(bytes.length, 9)
        writevSync(file, [header, bytes])
      }
      write(entry.begun, new Uint8Array())
      return {
        ...link,
        send: (bytes) => {
          write(entry.sent, bytes)
          link.send(bytes)
        },
        read: ({ onBytes, onDrain }) =>
          link.read({
            onBytes: (bytes) => {
              write(entry.received, bytes)
              onBytes(bytes)
            },
            onDrain
          })
      }
    }
  )

/**
 * Replays a wire log. The last entry may be incomplete if the client was killed while it wrote; a client that was killed
 * before it connected has no log.
 */
export const play = (path: string, client: string): Recorder => {
  const wireLog = existsSync(path) ? readFileSync(path) : Buffer.alloc(0)
  let now = 0
  // All processes of one machine share its monotonic clock.
  const recorder = new Recorder({ client, clock: "machine", now: () => now })
  let hear: (bytes: Uint8Array) => void = () => {}
  let say: (bytes: Uint8Array<ArrayBuffer>) => void = () => {}
  const begin = () => {
    const link = recorder.listen({
      send: () => {},
      pendingBytes: () => 0,
      read: ({ onBytes }) => {
        hear = onBytes
        return Effect.never
      }
    })
    say = link.send
    void link.read({ onBytes: () => {}, onDrain: () => {} })
  }
  for (let at = 0; at + headerBytes <= wireLog.length;) {
    const length = wireLog.readUInt32LE(at + 9)
    const bytes = wireLog.subarray(at + headerBytes, at + headerBytes + length)
    if (bytes.length < length) break
    now = wireLog.readDoubleLE(at + 1)
    if (wireLog[at] === entry.begun) begin()
    else if (wireLog[at] === entry.sent) say(Uint8Array.from(bytes))
    else hear(bytes)
    at += headerBytes + length
  }
  return recorder
}
