/** A kind that throws stops the manager, and no call waits for ever (S-2). */
import type { Kind } from "#core/engine/Kind.ts"
import { operationsOf } from "#core/engine/Operation.ts"
import * as Remote from "#core/proxy/Remote.ts"
import * as Server from "#core/server/Server.ts"
import { Manager } from "@effect-multiprocessing/core"
import { defaults } from "@effect-multiprocessing/core/Limits"
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Redacted } from "effect"

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
    const call = connection.call(target, connection.operationsOf("Broken").get("fall")!, [], () => Exit.void)
    assert.include((yield* Effect.flip(call)).message, "outcome of fall on Broken is unknown")
    assert.include(String(yield* Fiber.join(defect)), "a bug of this kind")
    assert.include((yield* Effect.flip(other.inspect)).message, "was lost")
  }).pipe(Effect.scoped, Effect.provide(Manager.layerCrypto)))
