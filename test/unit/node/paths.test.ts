/** Paths at which no socket can be are refused by name, before anything starts. */
import { ManagerError } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"

const key = Redacted.make("0123456789abcdef")

describe.each([
  ["empty", "", "the path of a Unix socket is empty"],
  ["bearing a NUL", "/tmp/a\0b", "the path of a Unix socket has a NUL in it"],
  ["too long", `/tmp/${"x".repeat(200)}`, "the path of a Unix socket may have"]
])("a path that is %s", (_, path, issue) => {
  it.live.each(
    [
      ["server", "StartFailed", NodeManager.layerServer({ path, key })],
      ["client", "ConnectFailed", NodeManager.layerClient({ path, key })]
    ] as const
  )("is refused by a %s", ([, tag, layer]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Layer.build(layer))
      assert.instanceOf(error, ManagerError.ManagerError)
      assert.strictEqual(error.reason._tag, tag)
      assert.include(error.message, issue)
    }).pipe(Effect.scoped))
})
