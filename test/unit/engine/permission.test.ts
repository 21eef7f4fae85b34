/** What the sessions of each role may do. */
import { kinds } from "#core/engine/kinds/index.ts"
import type { Operation } from "#core/engine/Operation.ts"
import { type Cell, cell, type ObjectId } from "#core/engine/Value.ts"
import { Random } from "#core/testing/Random.ts"
import { assert, describe, it } from "@effect/vitest"
import { type Client, EngineHarness, handleOf, value } from "../../support/EngineHarness.ts"
import { drawOpening } from "../../support/openings.ts"

const observer = { role: "observer", names: undefined } as const
const client = { role: "client", names: undefined } as const
const named = (...names: ReadonlyArray<string>) => ({ role: "client", names }) as const

const pageBytes = 10_000

const refOf = (client: Client, name: string | null, first: Cell) => client.make("Ref", name, { value: "" }, first)

/** What a reference has, or why it is not told. */
const read = (client: Client, ref: ObjectId) => {
  const reply = client.get(ref, "get", ["value"])
  return typeof reply === "string" ? reply : reply[0]
}

const set = (client: Client, ref: ObjectId, cell: Cell) => client.get(ref, "set", ["value", cell])

/** The arguments of an opening of a reference. */
const opening = (name: string | null, first: Cell = value(0)) => ["Ref", "", name, 1, "value", "", first]

describe("an observer", () => {
  it("makes no change of an object of any kind, whatever the arguments are", () => {
    const harness = new EngineHarness()
    const owner = harness.open()
    const spectator = harness.open(undefined, observer)
    const random = new Random(1)
    const seen = new Set<string>()
    for (let i = 0; seen.size < kinds.length; i++) {
      owner.call(0, "open", drawOpening(random, `object ${i}`, () => value(i)))
      const id = harness.engine.state.names.get(`object ${i}`)
      if (id === undefined) continue
      const { kind } = harness.object(id)
      seen.add(kind.name)
      const { index } = harness.engine.state
      for (const [operation, { observes }] of Object.entries<Operation<unknown>>(kind.operations)) {
        if (observes) continue
        const refused = "NotPermitted observer the role client or owner"
        assert.strictEqual(spectator.get(id, operation), refused, `${kind.name}.${operation}`)
      }
      assert.strictEqual(harness.engine.state.index, index)
    }
  })

  it("makes none of the manager: it opens what is there, removes nothing, and ends no session", () => {
    const harness = new EngineHarness()
    const owner = harness.open()
    const spectator = harness.open(undefined, observer)
    const object = refOf(owner, "ref", value(1))
    assert.strictEqual(refOf(spectator, "ref", value(0)), object)
    const missing = "NotPermitted observer the role client or owner, because the object is not there"
    assert.strictEqual(spectator.get(0, "open", opening("new")), missing)
    assert.strictEqual(spectator.get(0, "open", opening(null)), missing)
    assert.strictEqual(spectator.get(0, "delete", [object]), "NotPermitted observer the role owner")
    assert.strictEqual(spectator.get(0, "endSession", [owner.session]), "NotPermitted observer the role owner")
    assert.strictEqual(spectator.get(0, "shutdown"), "NotPermitted observer the role owner")
    assert.isTrue(harness.exists(object))
    assert.deepStrictEqual(spectator.get(0, "counts"), [2, 1, 0, 0])
  })

  it("reads and watches, and gives back the handles that it reads", () => {
    const harness = new EngineHarness()
    const owner = harness.open()
    const spectator = harness.open(undefined, observer)
    const inner = owner.make("Lock")
    const ref = refOf(owner, "ref", handleOf(inner))
    const before = harness.object(inner).references
    assert.deepStrictEqual(read(spectator, ref), handleOf(inner))
    const watch = spectator.watch(ref, 10)
    assert.strictEqual(harness.object(inner).references, before + 2, "the reply and the snapshot")
    spectator.drop(inner, 2)
    assert.strictEqual(harness.object(inner).references, before)
    set(owner, ref, value(2))
    assert.lengthOf(spectator.events(watch), 1)
  })

  it("reads values page by page, though a scan is a grant", () => {
    const harness = new EngineHarness()
    const owner = harness.open()
    const spectator = harness.open(undefined, observer)
    const list = owner.make("Map", "map")
    const big = cell(`"${"x".repeat(1_000)}"`)
    for (let i = 0; i < 100; i++) owner.get(list, "set", [String(i), big])
    const [scan, ...page] = spectator.get(list, "scan", [pageBytes])
    assert.isBelow(page.length, 100)
    assert.isAbove(Number(scan), 0)
    assert.deepStrictEqual(spectator.get(list, "endScan", [scan!]), [])
  })
})

