import { Engine } from "#core/engine/Engine.ts"
import type { Kind } from "#core/engine/Kind.ts"
import { defaults } from "@effect-multiprocessing/core/Limits"
import { assert, describe, it } from "@effect/vitest"
import { EngineHarness, handleOf, value } from "../../support/EngineHarness.ts"

const anonymous = { capacity: 9, attempts: 5 }

describe("an object without a name (S-23, S-24)", () => {
  it("lives while a session refers to it, and goes with its last reference", () => {
    const harness = new EngineHarness()
    const client = harness.open()
    const queue = client.make("Queue", null, anonymous)
    client.drop(queue)
    assert.isFalse(harness.exists(queue))
    assert.strictEqual(client.get(queue, "size"), "ObjectNotFound")
  })

  it("goes with its session", () => {
    const harness = new EngineHarness()
    const client = harness.open()
    const queue = client.make("Queue", null, anonymous)
    client.end()
    assert.isFalse(harness.exists(queue))
  })

  it("lives in a container: queued, leased, dead, or given to somebody else", () => {
    const harness = new EngineHarness()
    const [a, b] = [harness.open(), harness.open()]
    const outer = a.make("Queue", "outer", { capacity: 9, attempts: 1 })
    const inner = a.make("Lock")
    a.call(outer, "offer", [handleOf(inner)])
    a.drop(inner)
    assert.isTrue(harness.exists(inner), "queued")
    const lease = Number(b.get(outer, "takeLease")[0])
    assert.isTrue(harness.exists(inner), "leased")
    b.drop(inner)
    b.get(outer, "giveBack", [lease, 1, "no"])
    assert.isTrue(harness.exists(inner), "dead")
    b.get(outer, "deadLetters", [0, 1, 1_000])
    a.get(0, "delete", [outer])
    assert.isTrue(harness.exists(inner), "told to b")
    b.drop(inner)
    assert.isFalse(harness.exists(inner))
  })

  it("lives in a call that waits, and goes with it", () => {
    const harness = new EngineHarness()
    const client = harness.open()
    const full = client.make("Queue", "full", { capacity: 1, attempts: 1 })
    client.call(full, "offer", [value(1)])
    const inner = client.make("Lock")
    const waiting = client.call(full, "offer", [handleOf(inner)])
    client.drop(inner)
    assert.isTrue(harness.exists(inner))
    client.cancel(waiting)
    assert.isFalse(harness.exists(inner))
  })

  it("is released when its value is overwritten, removed or cleared", () => {
    const harness = new EngineHarness()
    const client = harness.open()
    const map = client.make("Map", "map")
    const locks = [1, 2, 3].map(() => client.make("Lock"))
    locks.forEach((lock, i) => {
      client.get(map, "set", [String(i), handleOf(lock)])
      client.drop(lock)
    })
    client.get(map, "set", ["0", value(0)])
    client.acknowledge(0, 100)
    client.get(map, "remove", ["1"])
    client.drop(locks[1]!)
    client.get(map, "clear")
    assert.deepStrictEqual(locks.map((lock) => harness.exists(lock)), [false, false, false])
  })

  it("is not given back more often than it was told", () => {
    const harness = new EngineHarness()
    const [a, b] = [harness.open(), harness.open()]
    const outer = a.make("Queue", "outer", anonymous)
    const inner = a.make("Lock")
    a.call(outer, "offer", [handleOf(inner)])
    b.drop(inner, 5)
    a.drop(inner, Number.MAX_SAFE_INTEGER)
    assert.isTrue(harness.exists(inner))
  })

  it("is kept by a hold or a waiter after the last reference, and goes with them", () => {
    const harness = new EngineHarness()
    const client = harness.open()
    const lock = client.make("Lock")
    const token = Number(client.get(lock, "acquire")[0])
    client.drop(lock)
    assert.isTrue(harness.exists(lock))
    client.get(lock, "release", [token])
    assert.isFalse(harness.exists(lock))
  })
})

