import { assert, describe, it } from "@effect/vitest"
import { EngineHarness, handleOf, texts, value } from "../../support/EngineHarness.ts"

const setUp = (kind: "Map" | "OpenNamespace" = "Map") => {
  const harness = new EngineHarness()
  const [main, other] = [harness.open(), harness.open()]
  const map = main.make(kind, "map", { values: "integer" })
  const words = () => main.get(map, "words")
  const set = (word: string, n: number) => main.get(map, "set", [word, value(n)])
  return { harness, main, other, map, words, set }
}

describe("an open record", () => {
  it("keeps the order of first insertion, from both ends", () => {
    const { main, map, set, words } = setUp()
    for (const [word, n] of [["a", 1], ["b", 2], ["c", 3], ["a", 4], ["d", 5]] as const) set(word, n)
    main.get(map, "remove", ["c"])
    assert.deepStrictEqual(words(), ["a", "b", "d"])
    const last = () => texts(main.get(map, "removeLast"))
    assert.deepStrictEqual([last(), last()], [["d", "5"], ["b", "2"]])
    set("c", 6)
    assert.deepStrictEqual([last(), last(), last()], [["c", "6"], ["a", "4"], []])
  })

  it("sets and removes several with one index, and tells it as one change", () => {
    const { harness, main, map, other } = setUp()
    const watch = other.watch(map, 9)
    const before = harness.engine.state.index
    main.get(map, "setAll", ["a", value(1), "b", value(2), "a", value(3)])
    assert.deepStrictEqual(main.get(map, "removeAll", ["b", "x", "b"]), [1])
    main.get(map, "clear")
    assert.strictEqual(harness.engine.state.index, before + 3)
    assert.deepStrictEqual(other.events(watch), ["change a 1 b 2 a 3", "change b ", "change"])
  })

  it("changes nothing when there is nothing to change", () => {
    const { harness, main, map } = setUp()
    const { index } = harness.engine.state
    assert.deepStrictEqual(main.get(map, "setAll", []), [])
    assert.deepStrictEqual(main.get(map, "removeAll", ["a"]), [0])
    assert.deepStrictEqual(main.get(map, "removeLast"), [])
    assert.deepStrictEqual(main.get(map, "clear"), [])
    assert.strictEqual(harness.engine.state.index, index)
  })

  it("lets go of the handles of what it drops (S-23)", () => {
    const { harness, main, map } = setUp()
    for (const operation of ["clear", "removeLast", "removeAll"]) {
      const lock = main.make("Lock")
      main.get(map, "setAll", ["a", handleOf(lock), "a", handleOf(lock)])
      main.drop(lock)
      assert.isTrue(harness.exists(lock))
      main.get(map, operation, operation === "removeAll" ? ["a"] : [])
      if (operation === "removeLast") main.drop(lock)
      assert.isFalse(harness.exists(lock))
    }
  })

  it("adds to numbers, from 0 where there is none, and to nothing else (S-25)", () => {
    const { main, map } = setUp("OpenNamespace")
    assert.deepStrictEqual(main.get(map, "add", ["hits", 2]), [2])
    assert.deepStrictEqual(main.get(map, "add", ["hits", 3]), [5])
    assert.strictEqual(main.get(map, "add", ["hits", 0.5]), "OutOfBounds 5.5")
    assert.strictEqual(main.get(main.make("Map"), "add", ["hits", 1]), "NotANumber")
  })
})

describe("a closed record", () => {
  it("has the fields that were declared: no others, and no fewer", () => {
    const { harness, main } = setUp()
    const namespace = main.make("Namespace", "fields", { a: "integer" }, value(1))
    const before = harness.hash
    for (
      const [operation, ...args] of [["set", value(1)], ["add", 1], ["reserve"], [
        "compareAndSet",
        0,
        value(1),
        0
      ]] as const
    ) assert.strictEqual(main.get(namespace, operation, ["b", ...args]), "UnknownField b")
    assert.strictEqual(main.get(namespace, "setAll", ["a", value(2), "b", value(2)]), "UnknownField b")
    assert.strictEqual(main.get(namespace, "untilEquals", ["b", value(1)]), "UnknownField b")
    assert.strictEqual(main.get(namespace, "compareAndSet", ["a", 0, null, 0]), "FieldStays a")
    assert.deepStrictEqual(texts(main.get(namespace, "entries")), ["a", "1"])
    assert.notStrictEqual(harness.hash, before)
  })
})

describe("who waits for a condition (S-29)", () => {
  it("hears of it, though it is so for one change only", () => {
    const { main, map, other, set } = setUp()
    const calls = [
      other.call(map, "untilHas", ["a"]),
      other.call(map, "untilEquals", ["a", value(2)]),
      other.call(map, "untilAtLeast", ["a", 3]),
      other.call(map, "untilSize", [2, 2])
    ]
    const [has, equals, atLeast, size] = calls.map((call) => () => texts(other.answer(call)))
    set("a", 1)
    assert.deepStrictEqual([has!()[0], equals!()[0]], ["1", "waits"])
    set("a", 2)
    set("a", 3)
    main.get(map, "setAll", ["a", value(0), "b", value(0)])
    main.get(map, "clear")
    assert.deepStrictEqual([equals!()[0], atLeast!()[0], size!()[0]], ["2", "3", 2])
  })

  it("takes no index and holds up nobody, and waits for one thing while others wait for another", () => {
    const { harness, main, map, other, set } = setUp()
    const calls = [3, 1, 2].map((n) => other.call(map, "untilEquals", ["a", value(n)]))
    const { index } = harness.engine.state
    set("a", 2)
    assert.strictEqual(harness.engine.state.index, index + 1)
    assert.deepStrictEqual(calls.map((call) => other.waits(call)), [true, true, false])
    main.get(map, "reserve", ["a"])
    assert.strictEqual(harness.object(map).waiting, 2)
  })

  it("is told once that it waits and once that it need not, whatever changes meanwhile (S-16)", () => {
    const { harness, map, other, set } = setUp()
    other.call(map, "untilAtLeast", ["a", 50])
    for (let n = 0; n < 100; n++) set("a", n)
    const told = harness.outputs.filter((output) => "session" in output && output.session === other.session)
    assert.deepStrictEqual(told.map(({ _tag }) => _tag), ["Parked", "Reply"])
  })

  it("is gone when it is cancelled or its session ends", () => {
    const { harness, map, other, set } = setUp()
    const [first, second] = [other.call(map, "untilHas", ["a"]), other.call(map, "untilHas", ["a"])]
    assert.strictEqual(other.cancel(first), "withdrawn")
    assert.isTrue(other.waits(second))
    other.end()
    assert.strictEqual(harness.object(map).waiting, 0)
    set("a", 1)
  })

  it("knows numbers that JSON has no word for", () => {
    const { main } = setUp()
    const ref = main.make("Ref", "ref", { value: "real" }, { text: "\"Infinity\"", handles: [] })
    assert.strictEqual(texts(main.get(ref, "untilAtLeast", ["value", 1e308]))[0], "\"Infinity\"")
    assert.strictEqual(main.get(ref, "untilAtMost", ["value", 1e308]), "waits")
  })
})