describe("a client", () => {
  it("opens, reads and changes every object, and removes none", () => {
    const harness = new EngineHarness()
    const owner = harness.open()
    const other = harness.open(undefined, client)
    const ref = refOf(owner, "ref", value(1))
    assert.strictEqual(refOf(other, "ref", value(0)), ref)
    set(other, ref, value(2))
    assert.deepStrictEqual(read(owner, ref), value(2))
    assert.strictEqual(other.get(0, "delete", [ref]), "NotPermitted client the role owner, or a key for this name")
    assert.strictEqual(other.get(0, "endSession", [owner.session]), "NotPermitted client the role owner")
    assert.strictEqual(other.get(0, "shutdown"), "NotPermitted client the role owner")
  })
})

describe("a client whose key is for names", () => {
  const other = `NotPermitted client another key, because its own is for names that begin with "jobs/" or "log"`

  const start = () => {
    const harness = new EngineHarness()
    return { harness, owner: harness.open(), worker: harness.open(undefined, named("jobs/", "log")) }
  }

  it("opens, changes and removes those, and no others", () => {
    const { harness, owner, worker } = start()
    const mine = refOf(worker, "jobs/1", value(1))
    const theirs = refOf(owner, "secret", value(7))
    assert.strictEqual(worker.get(0, "open", opening("secret")), other)
    assert.strictEqual(worker.get(0, "open", opening("job")), other)
    assert.strictEqual(worker.get(0, "open", opening("")), other)
    assert.strictEqual(worker.get(0, "delete", [theirs]), "NotPermitted client the role owner, or a key for this name")
    assert.deepStrictEqual(worker.get(0, "delete", [mine]), [])
    assert.isFalse(harness.exists(mine))
    assert.isTrue(harness.exists(theirs))
  })

  it("uses no object of another name by its id, in no way", () => {
    const { harness, owner, worker } = start()
    const theirs = refOf(owner, "secret", value(7))
    const mine = refOf(worker, "log", value(0))
    assert.strictEqual(read(worker, theirs), other)
    assert.strictEqual(set(worker, theirs, value(0)), other)
    assert.strictEqual(set(worker, refOf(worker, "jobs/2", value(0)), handleOf(theirs)), other)
    assert.strictEqual(worker.get(0, "open", opening(null, handleOf(theirs))), other)
    assert.strictEqual(worker.answer(worker.watch(theirs, 1)), other)
    assert.strictEqual(
      worker.answer(worker.together([[mine, "get", ["value"]], [theirs, "get", ["value"]]])),
      other.replace("NotPermitted", "NotPermitted 1")
    )
    assert.strictEqual(harness.object(theirs).references, 1)
  })

  it("uses objects that another client with its key has made, as a worker does", () => {
    const { harness, worker } = start()
    const colleague = harness.open(undefined, named("jobs/", "log"))
    const stranger = harness.open(undefined, named("jobs/"))
    const unnamed = refOf(worker, null, value(1))
    assert.deepStrictEqual(read(colleague, unnamed), value(1))
    assert.include(read(stranger, unnamed), "NotPermitted")
  })

  it("uses objects without a name that it made, and those whose handles it reads", () => {
    const { owner, worker } = start()
    const unnamed = refOf(worker, null, value(1))
    assert.deepStrictEqual(read(worker, unnamed), value(1))
    const given = refOf(owner, null, value(2))
    assert.strictEqual(read(worker, given), other)
    refOf(owner, "jobs/given", handleOf(given))
    assert.deepStrictEqual(read(worker, refOf(worker, "jobs/given", value(0))), handleOf(given))
    assert.deepStrictEqual(read(worker, given), value(2))
  })
})

it("a session keeps its rights when its manager is saved, loaded and replayed", () => {
  const harness = new EngineHarness()
  const owner = harness.open()
  const spectator = harness.open(undefined, observer)
  const worker = harness.open(undefined, named("a"))
  refOf(owner, "b", value(1))
  spectator.get(0, "open", opening("new"))
  worker.get(0, "open", opening("b"))
  const again = harness.replay(() => true)
  assert.strictEqual(again.hash, harness.hash)
  assert.deepStrictEqual(again.outputs, harness.outputs)
})
