/** The end of one side of a link in memory, as of a socket whose process has ended. */
import * as MemoryLink from "#core/transport/MemoryLink.ts"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"

const heardBy = (bytes: Array<number>) => ({
  onBytes: (part: Uint8Array) => void bytes.push(...part),
  onDrain: () => {}
})

const Sizes = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 })))

it.effect.prop(
  "what an end had sent before it ended arrives whole, and nothing after it",
  [Sizes, Schema.Boolean],
  ([sizes, isRead]) =>
    Effect.gen(function*() {
      const link = MemoryLink.makePair({ schedule: setImmediate, deliverBytes: () => 2 })
      const sent: Array<number> = []
      const [heard, dead]: [Array<number>, Array<number>] = [[], []]
      const early = isRead ? [yield* Effect.forkChild(Effect.flip(link.client.read(heardBy(heard))))] : []
      yield* Effect.forkChild(Effect.flip(link.server.read(heardBy(dead))))
      yield* Effect.yieldNow
      for (const size of sizes) {
        const bytes = Uint8Array.from({ length: size }, (_, i) => sent.length + i)
        sent.push(...bytes)
        link.server.send(bytes)
      }
      link.end("server", "it has ended")
      link.server.send(Uint8Array.of(99))
      link.client.send(Uint8Array.of(1))
      const reading = early[0] ?? (yield* Effect.forkChild(Effect.flip(link.client.read(heardBy(heard)))))
      assert.strictEqual((yield* Fiber.join(reading)).reason, "it has ended")
      assert.deepStrictEqual(heard, sent)
      assert.deepStrictEqual(dead, [])
    }).pipe(Effect.scoped)
)