describe("a cycle (S-23)", () => {
  it("of one: a queue that holds a handle to itself is collected", () => {
    const harness = new EngineHarness({ traceEveryDrops: 1 })
    const client = harness.open()
    const queue = client.make("Queue", null, anonymous)
    client.call(queue, "offer", [handleOf(queue)])
    client.drop(queue)
    assert.isFalse(harness.exists(queue))
  })

  it("of several is collected with all that only it refers to, and nothing else", () => {
    const harness = new EngineHarness({ traceEveryDrops: 1 })
    const client = harness.open()
    const [a, b, c, kept] = [1, 2, 3, 4].map(() => client.make("Map"))
    client.get(a!, "set", ["next", handleOf(b!, b!)])
    client.get(b!, "set", ["next", handleOf(a!, c!)])
    client.get(c!, "set", ["next", handleOf(kept!, c!)])
    for (const id of [c!, b!, a!]) client.drop(id)
    assert.deepStrictEqual([a, b, c, kept].map((id) => harness.exists(id!)), [false, false, false, true])
  })

  it("is looked for every so many drops, not at each", () => {
    const harness = new EngineHarness({ traceEveryDrops: 3 })
    const client = harness.open()
    const queue = client.make("Queue", null, anonymous)
    client.call(queue, "offer", [handleOf(queue)])
    client.drop(queue)
    assert.isTrue(harness.exists(queue))
    for (let i = 0; i < 2; i++) client.drop(client.make("Lock"))
    assert.isFalse(harness.exists(queue))
  })

  it("is kept while the argument of a waiting call leads to it, also through others", () => {
    const harness = new EngineHarness({ traceEveryDrops: 1 })
    const [client, other] = [harness.open(), harness.open()]
    const full = client.make("Queue", "full", { capacity: 1, attempts: 1 })
    client.call(full, "offer", [value(1)])
    const [outer, cycle] = [client.make("Map"), client.make("Queue", null, anonymous)]
    client.call(cycle, "offer", [handleOf(cycle)])
    client.get(outer, "set", ["next", handleOf(cycle)])
    client.call(full, "offer", [handleOf(outer)])
    client.drop(cycle)
    client.drop(outer)
    other.drop(other.make("Lock"))
    assert.deepStrictEqual([outer, cycle].map((id) => harness.exists(id)), [true, true])
    client.get(0, "delete", [full])
    other.drop(other.make("Lock"))
    assert.deepStrictEqual([outer, cycle].map((id) => harness.exists(id)), [false, false])
  })

  it("is kept while a name, a session or a hold leads to it", () => {
    const harness = new EngineHarness({ traceEveryDrops: 1 })
    const [client, holder] = [harness.open(), harness.open()]
    const named = client.make("Map", "named")
    const queue = client.make("Queue", null, anonymous)
    client.call(queue, "offer", [handleOf(queue)])
    client.get(named, "set", ["queue", handleOf(queue)])
    client.drop(queue)
    assert.isTrue(harness.exists(queue), "a name leads to it")
    const lease = Number(holder.get(queue, "takeLease")[0])
    holder.drop(queue)
    client.get(named, "clear")
    assert.isTrue(harness.exists(queue), "a lease is out")
    holder.get(queue, "giveBack", [lease, 0, ""])
    holder.drop(holder.make("Lock"))
    assert.isFalse(harness.exists(queue))
  })
})

describe("a handle", () => {
  it("of an object that is gone is refused, and ids are never used again", () => {
    const harness = new EngineHarness()
    const client = harness.open()
    const map = client.make("Map", "map")
    const gone = client.make("Lock")
    client.drop(gone)
    assert.strictEqual(client.get(map, "set", ["key", handleOf(gone)]), `StaleHandle ${gone}`)
    assert.notStrictEqual(client.make("Lock"), gone)
  })

  it("of the manager itself is refused: it would become an object like any other", () => {
    const harness = new EngineHarness({ traceEveryDrops: 1 })
    const client = harness.open()
    const map = client.make("Map", "map")
    assert.strictEqual(client.get(map, "set", ["key", handleOf(0)]), "StaleHandle 0")
  })
})

it("a drop costs the same in a manager of any size: searches for cycles are as rare as objects are many (S-23)", () => {
  let visits = 0
  const counted: Kind<null> = {
    name: "Counted",
    lanes: [],
    operations: {},
    initial: () => null,
    pristine: () => true,
    values: () => {
      visits++
      return []
    },
    version: 1,
    format: { save: () => null, load: () => null },
    check: () => []
  }
  const objects = 10_000
  const engine = new Engine({ epoch: 1, kinds: [counted], limits: defaults })
  engine.step({ _tag: "Open", label: { name: "client", pid: 0 } })
  let sequence = 0
  const open = (name: string) =>
    engine.step({
      _tag: "Request",
      session: 1,
      sequence: ++sequence,
      guard: [],
      stalls: 0,
      calls: [{ object: 0, operation: 0, args: ["Counted", "", name, 0] }]
    })
  for (let i = 0; i < objects; i++) open(`object ${i}`)
  const drops = 3 * objects
  for (let i = 0; i < drops; i++) open("object 0")
  visits = 0
  for (let i = 0; i < drops; i++) engine.step({ _tag: "Drop", session: 1, object: 1, times: 1 })
  assert.isAtLeast(visits, objects, "it searches")
  assert.isAtMost(visits, drops * 2)
})
