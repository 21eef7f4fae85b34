/** The thread of a database. */
import { type Argument, over, type Statement, statement } from "#node/sqliteThread.ts"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { MessageChannel } from "node:worker_threads"

it.effect("sends the bytes of a view, not its whole buffer", () =>
  Effect.gen(function*() {
    const { port1, port2 } = new MessageChannel()
    const sent: Array<Argument> = []
    port2.on("message", ([{ args }]: readonly [Statement]) => {
      sent.push(...args)
      port2.postMessage({ results: [[]] })
    })
    const { transaction } = yield* over(port1)
    const whole = Uint8Array.from({ length: 1_000 }, (_, i) => i)
    yield* transaction([statement("", whole.subarray(10, 13), Buffer.from("of a pool"), whole, 1, "text", null)])
    port2.close()
    assert.deepStrictEqual(sent, [whole.slice(10, 13), new TextEncoder().encode("of a pool"), whole, 1, "text", null])
    const buffers = sent.flatMap((argument) => argument instanceof Uint8Array ? [argument.buffer.byteLength] : [])
    assert.deepStrictEqual(buffers, [3, 9, 1_000])
  }).pipe(Effect.scoped))
