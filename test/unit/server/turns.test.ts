/** The turns of a host. */
import { Engine } from "#core/engine/Engine.ts"
import { kinds } from "#core/engine/kinds/index.ts"
import * as EngineHost from "#core/server/EngineHost.ts"
import { defaults } from "@effect-multiprocessing/core/Limits"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"

it.effect("turns that are begun during a turn run after it, in their order", () =>
  Effect.gen(function*() {
    const host = yield* EngineHost.make(new Engine({ epoch: 1, kinds, limits: defaults }), {})
    const ran: Array<number> = []
    const note = (number: number) => ({ run: () => void ran.push(number) })
    host.turn({
      run: () => {
        host.turn(note(2))
        host.turn(note(3))
        ran.push(1)
      }
    })
    assert.deepStrictEqual(ran, [1, 2, 3])
  }))
