import { Random } from "#core/testing/Random.ts"
import { certify } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "vitest"
import { type Client, EngineHarness, value } from "../../support/EngineHarness.ts"

/** Two clients, a number, a queue with room for one item, two locks. */
const setUp = () => {
  const harness = new EngineHarness()
  const [one, two] = [harness.open(), harness.open()]
  return {
    harness,
    one,
    two,
    number: one.make("Ref", "number", { value: "" }, value(1)),
    queue: one.make("Queue", "queue", { capacity: 1, attempts: 3 }),
    left: one.make("Lock", "left"),
    right: one.make("Lock", "right")
  }
}

const acquire = (client: Client, lock: number): number => Number(client.get(lock, "acquire")[0])

describe("calls that take effect together", () => {
  it("take consecutive indexes and have one reply, with the index of each (S-4)", () => {
    const { harness, number, one, queue } = setUp()
    const { index } = harness.engine.state
    const both = one.together([[number, "set", ["value", value(2)]], [queue, "offer", [value(7)]]])
    assert.deepStrictEqual(one.answer(both), [index + 1, 0, index + 2, 0])
    assert.deepStrictEqual(harness.journal.slice(index).map(({ call, operation }) => [call, operation]), [
      [0, "set"],
      [1, "offer"]
    ])
  })

  it("have no effect if one is refused, and the reply tells which (S-2)", () => {
    const { harness, number, one, queue } = setUp()
    one.get(queue, "close")
    const { index } = harness.engine.state
    const both = one.together([[number, "set", ["value", value(2)]], [queue, "offer", [value(7)]]])
    assert.strictEqual(one.answer(both), "QueueClosed 1")
    assert.strictEqual(harness.engine.state.index, index)
  })

  it("wait as one request, hold nothing meanwhile, and go when the last of what they need is there (S-13)", () => {
    const { left, number, one, queue, right, two } = setUp()
    const token = acquire(one, left)
    one.get(queue, "offer", [value(0)])
    const all = two.together([
      [left, "acquire"],
      [right, "acquire"],
      [queue, "offer", [value(1)]],
      [number, "set", ["value", value(2)]]
    ])
    assert.isTrue(two.waits(all))
    assert.deepStrictEqual(one.get(right, "isHeld"), [0])
    one.get(left, "release", [token])
    assert.isTrue(two.waits(all))
    assert.deepStrictEqual(one.get(left, "isHeld"), [0])
    one.get(queue, "take")
    assert.isFalse(two.waits(all))
    assert.deepStrictEqual([one.get(left, "isHeld"), one.get(right, "isHeld")], [[1], [1]])
    assert.deepStrictEqual(one.get(queue, "size"), [1, 0])
  })

  it("are overtaken by nobody that came after them, where they wait", () => {
    const { left, one, right, two } = setUp()
    const [first, second] = [acquire(one, left), acquire(one, right)]
    const both = two.together([[left, "acquire"], [right, "acquire"]])
    const behind = one.call(left, "acquire")
    one.get(left, "release", [first])
    assert.isTrue(one.waits(behind))
    one.get(right, "release", [second])
    assert.deepStrictEqual([two.waits(both), one.waits(behind)], [false, true])
  })

  it("do not wait for one another, in whatever order they ask for the same objects", () => {
    const { harness, left, one, right, two } = setUp()
    const third = harness.open()
    const token = acquire(one, left)
    const waiting = two.together([[left, "acquire"], [right, "acquire"]])
    const other = acquire(one, right)
    const crossed = third.together([[right, "acquire"], [left, "acquire"]])
    one.get(right, "release", [other])
    one.get(left, "release", [token])
    assert.deepStrictEqual([two.waits(waiting), third.waits(crossed)], [false, true])
    two.end()
    assert.isFalse(third.waits(crossed))
  })

  it("change what others wait for one request after the other, though they go on in one step (S-29)", () => {
    type Way = (
      client: Client
    ) => { readonly call: Parameters<Client["together"]>[0][number]; readonly release: () => unknown }
    const ways: Record<string, Way> = {
      "in a lane of changes": (client: Client) => {
        const places = client.make("Semaphore", "places", { permits: 2 })
        const [token] = client.get(places, "acquire", [2])
        return { call: [places, "acquire", [1]], release: () => client.get(places, "release", [token!]) }
      },
      "in a lane of reads": (client: Client) => {
        const gate = client.make("Ref", "gate", { value: "" }, value(0))
        const [reservation] = client.get(gate, "reserve", ["value"])
        return { call: [gate, "pass", [0]], release: () => client.get(gate, "endReservation", [reservation!]) }
      },
      "for a condition": (client: Client) => {
        const flag = client.make("Ref", "flag", { value: "" }, value(0))
        return {
          call: [flag, "untilEquals", ["value", value(1)]],
          release: () => client.get(flag, "set", ["value", value(1)])
        }
      }
    }
    for (const [name, way] of Object.entries(ways)) {
      const { number, one, two } = setUp()
      const { call, release } = way(one)
      const seen = [2, 3].map((n) => one.call(number, "untilEquals", ["value", value(n)]))
      for (const n of [2, 3]) two.together([call, [number, "set", ["value", value(n)]]])
      release()
      assert.deepStrictEqual(seen.map((sequence) => one.waits(sequence)), [false, false], name)
    }
  })

  it("leave every lane at once when they are cancelled, or their session ends (S-10, S-11)", () => {
    for (const end of ["cancel", "end"] as const) {
      const { left, one, queue, two } = setUp()
      const token = acquire(one, left)
      two.together([[left, "acquire"], [queue, "take"]])
      const behind = one.call(queue, "take")
      one.get(queue, "offer", [value(1)])
      assert.isTrue(one.waits(behind))
      if (end === "cancel") assert.strictEqual(two.cancel(1), "withdrawn")
      else two.end()
      assert.deepStrictEqual(one.answer(behind), [value(1)])
      one.get(left, "release", [token])
      assert.deepStrictEqual(one.get(left, "isHeld"), [0])
    }
  })

  it("give back all that they were granted when they are cancelled after that (S-10)", () => {
    const { left, one, right } = setUp()
    const both = one.together([[left, "acquire"], [right, "acquire"]])
    assert.strictEqual(one.cancel(both), "compensated")
    assert.deepStrictEqual([one.get(left, "isHeld"), one.get(right, "isHeld")], [[0], [0]])
  })

  it("that would be refused by now are refused when what they wait for is there, and not before", () => {
    const { number, one, queue, two } = setUp()
    one.get(queue, "offer", [value(0)])
    const version = Number(one.get(number, "get", ["value"])[1])
    const both = two.together([[number, "check", ["value", version]], [queue, "offer", [value(1)]]])
    one.get(number, "set", ["value", value(2)])
    assert.isTrue(two.waits(both))
    one.get(queue, "take")
    assert.strictEqual(two.answer(both), "Conflict 0")
    assert.deepStrictEqual(one.get(queue, "size"), [0, 0])
  })

  it("fail when one of their objects is deleted, whether they wait for it or not (S-27)", () => {
    for (const position of [0, 1]) {
      const { harness, left, one, right, two } = setUp()
      acquire(one, left)
      const both = two.together([[left, "acquire"], [right, "acquire"]])
      one.get(0, "delete", [position === 0 ? left : right])
      assert.strictEqual(two.answer(both), `ObjectDeleted ${position}`)
      assert.strictEqual(harness.engine.state.joint.size, 0)
    }
  })

  it("are fenced out as one when a hold in their guard has ended (I5)", () => {
    const { left, number, one, queue, two } = setUp()
    const token = acquire(one, left)
    one.get(queue, "offer", [value(0)])
    const guarded = one.together([[number, "set", ["value", value(2)]], [queue, "offer", [value(1)]]], [token])
    one.get(left, "release", [token])
    two.get(queue, "take")
    assert.strictEqual(one.answer(guarded), `FencedOut 0 ${token}`)
    assert.deepStrictEqual(one.get(queue, "size"), [0, 0])
  })

  it("may read an object before the call that changes it, and are decided as one", () => {
    const { number, one } = setUp()
    const read = [number, "check", ["value", 0]] as const
    const change = [number, "set", ["value", value(1)]] as const
    assert.notInclude(String(one.answer(one.together([read, [number, "get", ["value"]], change]))), "InvalidArguments")
    assert.strictEqual(one.answer(one.together([read, change])), "Conflict 0")
  })

  it("must change distinct shared objects, not too many, and none that changes something by waiting", () => {
    const { left, number, one } = setUp()
    const barrier = one.make("Barrier", "barrier", { parties: 2 })
    const get = [number, "get", ["value"]] as const
    const refused = (calls: Parameters<Client["together"]>[0]) => String(one.answer(one.together(calls)))
    const set = [number, "set", ["value", value(1)]] as const
    assert.include(refused([set, set]), "distinct")
    assert.include(refused([set, get]), "distinct")
    assert.include(refused([get, [0, "delete", [left]]]), "distinct")
    assert.include(refused([get, [barrier, "await"]]), "await cannot be called together")
    assert.include(refused([]), "without a call")
    assert.include(refused(Array.from({ length: 257 }, () => get)), "LimitExceeded 0 callsPerRequestMax 256")
    assert.strictEqual(refused([get, [left, "nonsense"]]), "UnknownOperation 1 Lock")
    assert.strictEqual(refused([get, [999, "get"]]), "ObjectNotFound 1")
    assert.strictEqual(refused([[999, "get"], [999, "get"]]), "ObjectNotFound 0")
  })
})

