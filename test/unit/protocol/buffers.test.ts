/** The memory that a link keeps: what it needs now, and not what it needed for its largest frame. */
import { Writer } from "#core/protocol/Bytes.ts"
import { FrameSplitter } from "#core/protocol/Frame.ts"
import { assert, it } from "@effect/vitest"
import * as raw from "../../support/raw.ts"

const mebibyte = 1024 * 1024

/** Bytes of the buffers that something makes. */
const keptBy = (make: () => unknown): number => {
  const before = process.memoryUsage().arrayBuffers
  const made = make()
  const kept = process.memoryUsage().arrayBuffers - before
  assert.isDefined(made)
  return kept
}

it("a reader whose peers announce frames and send none of them keeps nothing for them", () => {
  const header = new Uint8Array(4)
  new DataView(header.buffer).setUint32(0, 16 * mebibyte, true)
  const kept = keptBy(() =>
    Array.from({ length: 100 }, () => {
      const splitter = new FrameSplitter(16 * mebibyte)
      splitter.push(header, () => {})
      splitter.push(new Uint8Array(1), () => {})
      return splitter
    })
  )
  assert.isBelow(kept, mebibyte)
})

it("a reader keeps no buffer of a large frame", () => {
  const splitter = new FrameSplitter(16 * mebibyte)
  const push = (frame: Uint8Array) => {
    const buffers: Array<ArrayBufferLike> = []
    const hear = (frame: Uint8Array) => void buffers.push(frame.buffer)
    splitter.push(frame.subarray(0, 5), hear)
    splitter.push(frame.subarray(5), hear)
    return buffers[0]!.byteLength
  }
  assert.isAtLeast(push(raw.frame(new Uint8Array(mebibyte))), mebibyte)
  assert.isAtMost(push(raw.frame(new Uint8Array(10))), 100)
})

it("a reader gets a large frame that arrives in small pieces", () => {
  const frame = raw.frame(Uint8Array.from({ length: 300_000 }, (_, i) => i % 251))
  const splitter = new FrameSplitter(mebibyte)
  const heard: Array<Uint8Array> = []
  for (let at = 0; at < frame.length; at += 1_000) {
    splitter.push(frame.subarray(at, at + 1_000), (f) => heard.push(f.slice()))
  }
  assert.deepStrictEqual(heard, [frame.slice(4)])
})

it("a writer keeps no buffer of a large message", () => {
  const text = "x".repeat(mebibyte)
  const writers = Array.from({ length: 50 }, () => new Writer())
  const kept = keptBy(() => {
    for (const writer of writers) {
      writer.text(text)
      writer.take()
    }
    globalThis.gc?.()
    return writers
  })
  assert.isBelow(kept, 3 * 50 * mebibyte)
})
