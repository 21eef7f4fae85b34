/** Grants that end by themselves, of any durations: at their deadlines, the first to end first. */
import * as Format from "#core/engine/Format.ts"
import { kindOf } from "#core/engine/Kind.ts"
import { operationsOf, ready, refuse } from "#core/engine/Operation.ts"
import { count } from "#core/engine/Parameter.ts"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { EngineHarness } from "../../support/EngineHarness.ts"

const { change, grant } = operationsOf<object>()

/** A kind whose leases last as long as the caller says. */
const lease = kindOf<object>()({
  name: "Lease",
  lanes: [],
  operations: {
    begin: grant({
      parameters: [count],
      apply: (_, [milliseconds], at) => {
        at.expire(milliseconds)
        return [at.index]
      }
    }),
    end: change({
      parameters: [count],
      settles: true,
      decide: (_, [id], at) => at.held(id) === undefined ? refuse("NotHeld", id) : ready,
      apply: (_, [id], at) => {
        at.settle(id)
        return []
      }
    })
  },
  options: {},
  initial: () => ({}),
  pristine: () => true,
  values: () => [],
  version: 1,
  format: Format.struct({}),
  check: () => []
})

const step = Schema.Tuple([
  Schema.Literals(["begin", "begin", "begin", "end", "time", "delete"]),
  Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 }))
])

describe("grants with deadlines", () => {
  it.prop("end at them, in their order and of equal ones by age, unless they were settled before", [
    Arbitrary.array(Arbitrary.schema(step), { maxLength: 60 })
  ], ([steps]) => {
    const harness = new EngineHarness({}, [lease])
    const client = harness.open()
    const objects = [client.make("Lease"), client.make("Lease")]
    let naive: Array<{ readonly id: number; readonly object: number; readonly deadline: number }> = []
    let now = 0
    for (const [what, n] of steps) {
      const object = objects[n % objects.length]!
      if (what === "begin") {
        const [id] = client.get(object, "begin", [n]) as ReadonlyArray<number>
        naive.push({ id: id!, object, deadline: now + n })
      } else if (what === "end" && naive.length > 0) {
        const [{ id, object }] = naive.splice(n % naive.length, 1) as [typeof naive[number]]
        client.get(object, "end", [id])
      } else if (what === "delete") {
        client.get(0, "delete", [object])
        naive = naive.filter((lease) => lease.object !== object)
        objects[n % objects.length] = client.make("Lease")
      } else {
        now += n
        const before = harness.journal.length
        harness.time(now)
        const due = naive.filter(({ deadline }) => deadline <= now)
        assert.deepStrictEqual(
          harness.journal.slice(before).map(({ cause, reply: [id] }) => [cause, id]),
          due.toSorted((a, b) => a.deadline - b.deadline || a.id - b.id).map(({ id }) => ["revoked", id])
        )
        naive = naive.filter(({ deadline }) => deadline > now)
      }
      const next = naive.length === 0 ? undefined : Math.min(...naive.map(({ deadline }) => deadline))
      assert.strictEqual(harness.engine.nextDeadline, next)
    }
  }, { arbitrary: { runs: 200, size: 60 } })
})
