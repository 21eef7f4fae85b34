/** The frames of a link, from the handshake on. */
import * as Frames from "#core/transport/Frames.ts"
import type { LinkReader } from "#core/transport/Link.ts"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as raw from "../../support/raw.ts"

/** Frames of a link whose bytes the test makes, and a handler that notes the first byte of each frame. 9 is malformed. */
const setUp = Effect.gen(function*() {
  let reader: LinkReader | undefined
  const frames = yield* Frames.make({
    send: () => {},
    pendingBytes: () => 0,
    read: (given) => {
      reader = given
      return Effect.never
    }
  }, 100)
  yield* Effect.yieldNow
  const heard: Array<number> = []
  const handler = { onFrame: ([byte]: Uint8Array) => heard.push(byte!) > 0 && byte !== 9, onTurnEnd: () => {} }
  return { frames, handler, heard, arrive: (byte: number) => reader!.onBytes(raw.frame(Uint8Array.of(byte))) }
})

it.effect("frames that arrive before the handler listens are handed to it, in order", () =>
  Effect.gen(function*() {
    const { arrive, frames, handler, heard } = yield* setUp
    for (const byte of [1, 2, 3]) arrive(byte)
    assert.deepStrictEqual([...yield* frames.next], [1])
    yield* Effect.forkChild(frames.handOver(100, handler), { startImmediately: true })
    arrive(4)
    assert.deepStrictEqual(heard, [2, 3, 4])
  }).pipe(Effect.scoped))

it.effect("nothing is handed over after a frame that is not of the protocol", () =>
  Effect.gen(function*() {
    const { arrive, frames, handler, heard } = yield* setUp
    const handed = yield* Effect.forkChild(Effect.flip(frames.handOver(100, handler)), { startImmediately: true })
    for (const byte of [1, 9, 2]) arrive(byte)
    assert.strictEqual((yield* Fiber.join(handed)).reason, "a frame arrived that is not of this protocol")
    assert.deepStrictEqual(heard, [1, 9])
  }).pipe(Effect.scoped))
