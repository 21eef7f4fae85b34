/** Entries of a record that end with their process. */
import { assert, describe, it } from "@effect/vitest"
import { EngineHarness, handleOf, texts, value } from "../../support/EngineHarness.ts"

const setUp = () => {
  const harness = new EngineHarness()
  const [main, worker] = [harness.open(), harness.open()]
  const map = main.make("Map", "map", { values: "integer" })
  const hold = (client: typeof main, word: string, n: number) =>
    (client.get(map, "hold", [word, value(n)]) as ReadonlyArray<number>)[0]!
  const entries = () => texts(main.get(map, "entries"))
  return { harness, main, worker, map, hold, entries }
}

describe("an entry that is held", () => {
  it("ends with its hold, with its call when that is cancelled, and with its session, of which watchers are told", () => {
    const { entries, hold, main, map, worker } = setUp()
    const watch = main.watch(map, 9)
    const given = hold(worker, "a", 1)
    assert.deepStrictEqual(worker.get(map, "endHold", [given]), [])
    assert.strictEqual(worker.get(map, "endHold", [given]), `NotHeld ${given}`)
    const call = worker.call(map, "hold", ["b", value(2)])
    worker.cancel(call)
    hold(worker, "c", 3)
    hold(worker, "d", 4)
    main.get(map, "set", ["e", value(5)])
    worker.end()
    assert.deepStrictEqual(entries(), ["e", "5"])
    assert.deepStrictEqual(main.events(watch), [
      "change a 1",
      "change a ",
      "change b 2",
      "change b ",
      "change c 3",
      "change d 4",
      "change e 5",
      "change c ",
      "change d "
    ])
  })

  it("ends with it whoever has changed its value since", () => {
    const { entries, hold, main, map, worker } = setUp()
    hold(worker, "a", 1)
    main.get(map, "set", ["a", value(2)])
    main.get(map, "add", ["a", 1])
    main.get(map, "setAll", ["a", value(4), "b", value(4)])
    assert.deepStrictEqual(main.get(map, "setIfAbsent", ["a", value(5)]), main.get(map, "get", ["a"]))
    worker.end()
    assert.deepStrictEqual(entries(), ["b", "4"])
  })

  it("is nobody's once it was removed: the next entry of that key stays", () => {
    for (const [operation, ...args] of [["remove", "a"], ["removeAll", "a"], ["removeLast"], ["clear"]]) {
      const { entries, harness, hold, main, map, worker } = setUp()
      const lost = hold(worker, "a", 1)
      main.get(map, operation!, args)
      assert.strictEqual(harness.object(map).grants.size, 0)
      main.get(map, "set", ["a", value(2)])
      assert.strictEqual(worker.get(map, "endHold", [lost]), `NotHeld ${lost}`)
      worker.end()
      assert.deepStrictEqual(entries(), ["a", "2"])
    }
  })

  it("belongs to the last holder, and to nobody else's session", () => {
    const { entries, hold, main, map, worker } = setUp()
    const lost = hold(worker, "a", 1)
    const own = hold(main, "a", 2)
    assert.strictEqual(worker.get(map, "endHold", [own]), `NotHeld ${own}`)
    assert.strictEqual(worker.get(map, "endHold", [lost]), `NotHeld ${lost}`)
    worker.end()
    assert.deepStrictEqual(entries(), ["a", "2"])
    const again = hold(main, "a", 3)
    assert.strictEqual(main.get(map, "endHold", [own]), `NotHeld ${own}`)
    main.get(map, "endHold", [again])
    assert.deepStrictEqual(entries(), [])
  })

  it("lets go of its handles when it ends, and releases whoever waits for that (S-23, S-29)", () => {
    const { harness, main, map, worker } = setUp()
    const lock = worker.make("Lock")
    worker.get(map, "hold", ["a", handleOf(lock)])
    worker.drop(lock)
    const waiting = main.call(map, "untilRemoved", ["a"])
    assert.isTrue(harness.exists(lock) && main.waits(waiting))
    worker.end()
    assert.isTrue(!harness.exists(lock) && !main.waits(waiting))
  })

  it("is saved and loaded with its hold", () => {
    const { harness, hold, main, map, worker } = setUp()
    hold(worker, "a", 1)
    main.get(map, "set", ["b", value(2)])
    hold(main, "b", 3)
    worker.end()
    main.end()
    const replayed = harness.replay(() => true)
    assert.deepStrictEqual([replayed.hash, replayed.outputs], [harness.hash, harness.outputs])
  })
})
