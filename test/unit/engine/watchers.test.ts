import { assert, describe, it } from "@effect/vitest"
import { EngineHarness, handleOf, texts, value } from "../../support/EngineHarness.ts"

const setUp = () => {
  const harness = new EngineHarness()
  const [main, watcher] = [harness.open(), harness.open()]
  const ref = main.make("Ref", "ref", { value: "integer" }, value(0))
  const set = (n: number) => main.get(ref, "set", ["value", value(n)])
  return { harness, main, watcher, ref, set }
}

describe("a watcher (S-29)", () => {
  it("is told a snapshot, then every change in order while it has credit", () => {
    const { ref, set, watcher } = setUp()
    const watch = watcher.watch(ref, 3)
    assert.deepStrictEqual(texts(watcher.answer(watch)), ["value", "0"])
    for (const n of [1, 2, 3]) set(n)
    assert.deepStrictEqual(watcher.events(watch), ["change value 1", "change value 2", "change value 3"])
  })

  it("that lags is told nothing until its next credit, and then the present at once: no silent gap", () => {
    const { ref, set, watcher } = setUp()
    const watch = watcher.watch(ref, 1)
    for (const n of [1, 2, 3]) set(n)
    assert.deepStrictEqual(watcher.events(watch), ["change value 1"])
    watcher.credit(watch, 2)
    set(4)
    assert.deepStrictEqual(watcher.events(watch), ["change value 1", "reset value 3", "change value 4"])
  })

  it("whose client does not read is told nothing until it reads, and then the present at once (S-12)", () => {
    const { ref, set, watcher } = setUp()
    const watch = watcher.watch(ref, 9)
    set(1)
    watcher.congestion(true)
    for (const n of [2, 3]) set(n)
    watcher.credit(watch, 1)
    assert.deepStrictEqual(watcher.events(watch), ["change value 1"])
    watcher.congestion(false)
    set(4)
    assert.deepStrictEqual(watcher.events(watch), ["change value 1", "reset value 3", "change value 4"])
  })

  it("that did not miss anything gets no reset with its credit", () => {
    const { ref, set, watcher } = setUp()
    const watch = watcher.watch(ref, 1)
    set(1)
    watcher.credit(watch, 1)
    set(2)
    assert.deepStrictEqual(watcher.events(watch), ["change value 1", "change value 2"])
  })

  it("is told nothing after it has unsubscribed or its session has ended", () => {
    const { harness, ref, set, watcher } = setUp()
    const watch = watcher.watch(ref, 9)
    watcher.unwatch(watch)
    watcher.watch(ref, 9)
    watcher.end()
    set(1)
    assert.deepStrictEqual(harness.outputs.filter(({ _tag }) => _tag === "Event"), [])
    assert.strictEqual(harness.object(ref).watchers.size, 0)
  })

  it("is told when what it watches is deleted, also without credit", () => {
    const { main, ref, set, watcher } = setUp()
    const watch = watcher.watch(ref, 0)
    set(1)
    main.get(0, "delete", [ref])
    assert.deepStrictEqual(watcher.events(watch), ["ended"])
  })

  it("is told when what it watches is gone because nothing refers to it any more", () => {
    const { harness, main } = setUp()
    const map = main.make("Map")
    const watch = main.watch(map, 9)
    main.drop(map)
    assert.isFalse(harness.exists(map))
    assert.deepStrictEqual(main.events(watch), ["ended"])
  })

  it("keeps nothing alive (S-24)", () => {
    const { harness, main, watcher } = setUp()
    const map = main.make("Map", "map")
    watcher.watch(map, 9)
    main.drop(map)
    assert.isFalse(harness.exists(map))
  })

  it("borrows the handles it is told: each counts for its session (S-24)", () => {
    const { harness, main, watcher } = setUp()
    const map = main.make("Map", "map")
    const lock = main.make("Lock")
    const watch = watcher.watch(map, 9)
    main.get(map, "set", ["key", handleOf(lock)])
    main.get(map, "clear")
    main.drop(lock)
    assert.strictEqual(watcher.events(watch).length, 2)
    assert.isTrue(harness.exists(lock))
    watcher.drop(lock)
    assert.isFalse(harness.exists(lock))
  })

  it("sees the fields of one step as one change", () => {
    const { main, watcher } = setUp()
    const namespace = main.make("Namespace", "both", { a: "integer", b: "integer" }, value(0), value(0))
    const watch = watcher.watch(namespace, 9)
    main.get(namespace, "setAll", ["a", value(1), "b", value(2)])
    assert.deepStrictEqual(watcher.events(watch), ["change a 1 b 2"])
  })
})
