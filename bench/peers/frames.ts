/** Frames of the bare prototype (`bareEcho.ts`), written into one buffer and read without copying. */

const frameHeaderBytes = 4

/** Bytes before the payload of a message: sequence and size. */
export const messageHeaderBytes = 8

/** Collects the messages of one turn of the event loop. */
export class FrameWriter {
  #buffer = Buffer.allocUnsafeSlow(64 * 1024)
  #length = frameHeaderBytes

  get isEmpty(): boolean {
    return this.#length === frameHeaderBytes
  }

  /** Adds a message whose payload is a part of other bytes. */
  message(sequence: number, bytes: Buffer, start: number, end: number): void {
    const size = end - start
    const at = this.#length
    this.#length = at + messageHeaderBytes + size
    if (this.#length > this.#buffer.length) {
      this.#buffer = Buffer.concat([this.#buffer], this.#length * 2)
    }
    this.#buffer.writeUInt32LE(sequence, at)
    this.#buffer.writeUInt32LE(size, at + 4)
    bytes.copy(this.#buffer, at + messageHeaderBytes, start, end)
  }

  /** The frame as a copy. */
  take(): Buffer {
    this.#buffer.writeUInt32LE(this.#length - frameHeaderBytes, 0)
    const frame = Buffer.from(this.#buffer.subarray(0, this.#length))
    this.#length = frameHeaderBytes
    return frame
  }
}

/** Finds the frames in the chunks of a stream. */
export class FrameReader {
  readonly #onFrame: (chunk: Buffer, start: number, end: number) => void
  #rest: Buffer | undefined

  constructor(onFrame: (chunk: Buffer, start: number, end: number) => void) {
    this.#onFrame = onFrame
  }

  push(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (bytes.length - at >= frameHeaderBytes) {
      const end = at + frameHeaderBytes + bytes.readUInt32LE(at)
      if (end > bytes.length) break
      this.#onFrame(bytes, at + frameHeaderBytes, end)
      at = end
    }
    this.#rest = at === bytes.length ? undefined : bytes.subarray(at)
  }
}
