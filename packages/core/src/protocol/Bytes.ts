/**
 * Reading and writing the binary wire.
 *
 * Numbers are 64 bit floats, since every id, index and sequence is a safe integer; texts are UTF-8 after a 32 bit
 * length. Little endian. Neither class throws on foreign input: a reader that runs out of bytes or meets a number
 * that cannot be what was asked for is `malformed` from then on, and answers zeros and empty texts.
 */

import { unitBytesMax } from "../engine/Value.ts"

/**
 * The parts of Node's `Buffer` that make short texts two to five times as fast as TextEncoder and TextDecoder do, and
 * short copies without an allocation each.
 */
interface NodeBuffer {
  readonly from: {
    (buffer: ArrayBufferLike, offset: number, length: number): FastText
    (bytes: Uint8Array): Uint8Array<ArrayBuffer>
  }
}

interface FastText {
  readonly toString: (encoding: "utf8", start: number, end: number) => string
  readonly write: (text: string, offset: number, encoding: "utf8") => number
}

const NodeBuffer = (globalThis as { readonly Buffer?: NodeBuffer }).Buffer
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Writes into a buffer that grows. */
export class Writer {
  length = 0
  #bytes!: Uint8Array
  #view!: DataView
  #text: FastText | undefined

  constructor(capacity = 4_096) {
    this.#use(new Uint8Array(capacity))
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.length++] = value
  }

  number(value: number): void {
    this.#reserve(8)
    this.#view.setFloat64(this.length, value, true)
    this.length += 8
  }

  size(value: number): void {
    this.#reserve(4)
    this.#view.setUint32(this.length, value, true)
    this.length += 4
  }

  text(value: string): void {
    this.#reserve(4 + value.length * unitBytesMax)
    const at = this.length + 4
    const written = this.#text?.write(value, at, "utf8") ?? encoder.encodeInto(value, this.#bytes.subarray(at)).written
    this.#view.setUint32(this.length, written, true)
    this.length = at + written
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length)
    this.#bytes.set(value, this.length)
    this.length += value.length
  }

  /** Overwrites a size written before. */
  patchSize(offset: number, value: number): void {
    this.#view.setUint32(offset, value, true)
  }

  /** What was written, as bytes of its own; the writer starts again. */
  take(): Uint8Array<ArrayBuffer> {
    const written = this.#bytes.subarray(0, this.length)
    this.length = 0
    return NodeBuffer?.from(written) ?? new Uint8Array(written)
  }

  #reserve(more: number): void {
    const needed = this.length + more
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.length))
    this.#use(grown)
  }

  #use(bytes: Uint8Array): void {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer)
    this.#text = NodeBuffer?.from(bytes.buffer, 0, bytes.length)
  }
}

/** Reads what a `Writer` wrote, or anything else, without a throw. */
export class Reader {
  malformed = false
  #offset: number
  readonly #end: number
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #text: FastText | undefined

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#offset = 0
    this.#end = bytes.length
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#text = NodeBuffer?.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Whether everything was read, or nothing more can be. */
  get done(): boolean {
    return this.malformed || this.#offset >= this.#end
  }

  byte(): number {
    const at = this.#advance(1)
    return at < 0 ? 0 : this.#bytes[at]!
  }

  number(): number {
    const at = this.#advance(8)
    return at < 0 ? 0 : this.#view.getFloat64(at, true)
  }

  /** An id, index or sequence. */
  whole(): number {
    const value = this.number()
    if (Number.isSafeInteger(value) && value >= 0) return value
    this.malformed = true
    return 0
  }

  /** A count of things that take at least a byte each: more than bytes are left is a lie. */
  size(): number {
    const at = this.#advance(4)
    const size = at < 0 ? 0 : this.#view.getUint32(at, true)
    if (size <= this.#end - this.#offset) return size
    this.malformed = true
    return 0
  }

  text(): string {
    const length = this.size()
    const start = this.#advance(length)
    if (start < 0 || length === 0) return ""
    return this.#text?.toString("utf8", start, start + length) ??
      decoder.decode(this.#bytes.subarray(start, start + length))
  }

  /** A copy: what is read from may be lent. */
  bytes(): Uint8Array {
    const length = this.size()
    const start = this.#advance(length)
    return start < 0 ? new Uint8Array(0) : this.#bytes.slice(start, start + length)
  }

  #advance(by: number): number {
    const at = this.#offset
    if (this.malformed || at + by > this.#end) {
      this.malformed = true
      return -1
    }
    this.#offset = at + by
    return at
  }
}
