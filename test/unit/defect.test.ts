/** A kind that throws stops the manager, and no call waits for ever (S-2). */
import type { Kind } from "#core/engine/Kind.ts"
import { operationsOf } from "#core/engine/Operation.ts"
import * as Remote from "#core/proxy/Remote.ts"
import * as Server from "#core/server/Server.ts"
import { Manager, SharedRef } from "@effect-multiprocessing/core"
import { defaults } from "@effect-multiprocessing/core/Limits"
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Logger, Redacted, Schema, Stream } from "effect"

const { change } = operationsOf<null>()

const broken: Kind<null> = {
  name: "Broken",
  lanes: [],
  operations: {
    fall: change({
      parameters: [],
      apply: () => {
        throw new Error("a bug of this kind")
      }
    })
  },
  initial: () => null,
  pristine: () => true,
  values: () => [],
  version: 1,
  format: { save: () => null, load: () => null },
  check: () => []
}

it.live("a throw in apply stops the manager, fails the call, and ends every session (S-2)", () =>
  Effect.gen(function*() {
    const key = Redacted.make("a key of this test")
    const server = yield* Server.make({ kinds: [broken], limits: defaults, key })
    const { connection } = yield* Manager.makeLocal(server, key)
    const other = yield* Manager.makeLocal(server, key)
    const id = yield* Remote.directory(connection).call(
      "open",
      ["Broken", "", null, 0],
      ([handle]) => Exit.succeed(handle.handles[0]!)
    )
    const target = { id, name: undefined, description: "Broken" }
    const defect = yield* Effect.forkChild(Effect.exit(server.awaitDefect))
    const waiting = yield* Effect.forkChild(Effect.flip(Stream.runDrain(other.changes)))
    yield* other.counts
    const call = connection.call(target, connection.operationsOf("Broken").get("fall")!, [], () => Exit.void)
    const why = "the manager has stopped because of a defect (Error: a bug of this kind)"
    assert.include((yield* Effect.flip(call)).message, `the outcome of fall on Broken is unknown: ${why}`)
    assert.include(String(yield* Fiber.join(defect)), "a bug of this kind")
    assert.include((yield* Fiber.join(waiting)).message, why)
    assert.include((yield* Effect.flip(other.inspect)).message, why)
  }).pipe(Effect.scoped, Effect.provide(Manager.layerCrypto)))

it.live("a journal that fails stops the manager, which logs it once and tells its clients why", () => {
  const logged: Array<Cause.Cause<unknown>> = []
  const full = () => {
    throw new Error("the disk is full")
  }
  return Effect.gen(function*() {
    const manager = yield* Manager.Manager
    const waiting = yield* Effect.forkChild(Effect.flip(Stream.runDrain(manager.changes)))
    yield* manager.counts
    for (
      const error of [
        yield* Effect.flip(Effect.scoped(SharedRef.make({ schema: Schema.Int, initial: 1 }))),
        yield* Fiber.join(waiting),
        yield* Effect.flip(manager.counts)
      ]
    ) assert.include(error.message, "the manager has stopped because of a defect (Error: the disk is full)")
    // The session ends, too.
    yield* Effect.repeat(Effect.yieldNow, { times: 100 })
  }).pipe(
    Effect.provide(Layer.provideMerge(
      Manager.layerMemoryWith({ journal: full }),
      Logger.layer([Logger.make<unknown, void>(({ cause }) => void logged.push(cause))])
    )),
    Effect.andThen(Effect.sync(() => {
      assert.deepStrictEqual(logged.map((cause) => Cause.pretty(cause).includes("the disk is full")), [true])
    }))
  )
})
