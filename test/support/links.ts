/** Links that can be held, and links that count the messages sent over them. */
import { Reader } from "#core/protocol/Bytes.ts"
import { FrameSplitter } from "#core/protocol/Frame.ts"
import { type FromClient, readFromClient } from "#core/protocol/Message.ts"
import type { Link, LinkReader } from "#core/transport/Link.ts"
import { Effect } from "effect"

/** An end that keeps sent bytes while it is held, as if the other end did not read. */
export class Holdable {
  #inner: Link | undefined
  #drained = () => {}
  #held = false
  #pending: Array<Uint8Array<ArrayBuffer>> = []

  readonly wrap = (inner: Link): Link => {
    this.#inner = inner
    return {
      ...inner,
      send: (bytes) => {
        if (this.#held) this.#pending.push(bytes)
        else inner.send(bytes)
      },
      pendingBytes: () => this.pendingBytes,
      read: (reader) => {
        this.#drained = reader.onDrain
        return inner.read(reader)
      }
    }
  }

  get pendingBytes(): number {
    return this.#pending.reduce((sum, bytes) => sum + bytes.length, 0)
  }

  hold(): void {
    this.#held = true
  }

  /** Sends the kept bytes, and reports the drain, as a transport does. */
  release(): void {
    this.#held = false
    const pending = this.#pending
    this.#pending = []
    for (const bytes of pending) this.#inner?.send(bytes)
    if (pending.length > 0) this.#drained()
  }
}

/** An end that reads nothing while it is held, and then everything in one turn of the event loop. */
export class Deaf {
  #reader: LinkReader | undefined
  #heard: Array<number> | undefined

  readonly wrap = (inner: Link): Link => ({
    ...inner,
    read: (reader) => {
      this.#reader = reader
      return inner.read({
        ...reader,
        onBytes: (bytes) => {
          if (this.#heard === undefined) reader.onBytes(bytes)
          else for (const byte of bytes) this.#heard.push(byte)
        }
      })
    }
  })

  hold(): void {
    this.#heard = []
  }

  release(): void {
    const heard = Uint8Array.from(this.#heard ?? [])
    this.#heard = undefined
    this.#reader?.onBytes(heard)
  }
}

/** Counts the bytes and messages that a client sends after the handshake. */
export class Tally {
  bytes = 0
  frames = 0
  #handshake = true
  readonly #counts = new Map<FromClient["_tag"], number>()
  readonly #splitter = new FrameSplitter(Infinity)

  readonly wrap = (inner: Link): Link => ({
    ...inner,
    send: (bytes) => {
      this.bytes += bytes.length
      this.#splitter.push(bytes, this.#count)
      inner.send(bytes)
    }
  })

  of(tag: FromClient["_tag"]): number {
    return this.#counts.get(tag) ?? 0
  }

  readonly #count = (frame: Uint8Array): void => {
    if (this.#handshake) {
      this.#handshake = false
      return
    }
    this.frames++
    const reader = new Reader(frame)
    while (!reader.done) {
      const { _tag } = readFromClient(reader, 0)
      this.#counts.set(_tag, this.of(_tag) + 1)
    }
  }
}

/** An end of a network that loses what it carries while it is told so: a lost connection, before anybody notices it. */
export class Lossy {
  losesSent = false
  losesHeard = false
  #last = { isDead: false }

  readonly wrap = (inner: Link): Link => {
    const own = { isDead: false }
    this.#last = own
    return {
      ...inner,
      send: (bytes) => {
        if (!this.losesSent && !own.isDead) inner.send(bytes)
      },
      read: (reader) =>
        Effect.catch(
          inner.read({
            ...reader,
            onBytes: (bytes) => {
              if (!this.losesHeard && !own.isDead) reader.onBytes(bytes)
            }
          }),
          (closed) => own.isDead ? Effect.never : Effect.fail(closed)
        )
    }
  }

  /** From now on the last link loses everything, also the word of its end. Later ones do not. */
  die(): void {
    this.#last.isDead = true
  }
}
