/**
 * A link inside one process: two ends that exchange bytes through the scheduler, never in the sender's turn (S-32).
 *
 * It carries bytes, as a socket does; no value passes by reference. The simulator makes it a bad network: it delays
 * deliveries and cuts them to pieces.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { type Link, LinkClosed, type LinkReader } from "./Link.ts"

/** How a pair of ends delivers. */
export interface MemoryLinkOptions {
  /** Runs a task of one end in a later turn, in any order with respect to other tasks. */
  readonly schedule: (task: () => void, end: "client" | "server") => void
  /** The number of the available bytes that are delivered now, at least 1. Default: all of them. */
  readonly deliverBytes?: ((available: number) => number) | undefined
  /** Bytes on their way that are not pending: as a socket, it takes them before they are read. Default: any number. */
  readonly bufferBytes?: number | undefined
}

/** Two connected ends. */
export interface MemoryLinkPair {
  readonly client: Link
  readonly server: Link
  /** Closes both ends. Bytes on their way are lost. */
  readonly cut: (reason: string) => void
  /** Loses everything from now on. The client notices that now, or the server does; the other end when the link is cut. */
  readonly lose: (noticedBy: "client" | "server", reason: string) => void
  /** Closes an end whose process has ended: it reads nothing more, and the bytes that it has sent arrive. */
  readonly end: (end: "client" | "server", reason: string) => void
}

/** Connects two ends. */
export const makePair = (options: MemoryLinkOptions): MemoryLinkPair => {
  const toServer = pipe(options, "server")
  const toClient = pipe(options, "client")
  return {
    client: { ...toServer.sender, read: reading(toClient, toServer) },
    server: { ...toClient.sender, read: reading(toServer, toClient) },
    cut: (reason) => {
      toServer.cut(reason)
      toClient.cut(reason)
    },
    lose: (noticedBy, reason) => {
      const [noticing, other] = noticedBy === "client" ? [toClient, toServer] : [toServer, toClient]
      other.lose()
      noticing.cut(reason)
    },
    end: (end, reason) => {
      const [to, from] = end === "client" ? [toClient, toServer] : [toServer, toClient]
      to.cut(reason)
      from.finish(reason)
    }
  }
}

type Pipe = ReturnType<typeof pipe>

/** Reads what comes, and is told when all has left. */
const reading = (from: Pipe, to: Pipe): Link["read"] => (reader) =>
  Effect.suspend(() => {
    to.onDrain(reader.onDrain)
    return from.read(reader)
  })

/** One direction, to one end. */
const pipe = (
  { bufferBytes = Infinity, deliverBytes, schedule: scheduleAt }: MemoryLinkOptions,
  end: "client" | "server"
) => {
  const schedule = (task: () => void) => scheduleAt(task, end)
  const chunks: Array<Uint8Array> = []
  /** Bytes on their way. */
  let bytesUnderWay = 0
  let drained = () => {}
  let closed: LinkClosed | undefined
  /** Why nothing more will be sent. */
  let finished: string | undefined
  let isLossy = false
  let onBytes: ((bytes: Uint8Array) => void) | undefined
  let onClosed: ((error: LinkClosed) => void) | undefined

  const clear = () => {
    chunks.length = 0
    bytesUnderWay = 0
  }

  const deliver = () => {
    if (onBytes === undefined || closed !== undefined) return
    const isBehind = bytesUnderWay > bufferBytes
    let allowed = Math.max(1, deliverBytes?.(bytesUnderWay) ?? bytesUnderWay)
    for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) {
      const part = chunk.subarray(0, allowed)
      allowed -= part.length
      bytesUnderWay -= part.length
      if (part.length < chunk.length) chunks.unshift(chunk.subarray(part.length))
      onBytes(part)
      if (allowed === 0 || onBytes === undefined) break
    }
    if (isBehind && bytesUnderWay <= bufferBytes) drained()
    if (chunks.length > 0) schedule(deliver)
    else if (finished !== undefined) cut(finished)
  }

  const cut = (reason: string) => {
    if (closed !== undefined) return
    closed = new LinkClosed({ reason })
    clear()
    const tell = onClosed
    onBytes = undefined
    onClosed = undefined
    if (tell !== undefined) schedule(() => tell(closed!))
  }

  return {
    sender: {
      send: (bytes: Uint8Array) => {
        if (closed !== undefined || finished !== undefined || isLossy || bytes.length === 0) return
        chunks.push(bytes)
        bytesUnderWay += bytes.length
        schedule(deliver)
      },
      pendingBytes: () => Math.max(0, bytesUnderWay - bufferBytes)
    },
    onDrain: (then: () => void) => {
      drained = then
    },
    read: (reader: LinkReader) =>
      Effect.callback<never, LinkClosed>((resume) => {
        if (closed !== undefined) return resume(Effect.fail(closed))
        onClosed = (error) => resume(Effect.fail(error))
        onBytes = (bytes) => {
          const handed = Result.try(() => reader.onBytes(bytes))
          if (Result.isFailure(handed)) resume(Effect.die(handed.failure))
        }
        if (chunks.length > 0 || finished !== undefined) schedule(deliver)
        return Effect.sync(() => {
          onBytes = undefined
          onClosed = undefined
        })
      }),
    cut,
    /** Delivers nothing more. */
    lose: () => {
      isLossy = true
      clear()
    },
    /** Cuts it once all is delivered. */
    finish: (reason: string) => {
      finished = reason
      schedule(deliver)
    }
  }
}
