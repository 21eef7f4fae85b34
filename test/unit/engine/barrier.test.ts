import { assert, describe, it } from "@effect/vitest"
import { EngineHarness } from "../../support/EngineHarness.ts"

/** Three parties, of which the first two wait. */
const twoWait = () => {
  const harness = new EngineHarness()
  const [first, second, third] = [harness.open(), harness.open(), harness.open()]
  const barrier = first.make("Barrier", "barrier", { parties: 3 })
  const waiting = [[first, first.call(barrier, "await")], [second, second.call(barrier, "await")]] as const
  const answers = () => waiting.map(([client, call]) => client.answer(call))
  return { harness, first, second, third, barrier, answers }
}

describe("a barrier (S-15)", () => {
  it("lets all parties pass in the step in which the last one arrives, in order of arrival", () => {
    const { answers, barrier, third } = twoWait()
    assert.deepStrictEqual(answers(), ["waits", "waits"])
    assert.deepStrictEqual(third.get(barrier, "await"), [2])
    assert.deepStrictEqual(answers(), [[0], [1]])
  })

  it("counts an arrival at once: every one takes an index, and those who look see it", () => {
    const { barrier, harness, third } = twoWait()
    assert.deepStrictEqual(harness.journal.filter(({ cause }) => cause === "entered").map(({ index }) => index), [2, 3])
    assert.deepStrictEqual(third.get(barrier, "status"), [3, 2, 0, 0])
  })

  it("breaks when one of those who wait dies, and says who (F-8.4.6)", () => {
    const { answers, barrier, first, second, third } = twoWait()
    second.end()
    const [broken] = answers()
    assert.match(String(broken), /^BarrierBroken .* session ended$/)
    assert.deepStrictEqual(third.get(barrier, "await"), broken)
    assert.deepStrictEqual(first.get(barrier, "status"), [3, 0, 0, 1])
  })

  it("breaks once when somebody dies who waits more than once", () => {
    const { answers, barrier, first, third } = twoWait()
    const twice = new EngineHarness()
    const [dead, other] = [twice.open(), twice.open()]
    const wide = dead.make("Barrier", "wide", { parties: 4 })
    dead.call(wide, "await")
    dead.call(wide, "await")
    const waiting = other.call(wide, "await")
    dead.end()
    assert.match(String(other.answer(waiting)), /^BarrierBroken/)
    first.get(barrier, "abort")
    assert.match(String(answers()[1]), /aborted$/)
    third.get(barrier, "abort")
    assert.match(String(third.get(barrier, "await")), /aborted$/)
  })

  it("breaks when a registered party dies that does not wait, and not when it has left", () => {
    const { answers, barrier, harness, third } = twoWait()
    const leaver = harness.open()
    const [party] = leaver.get(barrier, "register")
    leaver.get(barrier, "leave", [Number(party), 0])
    leaver.end()
    assert.deepStrictEqual(answers(), ["waits", "waits"])
    third.get(barrier, "register")
    third.end()
    assert.match(String(answers()[0]), /session ended$/)
  })

  it("is whole after a reset, which turns away those who wait and nobody else", () => {
    const { answers, barrier, harness, first, second, third } = twoWait()
    third.get(barrier, "reset")
    assert.deepStrictEqual(answers().map((answer) => String(answer).split(" ").at(-1)), ["reset", "reset"])
    const again = [first, second, third].map((client) => [client, client.call(barrier, "await")] as const)
    assert.deepStrictEqual(again.map(([client, call]) => client.answer(call)), [[0], [1], [2]])
    assert.strictEqual(harness.replay().hash, harness.hash)
  })

  it("breaks when one of those who wait has lost the lock it came under (S-21)", () => {
    const { answers, barrier, harness } = twoWait()
    const [holder, fourth] = [harness.open(), harness.open()]
    const lock = holder.make("Lock", "lock")
    const wide = holder.make("Barrier", "wide", { parties: 3 })
    const [token] = holder.get(lock, "acquire")
    const waiting = holder.call(wide, "await", [], [Number(token)])
    holder.get(lock, "release", [Number(token)])
    assert.isTrue(holder.waits(waiting))
    const other = fourth.call(wide, "await")
    assert.match(String(holder.answer(waiting)), /^FencedOut/)
    assert.match(String(fourth.answer(other)), /fenced out$/)
    assert.deepStrictEqual(answers(), ["waits", "waits"])
    assert.isDefined(barrier)
  })

  it("that was reset is whole, though one whom the reset turned away had lost its lock meanwhile (S-21)", () => {
    const { barrier, harness, third } = twoWait()
    const holder = harness.open()
    const lock = holder.make("Lock")
    const [token] = holder.get(lock, "acquire") as ReadonlyArray<number>
    third.get(barrier, "reset")
    const waiting = holder.call(barrier, "await", [], [token!])
    holder.get(lock, "release", [token!])
    third.get(barrier, "reset")
    assert.match(String(holder.answer(waiting)), /^FencedOut/)
    assert.deepStrictEqual(third.get(barrier, "status"), [3, 0, 0, 0])
  })
})
