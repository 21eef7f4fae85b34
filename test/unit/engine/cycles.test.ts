/** Requests that wait for one another (`Deadlock.ts`): the one that closes the cycle is refused, and no other one. */
import { assert, describe, it } from "@effect/vitest"
import { type Client, EngineHarness } from "../../support/EngineHarness.ts"

/** The token of a call that grants one at once. */
const token = (reply: ReadonlyArray<unknown> | string): number => Number(reply[0])

/** Sessions, each under a lock of its own: the nth holds the nth lock. */
const holders = (count: number, options: Readonly<Record<string, number>> = {}) => {
  const harness = new EngineHarness()
  const clients = Array.from({ length: count }, () => harness.open())
  const locks = clients.map((client, i) => client.make("Lock", `lock ${i}`, options))
  const tokens = clients.map((client, i) => token(client.get(locks[i]!, "acquire")))
  /** The nth session wants a lock, under its own. */
  const want = (n: number, lock: number, stalls = 1) =>
    clients[n]!.call(locks[lock]!, "acquire", [], [tokens[n]!], stalls)
  return { harness, clients, locks, tokens, want }
}

const replayed = (harness: EngineHarness): void => {
  const { hash, outputs } = harness.replay(() => true)
  assert.deepStrictEqual([hash, outputs], [harness.hash, harness.outputs])
}

describe("a cycle of locks", () => {
  for (const length of [2, 3, 7]) {
    it(`of ${length} sessions refuses the request that closes it, which names all of it`, () => {
      const { clients, harness, locks, tokens, want } = holders(length)
      const waiting = Array.from({ length: length - 1 }, (_, n) => want(n, n + 1))
      const last = want(length - 1, 0)
      const own = length - 1
      const told = [own, ...Array.from({ length: own }, (_, n) => n)].flatMap((
        n
      ) => ["Lock", `lock ${n}`, `client ${n + 1}`, 0, clients[n]!.session, tokens[n]!])
      assert.strictEqual(clients[own]!.answer(last), ["DeadlockDetected", length, ...told].join(" "))
      assert.isTrue(waiting.every((call, n) => clients[n]!.waits(call)))
      // Its hold ends, and all go on one after the other.
      clients[own]!.get(locks[own]!, "release", [tokens[own]!])
      assert.isFalse(clients[own - 1]!.waits(waiting[own - 1]!))
      replayed(harness)
    })
  }

  it("is refused again when the request is made again", () => {
    const { clients, want } = holders(2)
    want(0, 1)
    for (let i = 0; i < 3; i++) assert.include(clients[1]!.answer(want(1, 0)), "DeadlockDetected")
  })

  it("of one session, whose lock is wanted under itself", () => {
    const { clients, want } = holders(1)
    assert.include(clients[0]!.answer(want(0, 0)), "DeadlockDetected 1 Lock lock 0")
  })

  it("is told in part if it is long", () => {
    const { clients, want } = holders(40)
    for (let n = 0; n < 39; n++) want(n, n + 1)
    const told = clients[39]!.answer(want(39, 0))
    assert.match(String(told), /^DeadlockDetected 40 Lock lock 39 /)
    assert.strictEqual(String(told).split("Lock").length - 1, 16)
  })
})

describe("no deadlock", () => {
  /** Begin a wait of the second session that would close a cycle, if there were one. */
  const waits: Readonly<Record<string, (cycle: ReturnType<typeof holders>) => number>> = {
    "a chain": ({ want }) => {
      want(2, 0)
      return want(1, 2)
    },
    "a cycle in which a body may go on: another fiber of it has made the call": ({ want }) => {
      want(0, 1, 0)
      return want(1, 0)
    },
    "a cycle that is closed by another fiber of a body": ({ want }) => {
      want(0, 1)
      return want(1, 0, 0)
    },
    "a cycle of holds that end by themselves": ({ want }) => {
      want(0, 1)
      return want(1, 0)
    },
    "a cycle under a hold that ends by itself": ({ clients, locks, tokens, want }) => {
      const bounded = clients[0]!.make("Lock", "bounded", { holdFor: 1_000 })
      const outer = token(clients[0]!.get(bounded, "acquire"))
      clients[0]!.call(locks[1]!, "acquire", [], [outer, tokens[0]!], 2)
      return want(1, 0)
    },
    "a cycle whose hold has been lost": ({ clients, locks, tokens, want }) => {
      const other = clients[0]!.make("Lock", "other")
      const lost = token(clients[0]!.get(other, "acquire"))
      clients[0]!.call(locks[1]!, "acquire", [], [lost, tokens[0]!], 2)
      clients[2]!.get(0, "delete", [other])
      return want(1, 0)
    },
    "a call that has left the cycle": ({ clients, want }) => {
      clients[0]!.cancel(want(0, 1))
      return want(1, 0)
    },
    "a wait for what anybody may change": ({ clients, tokens, want }) => {
      const queue = clients[0]!.make("Queue", "queue", { capacity: 1, attempts: 1 })
      clients[0]!.call(queue, "take", [], [tokens[0]!], 1)
      return want(1, 0)
    },
    "what a client says of holds that it does not have": ({ clients, locks, tokens }) => {
      clients[0]!.call(locks[1]!, "acquire", [], [tokens[2]!, tokens[0]!], 9)
      return clients[1]!.call(locks[0]!, "acquire", [], [tokens[0]!], 1)
    }
  }
  for (const [name, close] of Object.entries(waits)) {
    it(`is ${name}`, () => {
      const cycle = holders(3, name.endsWith("end by themselves") ? { holdFor: 1_000 } : {})
      const call = close(cycle)
      assert.isTrue(cycle.clients[1]!.waits(call))
      replayed(cycle.harness)
    })
  }
})

