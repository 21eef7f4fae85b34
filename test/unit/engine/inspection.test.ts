/** What a manager tells of itself, page by page and as it changes, whatever happens meanwhile. */
import type { Inspection } from "#core/engine/Inspection.ts"
import * as Lane from "#core/engine/Lane.ts"
import { OrderedMap } from "#core/engine/OrderedMap.ts"
import { type Argument, bytesMaxOf, type ObjectId } from "#core/engine/Value.ts"
import { Random } from "#core/testing/Random.ts"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { budget } from "../../support/budget.ts"
import { type Client, EngineHarness, value } from "../../support/EngineHarness.ts"

const int = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))

const steps = Arbitrary.array(Arbitrary.schema(int(0xffff_ffff)), { maxLength: 120 })

/** A harness whose clients come and go, make objects, hold them, wait for them and give up, at random. */
class Crowd {
  readonly harness = new EngineHarness()
  /** Stays, and keeps what all use. */
  readonly reader = this.harness.open()
  readonly semaphore = this.reader.make("Semaphore", "semaphore", { permits: 6 })
  readonly condition = this.reader.make("Condition", "condition")
  readonly queue = this.reader.make("Queue", "queue", { capacity: 1, attempts: 9 })
  readonly #clients: Array<Client> = []
  readonly #made: Array<ObjectId> = []
  readonly #calls: Array<readonly [Client, number]> = []

  act(random: Random): void {
    const client = random.pick(this.#clients)
    const what = random.below(20)
    if (client === undefined || what < 2) this.#clients.push(this.harness.open())
    else if (what < 3) this.#clients.splice(this.#clients.indexOf(client), 1)[0]!.end()
    else if (what < 6) this.#made.push(this.reader.make("Lock", random.pick([null, null, "lock"])))
    else if (what < 8) this.#remove(random)
    else if (what < 10) {
      for (let i = random.below(3); i >= 0; i--) this.#call(client, this.semaphore, "acquire", [1 + random.below(2)])
    } else if (what < 13) this.#useCondition(client, random)
    else if (what < 17) this.#useQueue(client, random)
    else {
      const [caller, sequence] = random.pick(this.#calls) ?? [client, 0]
      if (this.harness.engine.state.sessions.has(caller.session)) caller.cancel(sequence)
    }
  }

  #call(client: Client, object: ObjectId, operation: string, args: ReadonlyArray<Argument>): void {
    this.#calls.push([client, client.call(object, operation, args)])
  }

  #remove(random: Random): void {
    if (this.#made.length === 0) return
    const [object] = this.#made.splice(random.below(this.#made.length), 1)
    if (random.chance(1 / 2)) this.reader.drop(object!)
    else this.reader.get(0, "delete", [object!])
  }

  #useCondition(client: Client, random: Random): void {
    const holds = [...this.harness.object(this.condition).grants.values()]
    const hold = holds.find(({ session }) => session === client.session)
    if (hold === undefined) this.#call(client, this.condition, "acquire", [])
    else {
      const [operation, ...more] = random.pick([["wait"], ["wait"], ["notify", 2], ["release"]] as const)!
      this.#call(client, this.condition, operation, [hold.id, ...more])
    }
  }

  #useQueue(client: Client, random: Random): void {
    const operation = random.pick(["offer", "offer", "untilEmpty", "untilEmpty", "take"] as const)!
    this.#call(client, this.queue, operation, operation === "offer" ? [value(0)] : [])
  }
}

type Listing = keyof typeof keys

const keys = { sessions: "id", objects: "id", details: "id", holders: "token", waiters: "arrival" } as const

interface Row {
  readonly key: number
  readonly info: Readonly<Record<string, unknown>>
  readonly bytes: number
}

/** One page: its rows, and whether there are more. */
const pageOf = (client: Client, listing: Listing, args: ReadonlyArray<number>) => {
  const [more, ...rows] = client.get(0, listing, args) as ReadonlyArray<Argument>
  return {
    hasMore: more === 1,
    rows: rows.map((row): Row => {
      const info = JSON.parse(String(row))
      return { key: info[keys[listing]], info, bytes: bytesMaxOf(row) }
    })
  }
}

/** All rows, in one page after the other. */
const list = (client: Client, listing: Listing, args: ReadonlyArray<number>, bytesMax: number) => {
  const all: Array<Row> = []
  for (let hasMore = true; hasMore;) {
    const page = pageOf(client, listing, [...args, all.at(-1)?.key ?? 0, bytesMax])
    all.push(...page.rows)
    hasMore = page.hasMore
  }
  return all.map(({ info }) => info)
}

