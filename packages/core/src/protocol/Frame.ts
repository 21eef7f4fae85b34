/**
 * Frames: a length of 32 bits, then as many bytes: a batch of messages, or one handshake message.
 */
import { keptBytesMax, Writer } from "./Bytes.ts"

/** The bytes of the length before a frame. */
export const headerBytes = 4

const sizeAt = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>> 0

/** Cuts a stream of bytes into frames. A chunk of the stream may hold a part of a frame, or several frames. */
export class FrameSplitter {
  /** The most bytes a frame may have. */
  bytesMax: number
  /** The beginning of a frame whose rest has not arrived. */
  #pending = new Uint8Array(headerBytes)
  #filled = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /**
   * Takes a chunk and hands over each frame that it completes, lent for the call. False: a frame is announced with more
   * than `bytesMax`, and the stream cannot be read any further.
   */
  push(chunk: Uint8Array, onFrame: (frame: Uint8Array) => void): boolean {
    let offset = 0
    if (this.#filled > 0) {
      offset += this.#fill(chunk, offset, headerBytes)
      if (this.#filled < headerBytes) return true
      const size = sizeAt(this.#pending, 0)
      if (size > this.bytesMax) return false
      offset += this.#fill(chunk, offset, headerBytes + size)
      if (this.#filled < headerBytes + size) return true
      this.#filled = 0
      onFrame(this.#pending.subarray(headerBytes, headerBytes + size))
      // One large frame must not cost its memory for the life of a link.
      if (this.#pending.length > keptBytesMax) this.#pending = new Uint8Array(headerBytes)
    }
    while (chunk.length - offset >= headerBytes) {
      const size = sizeAt(chunk, offset)
      if (size > this.bytesMax) return false
      if (chunk.length - offset - headerBytes < size) break
      offset += headerBytes + size
      onFrame(chunk.subarray(offset - size, offset))
    }
    this.#fill(chunk, offset, chunk.length - offset)
    return true
  }

  /** Copies from the chunk until `target` bytes are pending; returns how many it took. */
  #fill(chunk: Uint8Array, offset: number, target: number): number {
    const taken = Math.min(Math.max(0, target - this.#filled), chunk.length - offset)
    const needed = this.#filled + taken
    if (this.#pending.length < needed) {
      // As bytes arrive: to announce a large frame must cost no memory.
      const grown = new Uint8Array(Math.min(target, Math.max(needed, this.#pending.length * 2)))
      grown.set(this.#pending.subarray(0, this.#filled))
      this.#pending = grown
    }
    this.#pending.set(chunk.subarray(offset, offset + taken), this.#filled)
    this.#filled = needed
    return taken
  }
}

/** Writes messages into frames, one frame after another. A message is a tag and its fields. */
export class FrameWriter {
  protected readonly writer = new Writer()

  constructor() {
    this.writer.skip32()
  }

  get isEmpty(): boolean {
    return this.writer.length === headerBytes
  }

  /** The size of the frame so far, its length included. */
  get bytes(): number {
    return this.writer.length
  }

  /** Writes a message of numbers. */
  protected numbers(tag: number, ...numbers: ReadonlyArray<number>): void {
    this.writer.byte(tag)
    for (const number of numbers) this.writer.number(number)
  }

  /** Returns the frame, its length included, and begins the next one. More bytes of the frame may follow it. */
  take(moreBytes = 0): Uint8Array<ArrayBuffer> {
    this.writer.patch32(0, this.writer.length - headerBytes + moreBytes)
    const frame = this.writer.take()
    this.writer.skip32()
    return frame
  }
}
