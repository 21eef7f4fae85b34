/**
 * Clients behind a bad network, over TCP and then with TLS. Their connections are cut anywhere, delayed, and stand still;
 * clients are frozen for longer than they may be silent, and killed. All that they were told is certified (S-31), and a
 * store that compares the tokens of holds takes no write of a holder that has lost its lock (S-20). `unfenced` is the
 * control: a store that compares nothing takes such writes, so the faults are those that fencing is for.
 */
import { isCell, textOf } from "#core/engine/Value.ts"
import { Manager, Process } from "@effect-multiprocessing/core"
import { certify, type JournalEntry, Random } from "@effect-multiprocessing/core/testing"
import { NodeManager } from "@effect-multiprocessing/node"
import { Clock, Console, Context, Effect, Layer, Redacted, Schema } from "effect"
import { mkdirSync, readdirSync } from "node:fs"
import { play } from "../stress/WireLog.ts"
import { makeCertificate } from "../support/certificates.ts"
import { type FaultyProxy, makeFaultyProxy } from "../support/faultyProxy.ts"
import { Ride, Riders, store, total, Written } from "./rider.ts"

/** How long the chaos lasts, and for how many clients. */
export interface NetworkOptions {
  readonly seconds: number
  readonly clients: number
  readonly seed: number
  /** Whether the store compares nothing: then a write must be stale, or the run has shown nothing. */
  readonly unfenced: boolean
}

const graceMs = 1_500
/** A manager that has heard nothing of a client for so long takes its connection for lost. */
const silenceMs = 500

/** One run: its transport, and the folder of its wire logs. */
interface Run extends NetworkOptions {
  readonly name: string
  readonly isEncrypted: boolean
  readonly wireLogs: string
}

/** Cuts connections, or lets the network stand still, again and again. */
const disturb = (proxy: FaultyProxy, random: Random): Effect.Effect<never> =>
  Effect.forever(Effect.suspend(() => {
    const pause = Effect.sleep(50 + random.below(300))
    proxy.cutAfter(random.chance(0.7) ? 1_000 + random.below(100_000) : 0)
    if (random.chance(0.75)) return pause
    // Now and then for longer than the grace.
    const standstill = Effect.sleep(random.below(random.chance(0.2) ? 3 * graceMs : graceMs / 2))
    const [begin, end] = random.chance(0.5)
      ? [() => proxy.pass("nothing"), () => proxy.pass("all")]
      : [proxy.cutServerEnds, proxy.heal]
    return Effect.sync(begin).pipe(Effect.andThen(standstill), Effect.andThen(Effect.sync(end)), Effect.andThen(pause))
  }))

/** Keeps a client running until it has done its time: it is frozen again and again, or killed and replaced. */
const keep = Effect.fnUntraced(
  function*(ride: typeof Ride.payload.Type, random: Random, counts: { frozen: number; killed: number }) {
    const signal = (pid: number, name: NodeJS.Signals) => Effect.ignore(Effect.try(() => process.kill(pid, name)))
    const torment = (pid: number): Effect.Effect<never> =>
      Effect.suspend(() => {
        const pause = Effect.sleep(2_000 + random.below(4_000))
        const fault = random.chance(0.2)
          ? Effect.andThen(Effect.sync(() => counts.killed++), signal(pid, "SIGKILL"))
          : Effect.sync(() => counts.frozen++).pipe(
            Effect.andThen(signal(pid, "SIGSTOP")),
            Effect.andThen(Effect.sleep(graceMs + silenceMs + random.below(2_000))),
            Effect.andThen(signal(pid, "SIGCONT"))
          )
        return pause.pipe(Effect.andThen(fault), Effect.andThen(torment(pid)))
      })
    let lives = 0
    const live = Effect.scoped(Effect.suspend(() =>
      Effect.flatMap(
        Process.spawn(Riders, Ride, { ...ride, wireLog: `${ride.wireLog}-${++lives}`, seed: ride.seed + lives }),
        ({ pid, result }) => Effect.raceFirst(result, torment(pid))
      )
    ))
    const isOver = Effect.map(Clock.currentTimeMillis, (now) => now >= ride.until)
    yield* Effect.repeat(Effect.exit(live), { until: () => isOver })
  }
)