describe("pages", () => {
  it.prop("have what is there throughout once, in order, and nothing that is not there", [
    Arbitrary.schema(Schema.Literals(["sessions", "objects", "holders", "waiters of a queue", "waiters"])),
    Arbitrary.schema(Schema.Literals([0, 700, 2_000])),
    steps
  ], ([what, bytesMax, seeds]) => {
    const crowd = new Crowd()
    const { harness: { engine: { state } }, reader } = crowd
    const [listing, target] = ({
      "sessions": ["sessions", []],
      "objects": ["objects", []],
      "holders": ["holders", [crowd.semaphore]],
      "waiters": ["waiters", [crowd.condition]],
      "waiters of a queue": ["waiters", [crowd.queue]]
    } satisfies Record<string, readonly [Listing, ReadonlyArray<number>]>)[what]
    const object = state.objects.get(target[0] ?? 0)!
    const present = (): ReadonlySet<number> =>
      new Set({
        sessions: () => state.sessions.keys(),
        objects: () => [...state.objects.keys()].filter((id) => id !== 0),
        holders: () => object.grants.keys(),
        waiters: () =>
          [...object.lanes.values()].flatMap((lane) => Array.from(Lane.places(lane), (place) => place.parked.arrival))
      }[listing]())
    let seen: Array<number> = []
    let throughout = present()
    const read = (): boolean => {
      const { hasMore, rows } = pageOf(reader, listing, [...target, seen.at(-1) ?? 0, bytesMax])
      const there = present()
      assert.deepStrictEqual(rows.filter(({ key }) => !there.has(key)), [])
      seen.push(...rows.map(({ key }) => key))
      if (hasMore) return true
      assert.deepStrictEqual(seen, [...new Set(seen)].toSorted((a, b) => a - b))
      assert.deepStrictEqual([...throughout].filter((key) => !seen.includes(key)), [])
      seen = []
      throughout = present()
      return false
    }
    for (const seed of seeds) {
      const random = new Random(seed)
      if (random.chance(1 / 4)) read()
      else crowd.act(random)
      const now = present()
      throughout = new Set([...throughout].filter((key) => now.has(key)))
    }
    while (read());
  }, { arbitrary: { runs: budget(150), size: 120 } })

  it("are no larger than they may be, unless one row is, and than the manager's own bound", () => {
    const { harness, semaphore } = new Crowd()
    const client = harness.open()
    for (let i = 0; i < 2_000; i++) {
      // Past the invariants, which cost the whole state each time.
      const calls = [{ object: semaphore, operation: 0, args: [1] }]
      harness.engine.step({ _tag: "Request", session: client.session, sequence: i + 1, guard: [], stalls: 0, calls })
    }
    harness.engine.takeOutputs()
    const reader = harness.open()
    const sizes = [0, 5_000, Number.MAX_SAFE_INTEGER].map((bytesMax) => {
      const { hasMore, rows } = pageOf(reader, "waiters", [semaphore, 0, bytesMax])
      assert.isTrue(hasMore)
      return { rows: rows.length, bytes: rows.reduce((sum, { bytes }) => sum + bytes, 0) }
    })
    assert.strictEqual(sizes[0]!.rows, 1)
    assert.isTrue(sizes[1]!.rows > 1 && sizes[1]!.bytes <= 5_000)
    assert.isTrue(sizes[2]!.bytes <= 192 * 1024)
    assert.strictEqual(list(reader, "waiters", [semaphore], 5_000).length, 1_994)
  })

  it("of sessions are by id, without those that have ended", () => {
    const harness = new EngineHarness()
    const reader = harness.open()
    const [, gone] = [harness.open(), harness.open(), harness.open()]
    gone.end()
    assert.deepStrictEqual(list(reader, "sessions", [], 0).map(({ id }) => id), [1, 2, 4])
  })

  it("tell what holders and waiters do, and nothing of an object that is gone", () => {
    const { harness, queue, reader, semaphore } = new Crowd()
    const other = harness.open()
    const token = Number(reader.get(semaphore, "acquire", [6])[0])
    harness.time(1_000)
    other.call(semaphore, "acquire", [2])
    harness.time(3_500.5)
    const main = { session: reader.session, name: `client ${reader.session}`, pid: 0 }
    assert.deepStrictEqual(list(other, "holders", [semaphore], 0), [{ ...main, token, heldMs: 3_500 }])
    const waiter = { session: other.session, name: `client ${other.session}`, pid: 0 }
    assert.deepStrictEqual(list(reader, "waiters", [semaphore], 0), [{
      ...waiter,
      operation: "acquire",
      arrival: 1,
      waitedMs: 2_500
    }])
    other.get(queue, "offer", [value(0)])
    other.call(queue, "offer", [value(1)])
    reader.call(queue, "untilEmpty")
    other.call(queue, "offer", [value(2)])
    const operations = list(reader, "waiters", [queue], 0).map(({ operation }) => operation)
    assert.deepStrictEqual(operations, ["offer", "untilEmpty", "offer"])
    reader.get(0, "delete", [queue])
    assert.deepStrictEqual([list(reader, "waiters", [queue], 0), list(reader, "holders", [queue], 0)], [[], []])
  })
})

