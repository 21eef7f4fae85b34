/**
 * Clients that work on a realm while something happens to it: they add, move items and take a lock, each in one session from
 * the beginning to the end. All that they were told is certified against what the log has (S-31): nothing acknowledged is lost,
 * nothing is done twice, and entries of an older epoch do not stand behind those of a newer one.
 */
import * as LeaderLink from "#node/leaderLink.ts"
import { type Log, Manager, SharedLock, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { certify, type JournalEntry, Recorder } from "@effect-multiprocessing/core/testing"
import { type Duration, Effect, Fiber, Redacted, Schedule, Schema, type Scope, Stream } from "effect"
import { beginReplay } from "../support/replay.ts"

/** Which realm is audited, and how. */
export interface AuditOptions {
  readonly realm: string
  readonly key: string
  /** The log as the audit reads it. The audit also takes the snapshots, so no candidate may. */
  readonly log: Log.Log["Service"]
  /** The log as each client reaches it. */
  readonly clients: ReadonlyArray<Log.Log["Service"]>
  /** Of the sessions of the clients. A session that is lost ends the audit. */
  readonly grace: Duration.Input
}

/** What the clients have done. */
export interface Counts {
  /** Works of which a client has been told that they are done. */
  acknowledged: number
  added: number
  holds: number
}

/** What an audit has found. */
export interface Audited {
  readonly wrong: ReadonlyArray<string>
  readonly calls: number
  readonly counts: Counts
}

/** Entries that a snapshot replaces. */
const compactAfter = 500

/**
 * The journal of the realm, which is made of the log while that grows. It replaces what it has read by snapshots, again and
 * again: candidates begin with one, and those that are behind it load it.
 */
const makeJournal = Effect.fnUntraced(function*({ log, realm }: AuditOptions, wrong: Array<string>) {
  const journal: Array<JournalEntry> = []
  let newest = 0
  const observed: Log.Log["Service"] = {
    ...log,
    read: (...args) =>
      Stream.tap(log.read(...args), ({ epoch, position }) =>
        Effect.sync(() => {
          if (epoch < newest) wrong.push(`entry ${position} is of epoch ${epoch}, behind one of epoch ${newest}`)
          newest = epoch
        }))
  }
  const replay = yield* beginReplay(observed, realm, (entry) => journal.push(entry))
  let snapshotAt = 0
  const compact = Effect.suspend(() => {
    if (replay.position < snapshotAt + compactAfter) return Effect.void
    return Effect.andThen(
      log.putSnapshot(realm, replay.save()),
      Effect.sync(() => {
        snapshotAt = replay.position
      })
    )
  })
  const advance = Effect.suspend(() => Effect.andThen(replay.advance, compact)).pipe(
    Effect.retry({ while: ({ _tag }) => _tag === "LogUnavailable", schedule: Schedule.spaced(50) })
  )
  let isOver = false
  const following = yield* Effect.forkScoped(
    Effect.repeat(Effect.andThen(Effect.sleep(100), advance), { until: () => isOver })
  )
  return {
    journal,
    /** Fails when the log leads to another state. */
    failed: Effect.andThen(Fiber.join(following), Effect.never),
    whole: Effect.suspend(() => {
      isOver = true
      return Effect.andThen(Fiber.join(following), advance)
    })
  }
})

/** The clients, which work until they are told to stop. */
const makeClients = Effect.fnUntraced(
  function*({ clients, grace, key, realm }: AuditOptions, wrong: Array<string>) {
    const recorders: Array<Recorder> = []
    const counts: Counts = { acknowledged: 0, added: 0, holds: 0 }
    const offered = new Set<number>()
    const taken = new Set<number>()
    let events = 0
    let isOver = false
    let holder: number | undefined
    let lastToken = 0

    const connect = Effect.fnUntraced(function*(log: Log.Log["Service"], name: string) {
      const recorder = new Recorder({ client: name, clock: "events", now: () => ++events })
      recorders.push(recorder)
      const open = LeaderLink.make({ log, realm })
      return yield* Manager.makeConnected(Effect.map(open, (link) => recorder.listen(link)), {
        address: realm,
        key: Redacted.make(key),
        label: { name, pid: process.pid },
        reconnect: { grace }
      }).pipe(Effect.provide(Manager.layerCrypto), Effect.eventually)
    })

    const work = Effect.fnUntraced(function*(number: number) {
      const [sum, queue, lock] = yield* Effect.all([
        SharedRef.make({ name: "sum", schema: Schema.Int, initial: 0 }),
        SharedQueue.make({ name: "items", item: Schema.Int }),
        SharedLock.make({ name: "lock" })
      ])
      const add = Effect.andThen(sum.increment, Effect.sync(() => counts.added++))
      const offer = Effect.suspend(() => {
        const item = number * 1_000_000 + offered.size
        offered.add(item)
        return queue.offer(item)
      })
      const take = Effect.map(queue.take, (item) => {
        if (taken.has(item)) wrong.push(`item ${item} was taken twice`)
        taken.add(item)
      })
      const hold = lock.withHold(Effect.fnUntraced(function*({ token }) {
        if (holder !== undefined) wrong.push(`clients ${holder} and ${number} held the lock at once`)
        if (token <= lastToken) wrong.push(`token ${token} came after ${lastToken}`)
        holder = number
        lastToken = token
        counts.holds++
        yield* sum.get
        holder = undefined
      }))
      const works: ReadonlyArray<Effect.Effect<unknown, Error>> = [add, Effect.andThen(offer, take), hold]
      yield* Effect.forEach(works, (work) =>
        Effect.repeat(
          Effect.andThen(work, Effect.sync(() => counts.acknowledged++)),
          { until: () => isOver }
        ), { concurrency: "unbounded", discard: true })
      return sum.get
    })

    const managers = yield* Effect.forEach(
      clients,
      (log, i) => connect(log, `client ${i + 1}`),
      { concurrency: "unbounded" }
    )
    const works = managers.map((manager, i) => Effect.provideService(work(i + 1), Manager.Manager, manager))
    const working = yield* Effect.forkScoped(Effect.all(works, { concurrency: "unbounded" }))
    return {
      counts,
      recorders,
      /** Fails when a client has failed. */
      failed: Effect.andThen(Fiber.join(working), Effect.never),
      stop: Effect.gen(function*() {
        isOver = true
        const [value] = yield* Effect.all(yield* Fiber.join(working))
        if (value !== counts.added) wrong.push(`the sum is ${value} after ${counts.added} additions`)
        if (taken.size !== offered.size) wrong.push(`${taken.size} items of ${offered.size} were taken`)
      })
    }
  }
)

/** Lets clients work while something happens, which is given what they have done so far. A leader must be there. */
export const audit = <E extends Error, R>(
  options: AuditOptions,
  happen: (counts: Readonly<Counts>) => Effect.Effect<void, E, R>
): Effect.Effect<Audited, never, Exclude<R, Scope.Scope>> =>
  Effect.gen(function*() {
    const wrong: Array<string> = []
    const fail = (error: Error) =>
      Effect.sync(() => {
        wrong.push(`a client or the log has failed: ${error.message}`)
      })
    const journal = yield* makeJournal(options, wrong)
    const clients = yield* makeClients(options, wrong)
    const recordsOf = () => clients.recorders.flatMap((recorder) => recorder.records)
    yield* happen(clients.counts).pipe(
      Effect.andThen(clients.stop),
      Effect.andThen(journal.whole),
      Effect.tap(Effect.sync(() => wrong.push(...certify({ journal: journal.journal, records: recordsOf() })))),
      Effect.raceFirst(clients.failed),
      Effect.raceFirst(journal.failed),
      Effect.catch(fail)
    )
    return { wrong, calls: recordsOf().length, counts: clients.counts }
  }).pipe(Effect.orDie, Effect.scoped)
