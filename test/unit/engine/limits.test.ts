import type { Argument } from "#core/engine/Value.ts"
import { assert, describe, it } from "@effect/vitest"
import { EngineHarness, value } from "../../support/EngineHarness.ts"

describe("over a limit a call fails, says which, and changes nothing", () => {
  it("objectsPerSessionMax: those that a session has made and that exist, wherever the manager is loaded", () => {
    const harness = new EngineHarness({ objectsPerSessionMax: 2 })
    const [greedy, other] = [harness.open(), harness.open()]
    const [first, second] = [greedy.make("Lock"), greedy.make("Lock", "kept")]
    const refused = "LimitExceeded objectsPerSessionMax 2"
    assert.strictEqual(greedy.get(0, "open", ["Lock", "", null, 0]), refused)
    assert.strictEqual(greedy.make("Lock", "kept"), second, "it is there")
    assert.strictEqual(other.make("Lock", "kept"), second)
    other.make("Lock")
    greedy.drop(first)
    greedy.make("Lock")
    assert.strictEqual(greedy.get(0, "open", ["Lock", "", null, 0]), refused)
    other.get(0, "delete", [second])
    greedy.make("Lock")
    assert.strictEqual(greedy.get(0, "open", ["Lock", "", null, 0]), refused)
    const again = harness.replay(() => true)
    assert.strictEqual(again.hash, harness.hash)
    assert.deepStrictEqual(again.outputs, harness.outputs)
  })

  it("objectsMax", () => {
    const harness = new EngineHarness({ objectsMax: 2 })
    const client = harness.open()
    const first = client.make("Lock")
    client.make("Lock", "name")
    const before = harness.engine.state.index
    assert.strictEqual(client.get(0, "open", ["Lock", "", null, 0]), "LimitExceeded objectsMax 2")
    assert.strictEqual(harness.engine.state.index, before)
    client.make("Lock", "name")
    client.drop(first)
    client.make("Lock")
  })

  it("waitersPerObjectMax", () => {
    const harness = new EngineHarness({ waitersPerObjectMax: 2 })
    const client = harness.open()
    const queue = client.make("Queue", "queue", { capacity: 1, attempts: 1 })
    const [first] = [client.call(queue, "take"), client.call(queue, "take")]
    assert.strictEqual(client.get(queue, "take"), "LimitExceeded waitersPerObjectMax 2")
    client.cancel(first)
    assert.isTrue(client.waits(client.call(queue, "take")))
  })

  it("watchersPerObjectMax", () => {
    const harness = new EngineHarness({ watchersPerObjectMax: 1 })
    const client = harness.open()
    const map = client.make("Map", "map")
    const first = client.watch(map, 1)
    assert.strictEqual(client.answer(client.watch(map, 1)), "LimitExceeded watchersPerObjectMax 1")
    client.unwatch(first)
    assert.deepStrictEqual(client.answer(client.watch(map, 1)), [])
  })

  it("nameLengthMax", () => {
    const client = new EngineHarness({ nameLengthMax: 3 }).open()
    client.make("Lock", "abc")
    assert.strictEqual(client.get(0, "open", ["Lock", "", "abcd", 0]), "LimitExceeded nameLengthMax 3")
  })

  it("guardMax", () => {
    const client = new EngineHarness({ guardMax: 1 }).open()
    const ref = client.make("Ref", "ref", { value: "integer" }, value(0))
    const holds = [client.make("Lock"), client.make("Lock")].map((lock) => Number(client.get(lock, "acquire")[0]))
    assert.strictEqual(client.get(ref, "add", ["value", 1], holds), "LimitExceeded guardMax 1")
    assert.deepStrictEqual(client.get(ref, "add", ["value", 1], holds.slice(1)), [1])
  })
})

describe("what makes no sense is refused, and changes nothing", () => {
  const harness = new EngineHarness()
  const client = harness.open()
  const ref = client.make("Ref", "ref", { value: "integer" }, value(0))
  const text = client.make("Ref", "text", { value: "" }, value(0))
  const queue = client.make("Queue", "queue", { capacity: 1, attempts: 1 })

  const refused = (
    name: string,
    object: number,
    operation: string,
    args: ReadonlyArray<Argument>,
    expected: string
  ) =>
    it(`${name}`, () => {
      const before = harness.engine.state.index
      assert.strictEqual(client.get(object, operation, args), expected)
      assert.strictEqual(harness.engine.state.index, before)
    })

  refused("an unknown operation", ref, "explode", [], "UnknownOperation Ref")
  refused("too few arguments", ref, "set", ["value"], "InvalidArguments 2 arguments, not 1")
  refused("too many arguments", ref, "set", ["value", value(1), 1], "InvalidArguments 2 arguments, not 3")
  refused(
    "a wrong argument",
    ref,
    "set",
    ["value", "text"],
    "InvalidArguments a value as argument 2, not \"text\""
  )
  refused("not a number", ref, "add", ["value", NaN], "InvalidArguments a finite number as by, not NaN")
  refused(
    "a negative count",
    queue,
    "ack",
    [-1],
    "InvalidArguments a whole number from 0 up as argument 1, not -1"
  )
  refused("an unknown field", ref, "set", ["other", value(1)], "UnknownField other")
  refused("half a pair", ref, "setAll", ["value"], "InvalidArguments 0 arguments and groups of 2, not 1")
  refused("arithmetic on what is no number", text, "add", ["value", 1], "NotANumber")
  refused("an unknown kind", 0, "open", ["Teapot", "", null, 0], "UnknownKind Teapot")
  refused("a second directory", 0, "open", ["Directory", "", null, 0], "UnknownKind Directory")
  refused(
    "a queue without room",
    0,
    "open",
    ["Queue", "", null, 2, "capacity", 0, "attempts", 1],
    "InvalidOptions capacity must be a number of at least 1, not 0"
  )
  refused(
    "more options than there are arguments, by any number",
    0,
    "open",
    ["Ref", "", null, Number.MAX_SAFE_INTEGER],
    "InvalidOptions 0 fields with 0 initial values"
  )
})
