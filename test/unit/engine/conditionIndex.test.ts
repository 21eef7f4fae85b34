/** A change tries only the waiting calls that it may satisfy, however many others wait. */
import type { AnyKind } from "#core/engine/Kind.ts"
import { map } from "#core/engine/kinds/record.ts"
import type { At, Operation } from "#core/engine/Operation.ts"
import type { Argument } from "#core/engine/Value.ts"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { type Client, EngineHarness, handleOf, texts, value } from "../../support/EngineHarness.ts"

/** A map that counts how often a waiting call is decided. */
const setUp = () => {
  const counts = { decided: 0 }
  const plain: AnyKind = map
  const counted: AnyKind = {
    ...plain,
    name: "CountedMap",
    operations: Object.fromEntries(
      Object.entries<Operation<unknown>>(plain.operations).map(([name, operation]) => [name, {
        ...operation,
        decide: (state: unknown, args: ReadonlyArray<Argument>, at: At) => {
          if (at.since !== undefined) counts.decided++
          return operation.decide(state, args, at)
        }
      }])
    )
  }
  const harness = new EngineHarness({}, [counted])
  const main = harness.open()
  return { harness, main, object: main.make("CountedMap", "map", { values: "integer" }), counts }
}

describe("a change of a record", () => {
  it("tries the calls that wait for this text, or for this entry, and no others", () => {
    const { counts, harness, main, object } = setUp()
    const waiting = Array.from({ length: 200 }, (_, n) => main.call(object, "untilEquals", ["a", value(n)]))
    for (let n = 0; n < 200; n++) main.call(object, "untilHas", [`word ${n}`])
    for (let n = 0; n < 200; n++) main.call(object, "untilSize", [10 + n, 1_000])
    // The invariants decide every waiting call after every step.
    const before = counts.decided
    harness.engine.step({
      _tag: "Request",
      session: main.session,
      sequence: 10_000,
      guard: [],
      stalls: 0,
      calls: [{
        object,
        operation: Object.keys(map.operations).indexOf("setAll"),
        args: ["a", value(7), "b", value(8)]
      }]
    })
    // The size is another one: 200 wait for that.
    assert.strictEqual(counts.decided - before, 201)
    harness.engine.step({
      _tag: "Request",
      session: main.session,
      sequence: 10_001,
      guard: [],
      stalls: 0,
      calls: [{ object, operation: Object.keys(map.operations).indexOf("set"), args: ["a", value(9)] }]
    })
    assert.strictEqual(counts.decided - before, 202)
    const replies = harness.engine.takeOutputs().flatMap((output) => output._tag === "Reply" ? [output.sequence] : [])
    assert.deepStrictEqual(replies.toSorted((a, b) => a - b), [waiting[7]!, waiting[9]!, 10_000, 10_001])
  })

  it("tries the calls that wait for a number that it reaches, and no others, whatever their thresholds", () => {
    const { counts, harness, main, object } = setUp()
    let sequence = 10_000
    const operation = (name: string) => Object.keys(map.operations).indexOf(name)
    const request = (name: string, ...args: ReadonlyArray<Argument>) => {
      const calls = [{ object, operation: operation(name), args }]
      harness.engine.step({ _tag: "Request", session: main.session, sequence: ++sequence, guard: [], stalls: 0, calls })
      return sequence
    }
    request("set", "a", value(0))
    /** Of the calls that wait, in any order of their thresholds. */
    const least = Array.from({ length: 200 }, (_, n) => ((n * 37) % 200) + 1)
    const waiting = new Map(least.flatMap((n) => [
      [request("untilAtLeast", "a", n), n],
      [request("untilAtMost", "a", -n), -n]
    ]))
    harness.engine.takeOutputs()
    for (const [next, reached] of [[3, 3], [3, 0], [-2, 2], [200, 197], [0.5, 0], [-200, 198]] as const) {
      const before = counts.decided
      request("set", "a", value(next))
      assert.strictEqual(counts.decided - before, reached, `${next}`)
      const replies = harness.engine.takeOutputs().flatMap((output) =>
        output._tag === "Reply" && output.sequence !== sequence ? [waiting.get(output.sequence)!] : []
      )
      assert.strictEqual(replies.length, reached)
      for (const n of replies) assert.isTrue(next > 0 ? n > 0 && n <= next : n < 0 && n >= next)
    }
    assert.strictEqual(harness.object(object).conditions?.places.size, 0)
  })

  const step = Schema.Tuple([
    Schema.Literals([
      "set",
      "setAll",
      "remove",
      "clear",
      "add",
      "hold",
      "end",
      "modify",
      "wait",
      "wait",
      "together",
      "cancel"
    ]),
    Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 11 }))
  ])

  it.prop("releases every call that need not wait any more, whatever it waits for (I4)", [
    Arbitrary.array(Arbitrary.schema(step), { maxLength: 60 })
  ], ([steps]) => {
    const harness = new EngineHarness()
    const main = harness.open()
    let holder: Client | undefined
    const [object, other] = [main.make("Map", "map", { values: "integer" }), main.make("Map", "other")]
    const calls: Array<number> = []
    const conditions = (word: string, n: number) =>
      [
        ["untilEquals", [word, value(n)]],
        ["untilHas", [word]],
        ["untilRemoved", [word]],
        ["untilAtLeast", [word, n]],
        ["untilAtMost", [word, n]],
        ["untilSize", [n % 3, n % 4]]
      ] as const
    for (const [what, n] of steps) {
      const word = `${n % 3}`
      const [condition, args] = conditions(word, n % 4)[n % 6]!
      if (what === "set") main.get(object, "set", [word, value(n % 4)])
      else if (what === "setAll") main.get(object, "setAll", ["0", value(n % 4), word, value(n % 3)])
      else if (what === "remove") main.get(object, n % 2 === 0 ? "remove" : "removeLast", n % 2 === 0 ? [word] : [])
      else if (what === "clear") main.get(object, "clear")
      else if (what === "add") main.get(object, "add", [word, 1])
      else if (what === "modify") main.get(object, "compareAndSet", [word, 0, value(n % 4), 0])
      else if (what === "hold") (holder ??= harness.open()).get(object, "hold", [word, value(n % 4)])
      else if (what === "end") {
        holder?.end()
        holder = undefined
      } else if (what === "wait") calls.push(main.call(object, condition, args))
      else if (what === "together") {
        calls.push(
          main.together([[object, condition, args], [
            other,
            n % 2 === 0 ? "untilHas" : "set",
            n % 2 === 0 ? ["0"] : ["0", value(1)]
          ]])
        )
      } else if (calls[n] !== undefined && main.waits(calls[n])) main.cancel(calls[n])
    }
    for (const call of calls) if (main.waits(call)) main.cancel(call)
    assert.strictEqual(harness.object(object).conditions?.places.size ?? 0, 0)
    const replayed = harness.replay((input) => input % 7 === 0)
    assert.deepStrictEqual([replayed.hash, replayed.outputs], [harness.hash, harness.outputs])
  })

  it("sees values that are equal and have bytes or handles", () => {
    const harness = new EngineHarness()
    const main = harness.open()
    const object = main.make("Map")
    const lock = main.make("Lock")
    const bytes = (n: number) => ({ bytes: Uint8Array.of(n), handles: [] })
    const waiting = [
      main.call(object, "untilEquals", ["a", handleOf(lock)]),
      main.call(object, "untilEquals", ["b", bytes(1)]),
      main.call(object, "untilEquals", ["b", bytes(2)])
    ]
    main.get(object, "set", ["a", handleOf(lock)])
    main.get(object, "set", ["b", bytes(2)])
    assert.deepStrictEqual(waiting.map((call) => main.waits(call)), [false, true, false])
    assert.deepStrictEqual(texts(main.answer(waiting[0]!))[0], "\"handle\"")
  })
})