describe("a cycle with permits", () => {
  const setUp = (permits: number) => {
    const harness = new EngineHarness()
    const open = (): readonly [Client, number, number] => {
      const client = harness.open()
      const lock = client.make("Lock", `lock ${client.session}`)
      return [client, lock, token(client.get(lock, "acquire"))]
    }
    const main = harness.open()
    const semaphore = main.make("Semaphore", "slots", { permits })
    const acquire = (client: Client, permits: number, ...guard: ReadonlyArray<number>) =>
      client.call(semaphore, "acquire", [permits], guard, guard.length)
    return { harness, open, semaphore, acquire }
  }

  it("is one when those that may go on do not hold enough", () => {
    const { acquire, harness, open } = setUp(3)
    const [[a, , lockOfA], [b, lock, lockOfB], [c]] = [open(), open(), open()]
    const permit = token(a.answer(acquire(a, 1, lockOfA)))
    acquire(c, 1)
    // It waits for the lock of b, with one permit of three. Three cannot be free, but two can.
    a.call(lock, "acquire", [], [lockOfA, permit], 2)
    assert.isTrue(b.waits(acquire(b, 2, lockOfB)))
    replayed(harness)
    const other = setUp(3)
    const [[d, , lockOfD], [e, its, lockOfE]] = [other.open(), other.open()]
    const held = token(d.answer(other.acquire(d, 1, lockOfD)))
    d.call(its, "acquire", [], [lockOfD, held], 2)
    assert.match(String(e.answer(other.acquire(e, 3, lockOfE))), /^DeadlockDetected 2 Lock .* Semaphore slots /)
    replayed(other.harness)
  })

  it("is none when a holder waits for one that may go on", () => {
    for (const isLast of [true, false]) {
      const { acquire, harness, open } = setUp(3)
      const [[a, , lockOfA], [b, lock, lockOfB], [c, , lockOfC], [, busy]] = [open(), open(), open(), open()]
      const holders = isLast ? [a, c] : [c, a]
      const permits = new Map(holders.map((client) => [client, token(client.answer(acquire(client, 1)))]))
      a.call(lock, "acquire", [], [lockOfA, permits.get(a)!], 2)
      c.call(busy, "acquire", [], [lockOfC, permits.get(c)!], 2)
      // The holder of the busy lock may release it, then c its permit.
      const call = acquire(b, 2, lockOfB)
      assert.isTrue(b.waits(call))
      replayed(harness)
    }
  })

  it("is one when every holder wants one permit more", () => {
    const { acquire, harness, open } = setUp(4)
    const clients = Array.from({ length: 4 }, () => open()[0])
    const tokens = clients.map((client) => token(client.answer(acquire(client, 1))))
    const calls = clients.map((client, i) => acquire(client, 1, tokens[i]!))
    assert.deepStrictEqual(calls.map((call, i) => clients[i]!.waits(call)), [true, true, true, false])
    assert.include(clients[3]!.answer(calls[3]!), "DeadlockDetected")
    replayed(harness)
  })
})

describe("the search", () => {
  it("costs the last of many waiters as much as the first", () => {
    const { clients, harness, locks, tokens, want } = holders(100)
    let reads = 0
    const state = harness.object(locks[0]!).state as object
    const holder = tokens[0]!
    Object.defineProperty(state, "holder", { get: () => (reads++, holder), set: () => {}, enumerable: true })
    const cost = (n: number): number => {
      reads = 0
      const { session } = clients[n]!
      const calls = [{ object: locks[0]!, operation: 0, args: [] }]
      harness.engine.step({ _tag: "Request", session, sequence: 9, guard: [tokens[n]!], stalls: 1, calls })
      return reads
    }
    // The holder waits, too, for one that may go on.
    want(0, 99)
    const first = cost(1)
    for (let n = 2; n < 98; n++) cost(n)
    assert.strictEqual(harness.engine.state.stalled.size, 98)
    assert.strictEqual(cost(98), first)
  })
})
