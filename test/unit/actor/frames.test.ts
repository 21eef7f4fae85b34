/** What a call of an actor costs on the wire, counted in frames. */
import { Actor, Manager } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Tally } from "../../support/links.ts"
import * as Memory from "../../support/Memory.ts"

const methods = { echo: Actor.method({ payload: Schema.Int, success: Schema.Int, error: Schema.String }) }

const calls = 20

describe("a call of an actor", () => {
  it.live("is one frame of the caller and one of the host: the answer is the request for the next call", () =>
    Effect.gen(function*() {
      const memory = yield* Memory.make()
      const open = Effect.fnUntraced(function*() {
        const tally = new Tally()
        const { manager } = yield* memory.connect({ client: tally.wrap })
        const actor = yield* Effect.provideService(Actor.make({ name: "echo", methods }), Manager.Manager, manager)
        return { actor, tally }
      })
      const [caller, host] = [yield* open(), yield* open()]
      const handlers = { echo: (n: number) => n % 2 === 0 ? Effect.succeed(n) : Effect.fail("odd") }
      yield* Effect.forkScoped(Actor.serve(host.actor, handlers))
      // The host has what it needs for the first calls.
      yield* caller.actor.echo(0)
      const before = [caller.tally.frames, host.tally.frames] as const
      for (let n = 0; n < calls; n++) yield* Effect.exit(caller.actor.echo(n))
      assert.deepStrictEqual([caller.tally.frames - before[0], host.tally.frames - before[1]], [calls, calls])
    }))
})
