/**
 * The binary encoding of numbers, texts and bytes.
 *
 * ```text
 *   number   0 to 246                     this byte is the number
 *            252, 253 or 254, then bytes  a whole number of 16, 24 or 32 bits
 *            255, then bytes              any other number, as a 64 bit float
 *   text     a number of bytes, then UTF-8
 *   bytes    a number of bytes, then these
 * ```
 *
 * Little endian. Every number is exact, also -0 and not-a-number. Ids, indexes and sequences take at most five bytes
 * until they pass 32 bits. No number begins with 247 to 251: these are free for marks of other things in the place of a
 * number (`Message.ts`).
 *
 * Neither class throws on foreign input. A reader becomes `malformed` when the bytes end too early or cannot be the
 * thing that is read; from then on it returns zeros and empty texts.
 */
import { unitBytesMax } from "../engine/Value.ts"

/**
 * The parts of Node's `Buffer` that are used where there is one: its texts are two to five times as fast as TextEncoder
 * and TextDecoder, and its short copies share an allocation.
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

/** Bytes of a new buffer. */
const capacity = 4_096

/** Bytes of the largest buffer that is used again: one large message must not cost its memory from then on. */
export const keptBytesMax = 64 * 1024

/** A number up to this is one byte. */
const smallMax = 246

/** The first byte of every other number. */
const form = { bits16: 252, bits24: 253, bits32: 254, float: 255 } as const

const numberBytesMax = 9

const asciiMax = 0x7f

/** Up to this length, a loop over an ASCII text costs less than a call into the platform. */
const shortText = 12

/** Writes into a buffer that grows. */
export class Writer {
  length = 0
  #bytes!: Uint8Array
  #view!: DataView
  #text: FastText | undefined

  constructor(bytes = capacity) {
    this.#use(new Uint8Array(bytes))
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.length++] = value
  }

  number(value: number): void {
    this.#reserve(numberBytesMax)
    const at = this.length
    const whole = value >>> 0
    if (whole !== value || whole === 0 && 1 / value < 0) {
      this.#bytes[at] = form.float
      this.#view.setFloat64(at + 1, value, true)
      this.length = at + 9
    } else if (whole <= smallMax) {
      this.#bytes[at] = whole
      this.length = at + 1
    } else if (whole <= 0xffff) {
      this.#bytes[at] = form.bits16
      this.#view.setUint16(at + 1, whole, true)
      this.length = at + 3
    } else if (whole <= 0xff_ffff) {
      this.#view.setUint32(at, whole << 8 | form.bits24, true)
      this.length = at + 4
    } else {
      this.#bytes[at] = form.bits32
      this.#view.setUint32(at + 1, whole, true)
      this.length = at + 5
    }
  }

  text(value: string): void {
    const bytesMax = value.length * unitBytesMax
    this.#reserve(numberBytesMax + bytesMax)
    // The number of bytes is known only after the text: its form is the one that the longest such text would need.
    const start = this.length
    const at = start + (bytesMax <= smallMax ? 1 : bytesMax <= 0xffff ? 3 : 5)
    const written = this.#utf8(value, at)
    if (bytesMax <= smallMax) this.#bytes[start] = written
    else if (bytesMax <= 0xffff) {
      this.#bytes[start] = form.bits16
      this.#view.setUint16(start + 1, written, true)
    } else {
      this.#bytes[start] = form.bits32
      this.#view.setUint32(start + 1, written, true)
    }
    this.length = at + written
  }

  /** Writes a text at an offset and returns its bytes. */
  #utf8(value: string, at: number): number {
    if (value.length > shortText) return this.#encode(value, at)
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i)
      if (unit > asciiMax) return this.#encode(value, at)
      this.#bytes[at + i] = unit
    }
    return value.length
  }

  #encode(value: string, at: number): number {
    return this.#text?.write(value, at, "utf8") ?? encoder.encodeInto(value, this.#bytes.subarray(at)).written
  }

  /** Bytes with their length. */
  bytes(value: Uint8Array): void {
    this.number(value.length)
    this.raw(value)
  }

  /** Bytes without their length. */
  raw(value: Uint8Array): void {
    this.#reserve(value.length)
    this.#bytes.set(value, this.length)
    this.length += value.length
  }

  /** Leaves room for 32 bits, which `patch32` writes. */
  skip32(): void {
    this.#reserve(4)
    this.length += 4
  }

  /** Writes 32 bits at an offset. */
  patch32(offset: number, value: number): void {
    this.#view.setUint32(offset, value, true)
  }

  /** Returns the written bytes as a copy; the writer starts again, and keeps no large buffer. */
  take(): Uint8Array<ArrayBuffer> {
    const written = this.#bytes.subarray(0, this.length)
    this.length = 0
    const copy = NodeBuffer?.from(written) ?? new Uint8Array(written)
    if (this.#bytes.length > keptBytesMax) this.#use(new Uint8Array(capacity))
    return copy
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

/** Reads the bytes of a `Writer`, or any others, without a throw. */
export class Reader {
  #malformed = false
  #offset = 0
  readonly #end: number
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #text: FastText | undefined

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#end = bytes.length
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#text = NodeBuffer?.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Whether the bytes are not what was read. */
  get malformed(): boolean {
    return this.#malformed
  }

  /** Whether everything was read, or nothing more can be. */
  get done(): boolean {
    return this.#offset >= this.#end
  }

  /** Makes the reader malformed and done. */
  fail(): 0 {
    this.#malformed = true
    this.#offset = this.#end
    return 0
  }

  byte(): number {
    return this.#offset < this.#end ? this.#bytes[this.#offset++]! : this.fail()
  }

  /** A number; its first byte may have been read before. */
  number(first = this.byte()): number {
    return first <= smallMax ? first : this.#wide(first)
  }

  /** An id, index or sequence. */
  whole(): number {
    const first = this.byte()
    if (first <= smallMax) return first
    const value = this.#wide(first)
    return first < form.float || Number.isSafeInteger(value) && value >= 0 ? value : this.fail()
  }

  /** The number of things that follow. Each takes at least a byte, so there are at most as many as bytes are left. */
  count(): number {
    const count = this.whole()
    return count <= this.#end - this.#offset ? count : this.fail()
  }

  text(): string {
    const length = this.count()
    const start = this.#take(length)
    if (length > shortText) return this.#decode(start, length)
    let text = ""
    for (let i = start; i < start + length; i++) {
      const byte = this.#bytes[i]!
      if (byte > asciiMax) return this.#decode(start, length)
      text += String.fromCharCode(byte)
    }
    return text
  }

  /** A copy, since the frame is lent. */
  bytes(): Uint8Array {
    const length = this.count()
    const start = this.#take(length)
    return this.#bytes.slice(start, start + length)
  }

  #wide(first: number): number {
    const at = this.#offset
    const end = at + (first === form.float ? 8 : first - form.bits16 + 2)
    if (first < form.bits16 || end > this.#end) return this.fail()
    this.#offset = end
    switch (first) {
      case form.bits16:
        return this.#view.getUint16(at, true)
      case form.bits24:
        return this.#view.getUint32(at - 1, true) >>> 8
      case form.bits32:
        return this.#view.getUint32(at, true)
      default:
        return this.#view.getFloat64(at, true)
    }
  }

  /** Passes over bytes that are known to be there, and returns their offset. */
  #take(length: number): number {
    const at = this.#offset
    this.#offset = at + length
    return at
  }

  #decode(start: number, length: number): string {
    return this.#text?.toString("utf8", start, start + length) ??
      decoder.decode(this.#bytes.subarray(start, start + length))
  }
}
