/** A manager that an owner shuts down, in each deployment: for all clients, and with its addresses. */
import { Manager, SharedRef } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Redacted, Schedule, Schema, Stream } from "effect"

const key = Redacted.make("the key of the owner")
const observer = Redacted.make("the key of the observers")

const build = (layer: ReturnType<typeof NodeManager.layerServer>) =>
  Effect.map(Layer.build(Layer.fresh(layer)), (context) => Context.get(context, Manager.Manager))

const serve = (port = 0) =>
  build(NodeManager.layerServer({ keys: { owner: key, observer }, address: { host: "127.0.0.1", port } }))

describe("a manager that is shut down", () => {
  it.live("by an owner tells all clients, and leaves its port to the next one", () =>
    Effect.gen(function*() {
      const server = yield* serve()
      const [url] = server.endpoint!.urls!
      const owner = yield* build(NodeManager.layerClient({ url: url!, key }))
      const reconnect = { grace: "10 seconds" } as const
      const other = yield* build(NodeManager.layerClient({ url: url!, key: observer, reconnect }))
      yield* owner.shutdown
      for (const manager of [server, owner, other]) {
        assert.strictEqual(Option.getOrThrow(yield* Stream.runLast(manager.status))._tag, "Lost")
        const error = yield* Effect.flip(manager.counts)
        assert.strictEqual(error.reason._tag, "NotExecuted")
        assert.include(error.message, Manager.shutDown)
      }
      yield* Effect.retry(serve(Number(new URL(url!).port)), Schedule.spaced(10))
    }))

  it.live("by nobody else goes on", () =>
    Effect.gen(function*() {
      const server = yield* serve()
      const client = yield* build(NodeManager.layerClient({ url: server.endpoint!.urls![0]!, key: observer }))
      const { reason } = yield* Effect.flip(client.shutdown)
      assert.strictEqual(reason._tag, "NotPermitted")
      assert.strictEqual(
        reason.message,
        "shutdown on the manager is not permitted to this client, whose role is observer: it needs the role owner. " +
          "Nothing was changed. Connect with a key that permits it"
      )
      assert.strictEqual((yield* client.counts).sessions, 2)
    }))

  for (
    const [name, layer] of [["in memory", Manager.layerMemory], ["of a child process", NodeManager.layer]] as const
  ) {
    it.live(`${name} ends before its program`, () =>
      Effect.gen(function*() {
        const manager = yield* build(layer)
        const ref = yield* SharedRef.make({ schema: Schema.Int, initial: 1 }).pipe(
          Effect.provideService(Manager.Manager, manager)
        )
        yield* manager.shutdown
        yield* Stream.runDrain(manager.status)
        assert.include((yield* Effect.flip(ref.get)).message, Manager.shutDown)
        const { endpoint } = manager
        if (endpoint === undefined) return
        const isGone = Effect.flip(Effect.scoped(build(NodeManager.layerClient(endpoint))))
        yield* Effect.retry(isGone, { schedule: Schedule.spaced(20), times: 500 })
      }))
  }
})
