import { bytesCell, cell } from "#core/engine/Value.ts"
import { Manager } from "@effect-multiprocessing/core"
import {
  type Argument,
  type CallRecord,
  certify,
  fromJournalLine,
  type History,
  type JournalEntry,
  linearizable,
  models,
  type WatchRecord
} from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "vitest"

type Parts = ReadonlyArray<Argument>

/** Writes a history of one or several clients. */
class Book {
  readonly journal: Array<JournalEntry> = []
  readonly records: Array<CallRecord> = []
  readonly watches: Array<WatchRecord> = []
  #time = 0
  #sequence = 0
  readonly #kinds = ["Directory"]

  open(kind: string, options: Record<string, Argument> = {}, ...values: Parts): number {
    const object = this.#kinds.push(kind) - 1
    const args = [kind, "", kind, Object.keys(options).length, ...Object.entries(options).flat(), ...values]
    this.change(0, "open", args, [{ text: JSON.stringify(kind), handles: [object] }, 1])
    return object
  }

  /** Adds a change. Returns its index. `session` is also the client. */
  change(object: number, operation: string, args: Parts, reply: Parts, session = 1): number {
    const index = this.entry("request", object, operation, args, reply, session, ++this.#sequence)
    this.#record(object, operation, args, reply, session, index)
    return index
  }

  /** Adds a call that changed nothing, as of the last index. */
  read(object: number, operation: string, args: Parts, reply: Parts, session = 1): void {
    this.#sequence++
    this.#record(object, operation, args, reply, session, this.journal.length)
  }

  entry(
    cause: JournalEntry["cause"],
    object: number,
    operation: string,
    args: Parts,
    reply: Parts,
    session: number,
    sequence = 0
  ): number {
    const index = this.journal.length + 1
    this.journal.push({
      index,
      now: 0,
      cause,
      session,
      sequence,
      call: 0,
      object,
      kind: this.#kinds[object]!,
      operation,
      args,
      reply
    })
    return index
  }

  get history(): History {
    return this
  }

  /** The violations of the history with some parts replaced. */
  after(change: (history: Required<History>) => Partial<History>): ReadonlyArray<string> {
    return certify({ ...this.history, ...change(this) })
  }

  #record(object: number, operation: string, args: Parts, reply: Parts, session: number, index: number): void {
    const outcome = { _tag: "Success", reply } as const
    const names = { client: `client ${session}`, clock: "one", session, sequence: this.#sequence, call: 0 }
    this.records.push({
      ...names,
      object,
      operation,
      args,
      guard: [],
      invoke: ++this.#time,
      complete: ++this.#time,
      index,
      outcome
    })
  }
}

const one = cell("1")
const two = cell("2")
const queue = { capacity: 2, attempts: 2 }
const ref = { value: "integer" }

const replace = <A>(list: ReadonlyArray<A>, position: number, change: Partial<A>): Array<A> =>
  list.map((item, i) => i === (position < 0 ? list.length + position : position) ? { ...item, ...change } : item)

/** The only violation. */
const only = (violations: ReadonlyArray<string>): string => {
  assert.strictEqual(violations.length, 1, violations.join("\n"))
  return violations[0]!
}

/** A worker takes an item, dies, and another one finishes it. */
const redelivery = (): Book => {
  const book = new Book()
  const jobs = book.open("Queue", queue)
  book.change(jobs, "offer", [one], [])
  book.change(jobs, "offer", [two], [])
  book.change(jobs, "takeLease", [], [4, 1, one], 2)
  book.entry("ended", 0, "", [], [4], 2)
  book.read(jobs, "size", [], [2, 0])
  book.change(jobs, "takeLease", [], [6, 2, one])
  book.change(jobs, "ack", [6], [])
  return book
}

it("a journal is read as it was written, bytes too", () => {
  const book = new Book()
  const items = [cell("\"a\""), bytesCell(Uint8Array.of(0, 10, 255)), bytesCell(new Uint8Array(0)), "bytes", null, 1]
  book.change(book.open("Queue"), "offerAll", items, [{ text: "1", handles: [2] }])
  assert.deepStrictEqual(book.journal.map(Manager.toJournalLine).map(fromJournalLine), book.journal)
})

describe("certify", () => {
  it("accepts every kind", () => {
    const book = redelivery()
    const number = book.open("Ref", ref, one)
    book.read(number, "get", ["value"], [one, 0])
    const added = book.change(number, "add", ["value", 1], [2])
    book.read(number, "get", ["value"], [two, added])
    book.read(number, "compareAndSet", ["value", 0, one, 0], [two, added])
    const reservation = book.journal.length + 1
    book.change(number, "reserve", ["value"], [reservation, two, added], 3)
    book.change(number, "compareAndSet", ["value", added, one, reservation], [], 3)
    const scores = book.open("Map")
    const set = book.change(scores, "set", ["\"a\"", one], [])
    book.read(scores, "setIfAbsent", ["\"a\"", two], [one, set])
    book.read(scores, "entries", [], ["\"a\"", one])
    book.change(scores, "remove", ["\"a\""], [one, set])
    book.change(scores, "setAll", ["\"a\"", one, "\"b\"", two], [])
    book.change(scores, "removeLast", [], ["\"b\"", two])
    book.read(scores, "untilSize", [1, 1], [1])
    const notes = book.open("OpenNamespace", { values: "integer" })
    const hit = book.change(notes, "add", ["hits", 2], [2])
    book.read(notes, "untilAtLeast", ["hits", 2], [two, hit])
    const board = book.open("Namespace", { count: "integer", running: "" }, one, cell("true"))
    book.change(board, "setAll", ["count", two, "running", cell("false")], [])
    book.read(board, "entries", [], ["count", two, "running", cell("false")])
    const gate = book.open("Lock")
    const hold = book.journal.length + 1
    book.change(gate, "acquire", [], [hold, 0], 3)
    book.read(gate, "isHeld", [], [1])
    book.entry("ended", 0, "", [], [hold], 3)
    book.change(gate, "acquire", [], [hold + 2, 1])
    assert.deepStrictEqual(certify(book.history), [])
  })

  it("says that a condition was reported that was not met", () => {
    const book = redelivery()
    const number = book.open("Ref", ref, one)
    book.read(number, "untilAtLeast", ["value", 2], [one, 0])
    assert.match(only(certify(book.history)), /untilAtLeast .* was told \(1, 0\) .* but the journal does not have it/)
  })

  it("accepts an open call as done and as not done", () => {
    const book = redelivery()
    const open = { complete: undefined, index: undefined, outcome: undefined }
    assert.deepStrictEqual(book.after(({ records }) => ({ records: replace(records, -1, open) })), [])
    assert.deepStrictEqual(
      book.after(({ journal, records }) => ({ journal: journal.slice(0, -1), records: replace(records, -1, open) })),
      []
    )
  })

  it("says that an index is missing", () => {
    const gap = redelivery().after(({ journal }) => ({ journal: journal.filter(({ index }) => index !== 5) }))
    assert.match(gap.join("\n"), /index 6 follows 4/)
  })

  it("says that an item was delivered twice", () => {
    const book = redelivery()
    book.change(1, "takeLease", [], [8, 1, one])
    assert.match(only(certify(book.history)), /takeLease\(\) on Queue #1 .* but should reply \(8, 1, 2\)/)
  })

  it("says that an item was lost, or did not come back to its place", () => {
    assert.match(
      only(
        redelivery().after(({ journal, records }) => ({
          journal: replace(journal, 5, { reply: [6, 1, two] }),
          records: replace(records, 5, { outcome: { _tag: "Success", reply: [6, 1, two] } })
        }))
      ),
      /takeLease\(\) .* replied \(6, 1, 2\), but should reply \(6, 2, 1\)/
    )
  })

  it("says that the end of a session gave nothing back", () => {
    const kept = redelivery().after(({ journal }) => ({ journal: replace(journal, 4, { reply: [] }) }))
    assert.match(kept.join("\n"), /the end of session 2 does not give back grant 4/)
  })

  it("says that a read was stale", () => {
    const book = new Book()
    const number = book.open("Ref", ref, one)
    book.change(number, "add", ["value", 1], [2])
    book.read(number, "get", ["value"], [one, 0])
    assert.match(
      only(certify(book.history)),
      /get of client 1 .* was told \(1, 0\) as of 2, but should be told \(2, 2\)/
    )
  })

  it("says that a client got another reply than the journal's", () => {
    const lied = redelivery().after(({ records }) => ({
      records: replace(records, 3, { outcome: { _tag: "Success", reply: [4, 1, two] } })
    }))
    assert.match(only(lied), /takeLease of client 2 .* was told \(4, 1, 2\)/)
    const failed = redelivery().after(({ records }) => ({
      records: replace(records, 1, { outcome: { _tag: "Failure", error: "QueueClosed", details: [] } })
    }))
    assert.match(only(failed), /offer of client 1 .* was told QueueClosed, but took effect/)
  })

  it("says that an object with a name and a first value was gone; another one may be forgotten", () => {
    const gone = { outcome: { _tag: "Failure", error: "ObjectNotFound", details: [] } } as const
    const violations = (name: string | null) => {
      const book = new Book()
      book.read(book.open("Ref", ref, one), "get", ["value"], [])
      return book.after(({ journal, records }) => ({
        journal: replace(journal, 0, { args: journal[0]!.args.with(2, name) }),
        records: replace(replace(records, 0, { args: records[0]!.args.with(2, name) }), 1, gone)
      }))
    }
    assert.match(only(violations("count")), /told ObjectNotFound as of 1, but nobody had deleted the object/)
    assert.deepStrictEqual(violations(null), [])
  })

  it("says that a change was made up", () => {
    const book = new Book()
    const number = book.open("Ref", ref, one)
    book.read(number, "set", ["value", two], [])
    assert.match(only(certify(book.history)), /set of client 1 .* but the journal does not have it/)
  })

  it("says that calls were ordered against real time", () => {
    const book = new Book()
    const number = book.open("Ref", ref, one)
    book.change(number, "set", ["value", one], [])
    book.change(number, "set", ["value", two], [], 2)
    const [opened, first, second] = book.records
    const swapped = [opened!, { ...first!, invoke: 9, complete: 10 }, { ...second!, invoke: 7, complete: 8 }]
    assert.match(
      only(book.after(() => ({ records: swapped }))),
      /set of client 2 .* had completed before set of client 1 .* began/
    )
    const elsewhere = swapped.map((record) => ({ ...record, clock: record.client }))
    assert.deepStrictEqual(book.after(() => ({ records: elsewhere })), [])
  })

  it("says that a hold was not current", () => {
    const book = new Book()
    const gate = book.open("Lock")
    const number = book.open("Ref", ref, one)
    book.change(gate, "acquire", [], [3, 0])
    book.change(gate, "release", [3], [])
    book.change(number, "set", ["value", two], [])
    assert.match(
      only(book.after(({ records }) => ({ records: replace(records, -1, { guard: [3] }) }))),
      /set.* under hold 3, which was not current/
    )
    book.read(number, "get", ["value"], [two, 5])
    assert.match(
      only(book.after(({ records }) => ({ records: replace(records, -1, { guard: [3] }) }))),
      /get.* under hold 3, which was not current/
    )
  })

  it("says that permits of other holders were granted", () => {
    const book = new Book()
    const slots = book.open("Semaphore", { permits: 3 })
    const permits = book.change(slots, "acquire", [2], [2])
    book.read(slots, "tryAcquire", [2], [])
    book.read(slots, "available", [], [1])
    assert.deepStrictEqual(certify(book.history), [])
    book.change(slots, "tryAcquire", [2], [permits + 1])
    assert.match(only(certify(book.history)), /tryAcquire\(2\) .* but should change nothing and reply \(\)/)
  })

  it("follows a notification that is passed on, and says that a waiter woke without one (S-15)", () => {
    /** Two clients wait. The first is notified, and may be cancelled. Then the second one has the lock again. */
    const wake = (withdrawn: boolean) => {
      const book = new Book()
      const bell = book.open("Condition")
      const request = (operation: string, args: ReadonlyArray<number>, reply: ReadonlyArray<number>, session: number) =>
        book.entry("request", bell, operation, args, reply, session, 10 * book.journal.length)
      for (const session of [1, 2]) {
        const token = book.journal.length + 1
        request("acquire", [], [token, 0], session)
        book.entry("entered", bell, "wait", [token], [], session, 1)
      }
      const token = book.journal.length + 1
      request("acquire", [], [token, 0], 3)
      request("notify", [token, 1], [1], 3)
      if (withdrawn) book.entry("withdrawn", bell, "wait", [2], ["cancelled"], 1, 1)
      request("release", [token], [], 3)
      book.entry("request", bell, "wait", [4], [book.journal.length + 1, 0], 2, 1)
      return certify(book.history)
    }
    assert.deepStrictEqual(wake(true), [])
    assert.match(only(wake(false)), /wait\(4\) on Condition .* but should wait/)
  })

  it("lets waiters go in the step of a release in which another waiter is fenced out (S-21)", () => {
    const book = new Book()
    const latch = book.open("Latch")
    book.change(latch, "release", [], [1])
    book.entry("withdrawn", latch, "await", [], ["fenced out"], 2)
    book.read(latch, "await", [], [])
    assert.deepStrictEqual(certify(book.history), [])
    book.change(latch, "open", [], [1])
    book.change(latch, "close", [], [1])
    book.read(latch, "await", [], [])
    assert.match(only(certify(book.history)), /await .* but the journal does not have it/)
  })

  it("says that a call took effect twice, or after its session had ended", () => {
    const twice = redelivery().after(({ journal }) => ({ journal: replace(journal, 2, { sequence: 2 }) }))
    assert.match(twice.join("\n"), /took effect before at index 2/)
    const late = redelivery()
    late.change(1, "offer", [one], [], 2)
    assert.match(certify(late.history).join("\n"), /session 2 had ended before index 8/)
  })

  it("says that a cancelled call ended otherwise", () => {
    const withdrawn = redelivery().after(({ records }) => ({ records: replace(records, 1, { fate: "withdrawn" }) }))
    assert.match(only(withdrawn), /offer of client 1 .* was withdrawn, but took effect at index 2/)
    const compensated = redelivery().after(({ records }) => ({ records: replace(records, 1, { fate: "compensated" }) }))
    assert.match(only(compensated), /offer of client 1 .* was compensated, but nothing was revoked/)
  })

  it("says that a watcher missed a change", () => {
    const book = new Book()
    const number = book.open("Ref", ref, one)
    book.change(number, "set", ["value", two], [])
    book.change(number, "set", ["value", one], [])
    const told = [
      { event: "snapshot", index: 1, parts: ["value", one] },
      { event: "change", index: 2, parts: ["value", two] },
      { event: "change", index: 3, parts: ["value", one] }
    ] as const
    const watch = (...events: WatchRecord["told"]): ReadonlyArray<WatchRecord> => [
      { client: "client 4", session: 4, sequence: 1, object: number, told: events }
    ]
    assert.deepStrictEqual(book.after(() => ({ watches: watch(...told) })), [])
    const reset = { event: "reset", index: 3, parts: ["value", one] } as const
    assert.deepStrictEqual(book.after(() => ({ watches: watch(told[0], reset) })), [])
    assert.match(
      only(book.after(() => ({ watches: watch(told[0], told[2]) }))),
      /the next change is \(value, 2\) at index 2/
    )
  })

  describe("of an inspected manager", () => {
    const rows = (...infos: ReadonlyArray<object>) => infos.map((info) => JSON.stringify(info))

    /** The violations of one read of the directory of a lock, a ref, and a condition whose lock is held. */
    const judge = (operation: string, args: Parts, reply: Parts): ReadonlyArray<string> => {
      const book = new Book()
      book.open("Lock")
      book.open("Ref", ref, one)
      book.change(book.open("Condition"), "acquire", [], [4, 0], 2)
      book.read(0, operation, args, reply)
      return certify(book.history)
    }
    const [lock, number, bell] = ["Lock", "Ref", "Condition"].map((kind, i) => ({ id: i + 1, kind, name: kind }))
    const holder = { session: 2, name: "client 2", pid: 0, token: 4 }

    it("accepts pages, also without an object that may have been forgotten", () => {
      assert.deepStrictEqual(judge("objects", [0, 100], [0, ...rows(lock!, number!, bell!)]), [])
      assert.deepStrictEqual(judge("objects", [0, 100], [0, ...rows(number!)]), [])
      assert.deepStrictEqual(judge("objects", [0, 100], [1, ...rows(lock!)]), [])
      assert.deepStrictEqual(judge("objects", [2, 100], [0]), [])
      assert.deepStrictEqual(judge("holders", [3, 0, 100], [0, ...rows(holder)]), [])
      assert.deepStrictEqual(judge("holders", [3, 4, 100], [0]), [])
    })

    it("says that a row is made up, missing or out of order", () => {
      const made = rows({ ...lock!, name: "gate" }, number!)
      assert.match(only(judge("objects", [0, 100], [0, ...made])), /but there is no Lock 1 of that name/)
      assert.match(only(judge("objects", [0, 100], [0, ...rows(lock!, bell!)])), /but 2 is missing/)
      assert.match(only(judge("objects", [0, 100], [0, ...rows(number!, lock!)])), /but rows are out of order/)
      assert.match(only(judge("objects", [2, 100], [0, ...rows(number!)])), /but rows are out of order/)
      const other = rows({ ...holder, session: 1 })
      assert.match(only(judge("holders", [3, 0, 100], [0, ...other])), /but 1 does not hold 4/)
      assert.match(only(judge("holders", [3, 0, 100], [0])), /but 4 is missing/)
      const whole = { objects: [lock, number, bell].map((object) => ({ ...object, held: 0, holders: [] })) }
      assert.match(only(judge("inspect", [100], rows(whole))), /but 4 is missing/)
      const [, , held] = whole.objects
      assert.match(only(judge("details", [2, 100], [0, ...rows(held!)])), /but 4 is missing/)
    })

    it("says that a watcher missed a created or deleted object, or got the end of one that existed", () => {
      const book = new Book()
      book.open("Lock")
      book.open("Ref", ref, one)
      book.change(0, "delete", [2], [])
      const told = [
        { event: "snapshot", index: 0, parts: [] },
        { event: "change", index: 1, parts: [1, "Lock", "Lock"] },
        { event: "change", index: 2, parts: [2, "Ref", "Ref"] },
        { event: "change", index: 3, parts: [2] }
      ] as const
      const watched = (...events: WatchRecord["told"]) =>
        book.after(() => ({ watches: [{ client: "client 4", session: 4, sequence: 1, object: 0, told: events }] }))
      const forgotten = { event: "change", index: 2, parts: [1] } as const
      assert.deepStrictEqual(watched(...told), [])
      assert.deepStrictEqual(watched(told[0], told[1], told[2], forgotten, told[3]), [])
      assert.match(only(watched(told[0], told[2])), /the next change is \(1, Lock, Lock\) at index 1/)
      assert.match(only(watched(told[0], told[1], told[3])), /the next change is \(2, Ref, Ref\) at index 2/)
      const early = { ...told[3], index: 2 }
      assert.match(only(watched(told[0], told[1], told[2], early)), /but nothing had changed at index 2/)
    })
  })

  it("judges a hundred thousand calls", () => {
    const book = new Book()
    const jobs = book.open("Queue", queue)
    for (let i = 0; i < 50_000; i++) {
      book.change(jobs, "offer", [one], [])
      book.change(jobs, "take", [], [one])
    }
    assert.deepStrictEqual(certify(book.history), [])
  })
})

describe("linearizable", () => {
  const call = (
    client: number,
    [invoke, complete]: readonly [number, number?],
    operation: string,
    args: Parts,
    reply: Parts
  ) => ({
    client: `client ${client}`,
    clock: "one",
    session: client,
    sequence: invoke,
    call: 0,
    object: 1,
    operation,
    args,
    guard: [],
    invoke,
    complete,
    outcome: complete === undefined ? undefined : { _tag: "Success", reply } as const
  })
  const make = () => models["Queue"]!(queue, [])

  it("accepts a history that some order explains", () => {
    const calls = [
      call(1, [1, 6], "offer", [one], []),
      call(2, [2, 5], "offer", [two], []),
      call(3, [3, 7], "take", [], [two]),
      call(3, [8, 9], "take", [], [one])
    ]
    assert.isTrue(linearizable(calls, make()))
  })

  it("refuses a history that no order explains", () => {
    const offered = [call(1, [1, 2], "offer", [one], []), call(2, [3, 4], "offer", [two], [])]
    assert.isFalse(linearizable([...offered, call(3, [5, 6], "take", [], [two])], make()))
    const twice = [call(3, [5, 6], "take", [], [one]), call(3, [7, 8], "take", [], [one])]
    assert.isFalse(linearizable([...offered, ...twice], make()))
    assert.isFalse(linearizable([call(1, [1, 2], "take", [], [one])], make()))
  })

  it("allows that an open call is done or not done", () => {
    const open = call(1, [1], "offer", [one], [])
    assert.isTrue(linearizable([open], make()))
    assert.isTrue(linearizable([open, call(2, [2, 3], "take", [], [one])], make()))
    assert.isFalse(linearizable([open, call(2, [2, 3], "take", [], [two])], make()))
  })
})