/** The writes that the store took with an older token than it had: nothing else is modified. */
const staleWrites = (journal: ReadonlyArray<JournalEntry>): number => {
  const tokens = journal.flatMap(({ args: [, , next], operation }) =>
    operation === "compareAndSet" && next !== undefined && isCell(next)
      ? [Schema.decodeUnknownSync(Schema.fromJsonString(Written))(textOf(next)).token]
      : []
  )
  return tokens.filter((token, i) => token < (tokens[i - 1] ?? 0)).length
}

/** Runs all clients. Returns what is wrong. */
const run = Effect.fnUntraced(function*(options: Run) {
  const { clients, isEncrypted, name, seconds, seed, unfenced, wireLogs } = options
  const random = new Random(seed)
  const key = Redacted.make("chaos")
  const authority = makeCertificate({ name: "the authority of the chaos" })
  const own = makeCertificate({ name: "server", hosts: ["127.0.0.1"], issuer: authority })
  const journal: Array<JournalEntry> = []
  const serving = yield* Layer.build(Layer.fresh(NodeManager.layerServer({
    key,
    address: { host: "127.0.0.1", port: 0 },
    tls: isEncrypted ? { cert: own.cert, key: Redacted.make(own.key) } : undefined,
    limits: { silenceMs },
    journal: (entry) => journal.push(entry)
  })))
  const manager = Context.get(serving, Manager.Manager)
  const [sum, stored] = yield* Effect.provideService(Effect.all([total, store]), Manager.Manager, manager)
  const proxy = yield* makeFaultyProxy(Number(new URL(manager.endpoint!.urls![0]!).port), seed)
  const disturbing = yield* Effect.forkChild(disturb(proxy, random.fork()))
  const counts = { frozen: 0, killed: 0 }
  const until = (yield* Clock.currentTimeMillis) + seconds * 1_000
  yield* Effect.forEach(
    Array.from({ length: clients }, (_, i) => i),
    (i) =>
      keep(
        {
          url: `${isEncrypted ? "emps" : "emp"}://127.0.0.1:${proxy.port}`,
          key,
          ca: isEncrypted ? authority.cert : "",
          graceMs,
          wireLog: `${wireLogs}/${i}`,
          seed: seed + i * 1_000,
          until,
          isFenced: !unfenced
        },
        random.fork(),
        counts
      ),
    { concurrency: "unbounded", discard: true }
  )
  disturbing.interruptUnsafe()

  const recorders = readdirSync(wireLogs).map((file) => play(`${wireLogs}/${file}`, file))
  const records = recorders.flatMap((recorder) => recorder.records)
  const violations = certify({ journal, records, watches: recorders.flatMap((recorder) => recorder.watches) })
  const added = records.filter(({ operation, outcome }) => operation === "add" && outcome?._tag === "Success").length
  const most = records.filter(({ operation }) => operation === "add").length
  const value = yield* sum.get
  const { count } = yield* stored.get
  const stale = staleWrites(journal)
  yield* Console.log(
    `${name}: ${records.length} calls, ${proxy.cuts()} connections cut, ${counts.frozen} clients frozen, ` +
      `${counts.killed} killed; ${value} added, ${added} to ${most} expected; ${count} writes under the lock, ` +
      `${stale} stale`
  )
  return [
    ...violations.map((violation) => `${name}: ${violation}`),
    ...value < added || value > most ? [`${name}: ${value} were added`] : [],
    ...stale > 0 && !unfenced ? [`${name}: ${stale} stale writes`] : [],
    ...stale === 0 && unfenced ? [`${name}: no write was stale: the faults are too few`] : []
  ]
})

/** Runs over TCP and with TLS, for half of the time each. Returns what is wrong. */
export const chaosOfNetwork = Effect.fnUntraced(function*(options: NetworkOptions, folder: string) {
  const wrong: Array<string> = []
  for (const [name, isEncrypted] of [["over TCP", false], ["with TLS", true]] as const) {
    const wireLogs = `${folder}/${name.replace(" ", "-")}`
    mkdirSync(wireLogs)
    wrong.push(...yield* Effect.scoped(run({ ...options, seconds: options.seconds / 2, name, isEncrypted, wireLogs })))
  }
  return wrong
})