describe("any sequence of calls, alone and together", () => {
  const run = (seed: number): EngineHarness => {
    const random = new Random(seed)
    const harness = new EngineHarness()
    const main = harness.open()
    const make = [
      (name: string) => main.make("Ref", name, { value: "" }, value(0)),
      (name: string) => main.make("Queue", name, { capacity: 1, attempts: 2 }),
      (name: string) => main.make("Lock", name),
      (name: string) => main.make("Semaphore", name, { permits: 2 })
    ]
    const objects = Array.from({ length: 6 }, (_, i) => make[i % make.length]!(`${i}`))
    const call = (
      object: number
    ): readonly [number, string, ReadonlyArray<number | string | ReturnType<typeof value>>] => {
      switch (harness.engine.state.objects.get(object)?.kind.name) {
        case "Ref":
          return random.chance(0.5) ? [object, "set", ["value", value(random.below(9))]] : [object, "get", ["value"]]
        case "Queue":
          return random.pick([
            [object, "offer", [value(random.below(9))]],
            [object, "take", []],
            [object, "takeLease", []],
            [object, "untilEmpty", []],
            [object, "poll", []]
          ])
        case "Lock":
          return [object, random.pick(["acquire", "acquire", "tryAcquire", "isHeld"]), []]
        default:
          return [object, "acquire", [1 + random.below(2)]]
      }
    }
    const release = (client: Client) => {
      for (const { id, object } of harness.engine.state.sessions.get(client.session)?.grants.values() ?? []) {
        const kind = harness.engine.state.objects.get(object)!.kind.name
        if (random.chance(0.4)) client.call(object, kind === "Queue" ? "ack" : "release", [id])
      }
    }
    let clients = [harness.open(), harness.open(), harness.open()]
    for (let i = 0; i < 120; i++) {
      const client = random.pick(clients)
      const holds = [...harness.engine.state.sessions.get(client.session)!.grants.values()]
        .filter(({ object }) => harness.object(object).kind.name === "Lock")
      const guard = random.chance(0.2) ? holds.slice(0, 1).map(({ id }) => id) : []
      const chosen = objects.filter(() => random.chance(0.4))
      if (chosen.length > 0 && random.chance(0.7)) client.together(chosen.map(call), guard)
      if (random.chance(0.3)) client.cancel(1 + random.below(40))
      if (random.chance(0.3)) client.acknowledge(1, random.below(40))
      if (random.chance(0.8)) release(client)
      if (random.chance(0.02)) main.get(0, "delete", [random.pick(objects)])
      if (random.chance(0.05)) {
        client.end()
        clients = [...clients.filter((other) => other !== client), harness.open()]
      }
    }
    for (const client of clients) client.end()
    return harness
  }

  it("keeps I1 to I5 at every step, is certified, replays, and leaves nobody waiting (S-2, S-31)", () => {
    let waited = 0
    for (let seed = 1; seed <= 150; seed++) {
      const harness = run(seed)
      waited += harness.outputs.filter(({ _tag }) => _tag === "Parked").length
      assert.deepStrictEqual(certify(harness.history), [], `seed ${seed}`)
      assert.strictEqual(harness.replay().hash, harness.hash, `seed ${seed}`)
      assert.strictEqual(harness.engine.state.joint.size, 0, `seed ${seed}`)
    }
    assert.isAbove(waited, 1_000)
  })
})
