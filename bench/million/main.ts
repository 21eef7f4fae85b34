/**
 * A manager with a million items: for how long its event loop stands still while a snapshot of it is written, and how long its
 * recovery takes. The manager is in this process. Its snapshots are written by a thread (SQLite), and by a follower in another
 * process (PostgreSQL).
 *
 * ```text
 *   npm run bench:million
 * ```
 */
import * as Compaction from "#node/compaction.ts"
import * as SqliteFile from "#node/sqliteFile.ts"
import { Log, Manager, SharedMap, SharedQueue } from "@effect-multiprocessing/core"
import { PostgresLog } from "@effect-multiprocessing/postgres"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { server } from "../child.ts"
import * as PostgresServer from "../peers/postgresServer.ts"
import { keyAt, value } from "../workload.ts"
import { key, lease, realm } from "./realm.ts"

const million = 1_000_000
const batch = Array.from({ length: 1_000 }, () => value)

const queue = SharedQueue.make({ name: "queue", item: Schema.String, capacity: Infinity })
const map = SharedMap.make({ name: "map", key: Schema.String, value: Schema.String })

/** Offers the items. */
const fill = Effect.flatMap(
  queue,
  ({ offerAll }) =>
    Effect.forEach(Array.from({ length: million / batch.length }), () => offerAll(batch), {
      concurrency: 16,
      discard: true
    })
)

/** Sets entries of a small map as often. */
const change = Effect.flatMap(
  map,
  ({ set }) =>
    Effect.forEach(Array.from({ length: million }), (_, i) => set(keyAt(i), value), { concurrency: 256, discard: true })
)

/**
 * Makes one call after another until something has happened. Returns the longest pause of the event loop, and the most processor
 * time of its thread between two turns: a pause that has less of it is one of a machine that is busy.
 */
const longestPause = <E, R>(until: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function*() {
    const { set } = yield* map
    const calls = yield* Effect.forkChild(Effect.forever(set(keyAt(0), value)))
    let [pause, work] = [0, 0]
    const [time] = yield* Effect.timed(Effect.scoped(Effect.andThen(
      Effect.acquireRelease(
        Effect.sync(() => {
          let [now, used] = [performance.now(), threadTime()]
          return setInterval(() => {
            const [before, usedBefore] = [now, used]
            now = performance.now()
            used = threadTime()
            pause = Math.max(pause, now - before)
            work = Math.max(work, used - usedBefore)
          }, 1)
        }),
        (timer) => Effect.sync(() => clearInterval(timer))
      ),
      until
    )))
    yield* Fiber.interrupt(calls)
    return `${pause.toFixed(1)} ms, of work ${work.toFixed(1)} ms; in ${seconds(time)}`
  })

/** The processor time of this thread, in milliseconds. */
const threadTime = (): number => {
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1_000
}

const seconds = (time: Duration.Duration): string => `${Duration.toSeconds(time).toFixed(1)} s`

/** How long something takes, with the processor time of this process. */
const measured = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const before = process.cpuUsage()
    return Effect.map(Effect.timed(effect), ([time, result]) => {
      const { system, user } = process.cpuUsage(before)
      return { result, took: `${seconds(time)}, of work ${((system + user) / 1e6).toFixed(1)} s` }
    })
  })

/** Waits for a snapshot. */
const snapshot = (log: Log.Log["Service"]) =>
  Effect.repeat(log.snapshot(realm), { until: Option.isSome, schedule: Schedule.spaced("50 millis") })

const report = (what: string, result: string) => Console.log(`${what.padEnd(66)} ${result}`)

/** A manager whose state is in a file. Returns its log, and how long its start took. */
const durable = Effect.fnUntraced(function*(path: string, entriesMin: number) {
  const file = yield* SqliteFile.open({ path })
  const log = yield* Compaction.compacted({ ...file, realm, limits: {}, entriesMin })
  const { result: server, took } = yield* measured(
    Manager.makeDurableServer({ key, log: { log, realm, leader: { host: "bench", port: 0 }, compactAfter: Infinity } })
  )
  const manager = yield* Manager.makeLocal(server, key)
  return { log: file.log, took, use: Effect.provideService(Manager.Manager, manager) }
})

const sqlite = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "million-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const [items, changes] = [join(folder, "items"), join(folder, "changes")]
  yield* Effect.scoped(Effect.flatMap(durable(changes, Infinity), ({ use }) => use(Effect.scoped(change))))
  const again = yield* Effect.scoped(Effect.map(durable(changes, Infinity), ({ took }) => took))
  yield* report("SQLite: recovery, a million changes after the last snapshot", again)
  yield* Effect.scoped(Effect.flatMap(durable(items, Infinity), ({ use }) => use(Effect.scoped(fill))))
  yield* Effect.scoped(Effect.gen(function*() {
    const { log, use } = yield* durable(items, 1)
    yield* report("SQLite: longest pause, a snapshot of a million items", yield* use(longestPause(snapshot(log))))
    yield* report("SQLite: longest pause, no snapshot", yield* use(longestPause(Effect.sleep("3 seconds"))))
  }))
  const loaded = yield* Effect.scoped(Effect.map(durable(items, Infinity), ({ took }) => took))
  yield* report("SQLite: recovery, a snapshot of a million items", loaded)
})

const postgres = Effect.gen(function*() {
  const url = yield* PostgresServer.start(false)
  const log = Context.get(yield* Layer.build(PostgresLog.layer({ url: Redacted.make(url) })), Log.Log)
  const candidate = yield* Manager.makeCandidate({ key, realm, log, lease })
  yield* Effect.forkScoped(candidate.run({ host: "bench", port: 1 }))
  yield* Effect.repeat(Effect.sleep("10 millis"), { until: candidate.isLeading })
  const label = { name: "bench", pid: process.pid }
  const manager = yield* Manager.makeConnected(Manager.openLocal(candidate), { address: realm, key, label })
  const use = Effect.provideService(Manager.Manager, manager)
  yield* use(Effect.scoped(fill))
  yield* report("PostgreSQL: longest pause, no snapshot", yield* use(longestPause(Effect.sleep("3 seconds"))))
  yield* server(new URL("./follower.ts", import.meta.url), url)
  yield* report("PostgreSQL: longest pause, a snapshot of a million items", yield* use(longestPause(snapshot(log))))
})

const main = Effect.gen(function*() {
  yield* Effect.scoped(sqlite)
  yield* Effect.scoped(postgres)
}).pipe(Effect.scoped, Effect.provide(Manager.layerCrypto))

NodeRuntime.runMain(main)
