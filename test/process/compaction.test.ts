/** The log of a durable manager is compacted while the manager runs, by a thread beside it. */
import * as Compaction from "#node/compaction.ts"
import * as SqliteFile from "#node/sqliteFile.ts"
import { Log, Manager, SharedMap, SharedQueue } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Logger, Option, Redacted, Schedule, Schema, Stream } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const realm = "manager"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "compaction-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A manager with its log. */
const start = Effect.fnUntraced(function*(path: string, options: Partial<Compaction.CompactionOptions> = {}) {
  const file = yield* SqliteFile.open({ path, survives: "process" })
  const compacted = yield* Compaction.compacted({ ...file, realm, limits: {}, entriesMin: 50, ...options })
  const key = Redacted.make("the key of the compaction")
  const server = yield* Manager.makeDurableServer({
    key,
    log: { log: compacted, realm, leader: { host: "host.test", port: 0 }, compactAfter: Infinity }
  })
  const manager = yield* Manager.makeLocal(server, key)
  return { log: file.log, use: Effect.provideService(Manager.Manager, manager) }
}, Effect.provide(Manager.layerCrypto))

const map = SharedMap.make({ name: "map", key: Schema.Int, value: Schema.Int })
const queue = SharedQueue.make({ name: "queue", item: Schema.Int })

/** Each one is an entry of its own. */
const setSome = (from: number, count: number) =>
  Effect.flatMap(
    map,
    ({ set }) => Effect.forEach(Array.from({ length: count }, (_, i) => from + i), (n) => set(n, n), { discard: true })
  )

describe("the log of a manager that runs", () => {
  it.live("is replaced by a snapshot again and again, and the next manager has all", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "state")
      let entries = 0
      yield* Effect.gen(function*() {
        const { log, use } = yield* start(path)
        yield* use(Effect.flatMap(queue, ({ offer }) => offer(7)))
        let last = 0
        for (let snapshots = 0; snapshots < 3; snapshots++) {
          let position = last
          // As many entries again as the thread needs time for.
          while (position === last) {
            yield* use(setSome(entries, 50))
            entries += 50
            position = Option.match(yield* log.snapshot(realm), { onNone: () => 0, onSome: ({ position }) => position })
          }
          last = position
        }
        const read = yield* Effect.flip(Stream.runDrain(log.read(realm, 0)))
        assert.instanceOf(read, Log.Compacted)
      }).pipe(Effect.scoped)
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* (yield* map).size, entries)
        assert.strictEqual(yield* (yield* queue).take, 7)
      }).pipe(Effect.scoped, Effect.provide(NodeManager.layerDurable({ path })))
    }).pipe(Effect.scoped))

  it.live("is replaced by a snapshot soon after a start if it is long by then", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "state")
      yield* Effect.scoped(
        Effect.flatMap(start(path, { entriesMin: Infinity }), ({ use }) => use(Effect.scoped(setSome(0, 60))))
      )
      const { log } = yield* start(path)
      const found = yield* Effect.repeat(log.snapshot(realm), {
        until: Option.isSome,
        schedule: Schedule.spaced("5 millis")
      })
      assert.isAtLeast(Option.getOrThrow(found).position, 60)
    }).pipe(Effect.scoped))

  it.live.each<[string, Partial<Compaction.CompactionOptions>]>([
    ["there is no such realm", { realm: "none" }],
    ["its thread does not start", { limits: { objectsMax: (() => {}) as never } }]
  ])(
    "grows, with a warning, when no snapshot can be made because %s, and the manager goes on",
    ([, options]) =>
      Effect.gen(function*() {
        const path = join(yield* folder, "state")
        const warned = yield* Deferred.make<string>()
        const { use } = yield* start(path, options).pipe(
          Effect.provide(Logger.layer([
            Logger.make(({ message }) => Deferred.doneUnsafe(warned, Effect.succeed(String(message))))
          ]))
        )
        yield* use(setSome(0, 100))
        assert.match(yield* Deferred.await(warned), /No snapshot was made, so the log of the manager grows: /)
        yield* use(setSome(100, 10))
      }).pipe(Effect.scoped)
  )
})