describe("an inspection", () => {
  it.prop("of one instant says what the pages and the counts say", [steps], ([seeds]) => {
    const crowd = new Crowd()
    for (const seed of seeds) crowd.act(new Random(seed))
    const { reader } = crowd
    const whole: Inspection = JSON.parse(String(reader.get(0, "inspect", [1e9])[0]))
    assert.deepStrictEqual<unknown>(list(reader, "sessions", [], 500), whole.sessions)
    assert.deepStrictEqual<unknown>(
      list(reader, "objects", [], 500).map((object) => ({
        ...object,
        waiters: list(reader, "waiters", [Number(object["id"])], 500),
        holders: list(reader, "holders", [Number(object["id"])], 500)
      })),
      whole.objects
    )
    assert.deepStrictEqual<unknown>(
      list(reader, "details", [], 500),
      whole.objects.map((object) => ({
        ...object,
        waiters: object.waiters.slice(0, 10),
        holders: object.holders.slice(0, 10)
      }))
    )
    const { counts: { holders, objects, sessions, waiters }, epoch, index } = whole
    assert.deepStrictEqual(reader.get(0, "counts"), [sessions, objects, waiters, holders])
    assert.deepStrictEqual([sessions, objects], [whole.sessions.length, whole.objects.length])
    assert.strictEqual(whole.objects.reduce((sum, { waiting }) => sum + waiting, 0), waiters)
    assert.strictEqual(whole.objects.reduce((sum, { held }) => sum + held, 0), holders)
    assert.deepStrictEqual([epoch, index], [1, crowd.harness.engine.state.index])
  }, { arbitrary: { runs: budget(25), size: 120 } })

  it("is not told in one piece if it is of more than 1,000 rows, or larger than it may be", () => {
    const harness = new EngineHarness()
    const client = harness.open()
    assert.deepStrictEqual(client.get(0, "inspect", [100]), [null])
    for (let i = 0; i < 999; i++) {
      const calls = [{ object: 0, operation: 0, args: ["Latch", "", null, 0] }]
      harness.engine.step({ _tag: "Request", session: client.session, sequence: i + 10, guard: [], stalls: 0, calls })
    }
    harness.engine.takeOutputs()
    const reader = harness.open()
    assert.deepStrictEqual(reader.get(0, "inspect", [1e9]), [null])
    client.end()
    assert.notDeepEqual(reader.get(0, "inspect", [1e9]), [null])
  })
})

describe("one that watches the directory", () => {
  /** The objects that follow from what it was told, read from the list whenever it was told to begin anew. */
  const fold = (crowd: Crowd, known: Set<number>, event: string): void => {
    const [what, id, kind] = event.split(" ")
    if (what === "reset") {
      known.clear()
      for (const { id } of list(crowd.reader, "objects", [], 700)) known.add(Number(id))
    } else if (kind === undefined) known.delete(Number(id))
    else known.add(Number(id))
  }

  it.prop("is told of each object that is created or removed, or to read the list again (S-29)", [
    steps,
    Arbitrary.schema(int(3))
  ], ([seeds, credit]) => {
    const crowd = new Crowd()
    const { state } = crowd.harness.engine
    const watcher = crowd.harness.open()
    const watch = watcher.watch(0, credit)
    assert.deepStrictEqual(watcher.answer(watch), [])
    const known = new Set<number>()
    fold(crowd, known, "reset")
    let heard = 0
    for (const seed of seeds) {
      const random = new Random(seed)
      crowd.act(random)
      if (random.chance(1 / 3)) continue
      watcher.credit(watch, 1 + random.below(3))
      const events = watcher.events(watch)
      for (const event of events.slice(heard)) fold(crowd, known, event)
      heard = events.length
    }
    watcher.credit(watch, 100)
    for (const event of watcher.events(watch).slice(heard)) fold(crowd, known, event)
    assert.deepStrictEqual([...known].toSorted((a, b) => a - b), [...state.objects.keys()].filter((id) => id !== 0))
  }, { arbitrary: { runs: budget(50), size: 120 } })

  it("is told kind and name of what is created, and the order in which objects go", () => {
    const harness = new EngineHarness()
    const [client, watcher] = [harness.open(), harness.open()]
    const watch = watcher.watch(0, 9)
    const lock = client.make("Lock", "lock")
    const latch = client.make("Latch")
    client.get(0, "delete", [lock])
    client.end()
    assert.deepStrictEqual(watcher.events(watch), [
      `change ${lock} Lock lock`,
      `change ${latch} Latch `,
      `change ${lock}`,
      `change ${latch}`
    ])
  })
})

describe("an ordered map", () => {
  it.prop("is read behind a key as if it were read from its beginning", [
    Arbitrary.array(Arbitrary.schema(Schema.Tuple([int(9), int(200)])), { maxLength: 300 })
  ], ([steps]) => {
    const map = new OrderedMap<string>()
    let last = 0
    for (const [what, n] of steps) {
      if (what < 5) map.set(last += 1 + n % 3, `value ${last}`)
      else if (what < 9) map.delete([...map.keys()][n % Math.max(1, map.size)] ?? n)
      else assert.deepStrictEqual([...map.after(n)], [...map].filter(([key]) => key > n).map(([, value]) => value))
    }
    assert.deepStrictEqual([...map.after(0)], [...map.values()])
  })
})
