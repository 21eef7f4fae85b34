import { assert, describe, it } from "@effect/vitest"
import { EngineHarness, value } from "../../support/EngineHarness.ts"

describe("a name (S-27)", () => {
  it("is opened by all who agree on kind, items and options, and created by the first of them", () => {
    const harness = new EngineHarness()
    const [a, b] = [harness.open(), harness.open()]
    assert.strictEqual(
      a.make("Queue", "jobs", { capacity: 1, attempts: 1 }),
      b.make("Queue", "jobs", { capacity: 1, attempts: 1 })
    )
    const open = (...args: ReadonlyArray<string | number>) => b.get(0, "open", args)
    assert.strictEqual(open("Map", "", "jobs", 0), "KindMismatch Queue Map")
    assert.strictEqual(open("Queue", "other", "jobs", 2, "capacity", 1, "attempts", 1), "SchemaMismatch  other")
    assert.strictEqual(
      open("Queue", "", "jobs", 2, "capacity", 2, "attempts", 1),
      "OptionsMismatch capacity 1, attempts 1 capacity 2, attempts 1"
    )
  })

  it("keeps the first value that it was opened with", () => {
    const harness = new EngineHarness()
    const [a, b] = [harness.open(), harness.open()]
    const ref = a.make("Ref", "ref", { value: "integer" }, value(1))
    assert.strictEqual(b.make("Ref", "ref", { value: "integer" }, value(2)), ref)
    assert.deepStrictEqual(b.get(ref, "add", ["value", 0]), [1])
  })

  it("is forgotten when it is unused and back in a fixed initial state", () => {
    const harness = new EngineHarness()
    const client = harness.open()
    const queue = client.make("Queue", "queue", { capacity: 9, attempts: 5 })
    client.call(queue, "offer", [value(1)])
    client.drop(queue)
    assert.isTrue(harness.exists(queue), "it is not empty")
    client.acknowledge(client.call(queue, "take"))
    assert.isFalse(harness.exists(queue))
    assert.notStrictEqual(client.make("Queue", "queue", { capacity: 9, attempts: 5 }), queue)
  })

  it("opened with a value of the user's lives until it is deleted", () => {
    const harness = new EngineHarness()
    const [a, b] = [harness.open(), harness.open()]
    const ref = a.make("Ref", "ref", { value: "integer" }, value(1))
    a.end()
    assert.isTrue(harness.exists(ref))
    b.get(0, "delete", [ref])
    assert.isFalse(harness.exists(ref))
  })

  it("that is empty is a name like any other, and not that of objects without one", () => {
    const harness = new EngineHarness()
    const client = harness.open()
    const named = client.make("Lock", "")
    const ids = [client.make("Lock"), client.make("Lock"), client.make("Lock", "")]
    assert.strictEqual(ids[2], named)
    assert.strictEqual(new Set(ids).size, 3)
  })

  it("costs nothing once it is unused", () => {
    const harness = new EngineHarness()
    const client = harness.open()
    for (let i = 0; i < 100; i++) {
      const lock = client.make("Lock", `user ${i}`)
      client.get(lock, "release", [Number(client.get(lock, "acquire")[0])])
      client.drop(lock)
    }
    assert.strictEqual(harness.engine.state.objects.size, 1)
    assert.strictEqual(harness.engine.state.names.size, 0)
  })
})

describe("delete (S-27)", () => {
  it("fails whoever waits, ends what was granted, and rebinds no old handle", () => {
    const harness = new EngineHarness()
    const [a, b] = [harness.open(), harness.open()]
    const lock = a.make("Lock", "lock")
    a.call(lock, "acquire")
    const waiting = b.call(lock, "acquire")
    a.get(0, "delete", [lock])
    assert.strictEqual(b.answer(waiting), "ObjectDeleted")
    assert.strictEqual(harness.engine.state.counts.holders, 0)
    assert.notStrictEqual(b.make("Lock", "lock"), lock)
    assert.strictEqual(b.get(lock, "isHeld"), "ObjectNotFound")
  })

  it("refuses the manager, and what is not there", () => {
    const client = new EngineHarness().open()
    assert.strictEqual(client.get(0, "delete", [0]), "ObjectNotFound")
    assert.strictEqual(client.get(0, "delete", [7]), "ObjectNotFound")
  })
})
