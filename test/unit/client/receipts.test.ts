/** Receipts: each received reply is acknowledged once, and no other one is (S-8). */
import { Receipts } from "#core/client/Receipts.ts"
import { Random } from "#core/testing/Random.ts"
import { assert, it } from "@effect/vitest"
import { Schema } from "effect"

it.prop("what is acknowledged is what was received, in whatever order replies come", [Schema.Int], ([seed]) => {
  const random = new Random(seed)
  const acknowledged: Array<number> = []
  const receipts = new Receipts((from, to) => {
    for (let sequence = from; sequence <= to; sequence++) acknowledged.push(sequence)
  })
  const left = Array.from({ length: 100 }, (_, sequence) => sequence)
  const received: Array<number> = []
  for (let replies = 0; replies < 70; replies++) {
    // Mostly in order, some before their turn.
    const [sequence] = left.splice(random.chance(0.7) ? 0 : random.below(left.length), 1)
    received.push(sequence!)
    receipts.add(sequence!)
    if (random.chance(0.1)) receipts.flush()
  }
  receipts.flush()
  assert.deepStrictEqual(acknowledged, received)
})
