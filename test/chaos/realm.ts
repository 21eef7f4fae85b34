/**
 * A realm whose leaders are killed and frozen, one after the other. Its clients add, move items and take a lock meanwhile;
 * each of them has one session from the beginning to the end. All that they were told is certified against what the log has
 * (S-31): nothing acknowledged is lost, nothing is done twice. A leader that was frozen for longer than its lease is refused
 * when it wakes up.
 */
import * as LeaderLink from "#node/leaderLink.ts"
import { Log, Manager, SharedLock, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { certify, type JournalEntry, Random, Recorder } from "@effect-multiprocessing/core/testing"
import { PostgresLog } from "@effect-multiprocessing/postgres"
import { Console, Context, Effect, Fiber, Layer, Redacted, Schema, Stream } from "effect"
import { type Program, start, waitUntil } from "../process/harness.ts"
import { beginReplay } from "../support/replay.ts"
import type { CandidateArguments } from "./candidate.ts"

/** How often leaders are struck, and by which bug the run is to be spoiled. */
export interface RealmOptions {
  readonly strikes: number
  readonly clients: number
  readonly seed: number
  readonly leaseMs: number
  /** How long one of the leaders is frozen. */
  readonly longMs: number
  /** Of PostgreSQL. */
  readonly url: string
  readonly schema: string
  readonly mutant?: string | undefined
}

/** What a run has shown. */
export interface RealmReport {
  readonly wrong: ReadonlyArray<string>
  /** Milliseconds until another host led, after each kill and after each freeze. */
  readonly killed: ReadonlyArray<number>
  readonly frozen: ReadonlyArray<number>
  /** Leaders that were refused when they woke up. */
  readonly refused: number
}

const realm = "chaos"
const key = "the key of the chaos"

/** Candidates at a time: one may be frozen, and one is killed. */
const hosts = 3

/** Entries that a snapshot replaces. */
const compactAfter = 500

/** The candidates of the realm. */
const makeHosts = Effect.fnUntraced(function*({ leaseMs, mutant, schema, url }: RealmOptions) {
  const told: CandidateArguments = { url, schema, realm, key, leaseMs, mutant }
  const programs = new Set<Program>()
  const launch = Effect.gen(function*() {
    const program = yield* start(new URL("./candidate.ts", import.meta.url), JSON.stringify(told))
    programs.add(program)
  })
  yield* Effect.all(Array.from({ length: hosts }, () => launch), { concurrency: "unbounded" })
  const epochOf = (program: Program): number =>
    Number([...program.output().matchAll(/leads .* in epoch (\d+)/g)].at(-1)?.[1] ?? 0)
  const leader = () => [...programs].reduce((a, b) => epochOf(a) < epochOf(b) ? b : a)
  return {
    leader,
    /** Whether all others are there to follow. */
    areReady: () => [...programs].every((program) => program.output().includes("ready")),
    epochOf,
    replace: (program: Program) => Effect.andThen(Effect.sync(() => programs.delete(program)), launch)
  }
})

/**
 * The journal of the realm, which is made of the log while that grows. It replaces what it has read by snapshots, again and
 * again: candidates begin with one, and those that are behind it load it.
 */
const makeJournal = Effect.fnUntraced(function*(log: Log.Log["Service"], wrong: Array<string>) {
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
  const advance = Effect.suspend(() => replay.advance)
  let snapshotAt = 0
  const compact = Effect.suspend(() => {
    if (replay.position < snapshotAt + compactAfter) return Effect.void
    snapshotAt = replay.position
    return log.putSnapshot(realm, replay.save())
  })
  let isOver = false
  const following = yield* Effect.forkScoped(
    Effect.repeat(Effect.sleep(100).pipe(Effect.andThen(advance), Effect.andThen(compact)), { until: () => isOver })
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
  function*(log: Log.Log["Service"], { clients, mutant }: RealmOptions, wrong: Array<string>) {
    const recorders: Array<Recorder> = []
    const counts = { acknowledged: 0, added: 0, holds: 0 }
    const offered = new Set<number>()
    const taken = new Set<number>()
    let events = 0
    let isOver = false
    let holder: number | undefined
    let lastToken = 0

    const connect = Effect.fnUntraced(function*(name: string) {
      const recorder = new Recorder({ client: name, clock: "events", now: () => ++events })
      recorders.push(recorder)
      const open = LeaderLink.make({ log, realm })
      return yield* Manager.makeConnected(Effect.map(open, (link) => recorder.listen(link)), {
        address: realm,
        key: Redacted.make(key),
        label: { name, pid: process.pid },
        // A session that is lost ends the run.
        reconnect: { grace: mutant === undefined ? "1 minute" : "5 seconds" }
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
      Array.from({ length: clients }, (_, i) => i + 1),
      (i) => connect(`client ${i}`),
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

/** Runs the chaos. */
export const chaosOfRealm = Effect.fnUntraced(function*(options: RealmOptions) {
  const { leaseMs, longMs, schema, seed, strikes, url } = options
  const random = new Random(seed)
  const wrong: Array<string> = []
  const [killed, frozen]: [Array<number>, Array<number>] = [[], []]
  let refused = 0
  const layerLog = PostgresLog.layer({ url: Redacted.make(url), schema })
  const log = Context.get(yield* Layer.build(layerLog), Log.Log)
  const { areReady, epochOf, leader, replace } = yield* makeHosts(options)
  yield* waitUntil("a host leads", () => epochOf(leader()) > 0)
  const journal = yield* makeJournal(log, wrong)
  const clients = yield* makeClients(log, options, wrong)

  const strike = Effect.fnUntraced(function*(number: number) {
    const before = clients.counts.acknowledged
    yield* waitUntil("all hosts are there", areReady)
    yield* waitUntil("the clients go on", () => clients.counts.acknowledged > before + 20)
    yield* Effect.sleep(random.below(200))
    const struck = leader()
    const epoch = epochOf(struck)
    const isKill = number % 2 === 1
    const began = performance.now()
    struck.process.kill(isKill ? "SIGKILL" : "SIGSTOP")
    yield* Effect.repeat(Effect.sleep(5), { until: () => epochOf(leader()) > epoch })
    const times = isKill ? killed : frozen
    times.push(performance.now() - began)
    if (isKill) return yield* replace(struck)
    yield* Effect.sleep(number === 2 ? longMs : random.below(leaseMs))
    struck.process.kill("SIGCONT")
    yield* waitUntil("it is refused", () => struck.output().includes(`epoch ${epoch} of "${realm}" has ended`))
    refused++
  })

  yield* Effect.gen(function*() {
    for (let number = 1; number <= strikes; number++) yield* strike(number)
    yield* clients.stop
    yield* journal.whole
    const records = clients.recorders.flatMap((recorder) => recorder.records)
    wrong.push(...certify({ journal: journal.journal, records }))
    const { added, holds } = clients.counts
    yield* Console.log(
      `${records.length} calls, ${added} added, ${holds} holds; ${killed.length} leaders killed, ${frozen.length} frozen, ` +
        `${refused} refused; until another one led: ${medianOf(killed)} ms after a kill, ${
          medianOf(frozen)
        } ms after a freeze`
    )
  }).pipe(
    Effect.raceFirst(clients.failed),
    Effect.raceFirst(journal.failed),
    Effect.catch((error) =>
      Effect.sync(() => {
        wrong.push(`a client or the log has failed: ${error.message}`)
      })
    )
  )
  return { wrong, killed, frozen, refused } satisfies RealmReport
}, Effect.scoped)

/** The median of some times, rounded. */
export const medianOf = (times: ReadonlyArray<number>): number =>
  Math.round([...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0)
