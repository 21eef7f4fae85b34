/** The memory of a manager is bounded in bytes (S-8): calls that bring values are refused, all others go on. */
import type { ObjectId } from "#core/engine/Value.ts"
import { cell } from "#core/engine/Value.ts"
import { assert, describe, it } from "@effect/vitest"
import { type Client, EngineHarness, value } from "../../support/EngineHarness.ts"

const limit = 100_000

const large = cell(JSON.stringify("x".repeat(20_000)))

const refused = `LimitExceeded memoryBytesMax ${limit}`

/** A manager that is full of large values, and its client. */
const full = (
  kind: string,
  options: Record<string, number | string>,
  fill: (client: Client, object: ObjectId) => number
) => {
  const harness = new EngineHarness({ memoryBytesMax: limit })
  const client = harness.open()
  const object = client.make(kind, "full", options)
  let last = 0
  while (client.answer(last) !== refused) last = fill(client, object)
  assert.isAtMost(harness.engine.state.bytes, limit)
  return { harness, client, object }
}

describe("a full manager refuses what brings a value, and goes on when there is room:", () => {
  it("a queue", () => {
    const { client, object } = full(
      "Queue",
      { capacity: Infinity, attempts: 1 },
      (client, object) => client.call(object, "offer", [large])
    )
    assert.strictEqual(client.get(object, "offer", [large]), refused)
    const take = client.call(object, "take")
    assert.notStrictEqual(client.answer(take), refused)
    client.acknowledge(take)
    assert.deepStrictEqual(client.get(object, "offer", [large]), [])
  })

  it("calls that wait", () => {
    const { client, harness } = full(
      "Queue",
      { capacity: 1, attempts: 1 },
      (client, object) => client.call(object, "offer", [large])
    )
    assert.isAbove(harness.engine.state.counts.waiters, 2)
    client.end()
    assert.isBelow(harness.engine.state.bytes, 30_000)
  })

  it("the keys of a map", () => {
    let n = 0
    const key = () => `${n++}${"k".repeat(20_000)}`
    const { client, object } = full(
      "Map",
      { values: "" },
      (client, object) => client.call(object, "set", [key(), value(1)])
    )
    assert.deepStrictEqual(client.get(object, "clear"), [])
    assert.deepStrictEqual(client.get(object, "set", [key(), value(1)]), [])
  })

  it("arrays, and everything that is opened", () => {
    const harness = new EngineHarness({ memoryBytesMax: limit })
    const client = harness.open()
    const array = (name: string, length: number) =>
      client.get(0, "open", ["Array", "", name, 2, "type", "float64", "length", length])
    assert.strictEqual(array("too large", 20_000), refused)
    assert.notStrictEqual(array("fits", 10_000), refused)
    assert.strictEqual(array("no more", 3_000), refused)
    assert.strictEqual(client.get(0, "open", ["Ref", "", null, 1, "value", "", large]), refused)
    assert.notStrictEqual(array("fits", 10_000), refused, "it is there")
    const [id] = harness.engine.state.names.values()
    client.get(0, "delete", [id!])
    assert.notStrictEqual(array("too large before", 10_000), refused)
  })
})

it("nothing of the bytes is left when the objects are gone", () => {
  const harness = new EngineHarness()
  const before = harness.engine.state.bytes
  const client = harness.open()
  const map = client.make("Map", "map", { values: "" })
  for (const key of ["a", "b", "c"]) client.get(map, "set", [key, large])
  client.get(map, "remove", ["a"])
  const queue = client.make("Queue", "queue", { capacity: 1, attempts: 1 })
  client.call(queue, "offer", [large])
  client.call(queue, "offer", [large])
  for (const object of [map, queue]) client.get(0, "delete", [object])
  assert.strictEqual(harness.engine.state.bytes, before)
})
