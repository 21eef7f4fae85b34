/** A new state is tested and measured by what has changed, with the same result as the whole. */
import { fitOf, freeze } from "#core/kind/fit.ts"
import { growth, sizeOf } from "#core/kind/size.ts"
import { Random } from "#core/testing/Random.ts"
import { Schema } from "effect"
import { assert, describe, it } from "vitest"

interface Tree {
  readonly value: number
  readonly children: ReadonlyArray<Tree>
}

const Tree = Schema.Struct({
  value: Schema.Int,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})

const State = Schema.Struct({
  name: Schema.String,
  note: Schema.optionalKey(Schema.String),
  numbers: Schema.Array(Schema.Int),
  pair: Schema.Tuple([Schema.Int, Schema.String]),
  byKey: Schema.Record(Schema.String, Schema.Struct({ n: Schema.Int })),
  small: Schema.Array(Schema.Int).check(Schema.isMaxLength(2)),
  either: Schema.Union([Schema.Struct({ a: Schema.Int }), Schema.Array(Schema.String)]),
  tree: Tree
})

const initial: typeof State.Type = {
  name: "a",
  numbers: [1, 2, 3],
  pair: [1, "one"],
  byKey: { a: { n: 1 }, b: { n: 2 } },
  small: [1],
  either: { a: 1 },
  tree: { value: 1, children: [{ value: 2, children: [] }] }
}

/** Leaves of which most fit somewhere, and none fits everywhere. */
const leaves = [0, 1, 2, 0.5, NaN, "a", "", undefined, null, [], {}, [1], ["a"], [1, 2, 3], { n: 1 }, { a: 1 }, true]

/** Another value, which shares with the first one all that is not on the way to one place. */
const changed = (random: Random, value: unknown): unknown => {
  if (typeof value !== "object" || value === null || random.chance(1 / 4)) return random.pick(leaves)
  if (Array.isArray(value)) {
    const at = random.below(value.length + 1)
    const inserted = changed(random, value[at])
    return random.chance(1 / 2) ? value.toSpliced(at, random.below(2), inserted) : value.toSpliced(at, random.below(3))
  }
  const keys = [...Object.keys(value), "note", "new"]
  const key = random.pick(keys)
  const { [key]: inner, ...rest } = value as Record<string, unknown>
  return random.chance(1 / 8) ? rest : { ...rest, [key]: changed(random, inner) }
}

describe("a state", () => {
  it("fits by its changes exactly if it fits as a whole, and grows by what the whole has more", () => {
    const [fit, is] = [fitOf(State), Schema.is(State)]
    let [fitting, unfit] = [0, 0]
    for (let seed = 1; seed <= 300; seed++) {
      const random = new Random(seed)
      let state: unknown = initial
      for (let i = 0; i < 20; i++) {
        const next = changed(random, state)
        assert.strictEqual(fit(next, state), is(next), `seed ${seed}: ${JSON.stringify([state, next])}`)
        assert.strictEqual(growth(next, state), sizeOf(next) - sizeOf(state), `seed ${seed}`)
        if (is(next)) fitting++
        else unfit++
        if (is(next)) state = next
      }
    }
    assert.isAbove(fitting, 500)
    assert.isAbove(unfit, 500)
  })

  it("is examined where it has changed, and nowhere else", () => {
    let examined = 0
    const Item = Schema.Int.check(Schema.makeFilter(() => {
      examined++
      return true
    }))
    const fit = fitOf(Schema.Struct({ items: Schema.Array(Item), byKey: Schema.Record(Schema.String, Item) }))
    const items = Array.from({ length: 1_000 }, (_, i) => i)
    const before = { items, byKey: Object.fromEntries(items.map((i) => [`k${i}`, i])) }
    assert.isTrue(fit(before, undefined))
    const cost = (next: unknown) => {
      examined = 0
      assert.isTrue(fit(next, before))
      return examined
    }
    assert.strictEqual(cost({ ...before, items: [...items, 1] }), 1)
    assert.strictEqual(cost({ ...before, items: items.slice(1) }), 0)
    assert.strictEqual(cost({ ...before, items: items.with(500, -1) }), 1)
    assert.strictEqual(cost({ ...before, byKey: { ...before.byKey, k7: -7 } }), 1)
  })

  it("is frozen: plain objects and lists, and nothing that has its own methods", () => {
    const state = { list: [{ n: 1 }], date: new Date(0), bytes: new Uint8Array(1), map: new Map([[1, { n: 1 }]]) }
    freeze(state)
    assert.isTrue(Object.isFrozen(state.list) && Object.isFrozen(state.list[0]))
    assert.isFalse(Object.isFrozen(state.date) || Object.isFrozen(state.bytes) || Object.isFrozen(state.map))
  })
})
