import { SequenceMap } from "#core/engine/SequenceMap.ts"
import { Random } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"

describe("a map by sequence", () => {
  it.prop("holds what a Map holds, in the order of the sequences", [Schema.Int], ([seed]) => {
    const random = new Random(seed)
    const map = new SequenceMap<{ readonly sequence: number }>()
    const expected = new Map<number, { readonly sequence: number }>()
    // Most entries are new and go soon; some stay while the ring comes round.
    const back = random.pick([1, 20, 500])
    let last = 0
    for (let edit = 0; edit < 1_000; edit++) {
      const sequence = random.chance(1 / 2) ? ++last : Math.max(0, last - random.below(back))
      const entry = { sequence }
      if (sequence === last || random.chance(1 / 4)) {
        map.set(entry)
        expected.set(sequence, entry)
      } else {
        map.delete(sequence)
        expected.delete(sequence)
      }
      assert.strictEqual(map.get(sequence), expected.get(sequence))
      assert.strictEqual(map.size, expected.size)
    }
    for (const [sequence, entry] of expected) assert.strictEqual(map.get(sequence), entry)
    assert.deepStrictEqual(map.values(), [...expected.values()].sort((a, b) => a.sequence - b.sequence))
    map.clear()
    assert.deepStrictEqual([map.size, map.values()], [0, []])
  })
})
