/** Two candidates for a realm, one of which is killed, frozen or stopped: the other one goes on, and so do the clients. */
import { Manager, SharedLock, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { PostgresManager } from "@effect-multiprocessing/postgres"
import * as PgPool from "@effect/sql-pg/PgPool"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted, Schema, Stream } from "effect"
import { inject } from "vitest"
import type { CandidateArguments } from "../chaos/candidate.ts"
import { type Program, start, waitUntil } from "../process/harness.ts"
import type { AdderArguments } from "./fixtures/adder.ts"

const leaseMs = 1_000

const url = () => Redacted.make(`postgres://postgres@localhost/postgres?host=${inject("postgres")}`)

let schemas = 0

/** Two candidates, and what a test does with them. */
const hosts = Effect.gen(function*() {
  const schema = `failover ${++schemas}`
  const realm = "realm"
  const pool = yield* PgPool.make({ url: url(), maxConnections: 1 })
  const key = "the key of the realm"
  const told: CandidateArguments = { url: Redacted.value(url()), schema, realm, key, leaseMs, mutant: undefined }
  const launch = Effect.gen(function*() {
    const program = yield* start(new URL("../chaos/candidate.ts", import.meta.url), JSON.stringify(told))
    yield* waitUntil("it is connected", () => program.output().includes("ready"))
    return program
  })
  const programs = yield* Effect.all([launch, launch], { concurrency: "unbounded" })
  /** The epoch in which a program has led last. */
  const epochOf = (program: Program): number =>
    Number([...program.output().matchAll(/in epoch (\d+)/g)].at(-1)?.[1] ?? 0)
  const [leader, standby] = programs.sort((a, b) => epochOf(b) - epochOf(a))
  return {
    leader: leader!,
    standby: standby!,
    epochOf,
    launch,
    told,
    /** The entries that stand behind one of a newer leader. */
    stale: Effect.map(
      pool.use((connection) =>
        connection.query(`select count(*)::float8 as stale from "${schema}".entry where epoch < (
          select max(epoch) from "${schema}".entry before where before.position < entry.position
        )`)
      ),
      ({ rows: [row] }) => Number(row!["stale"])
    ),
    client: PostgresManager.layerClient({ url: url(), schema, realm, key: Redacted.make(key) })
  }
})

const items = SharedQueue.make({ name: "items", item: Schema.Int })
const sum = SharedRef.make({ name: "sum", schema: Schema.Int, initial: 0 })
const lock = SharedLock.make({ name: "lock" })

describe("a realm of two hosts", () => {
  it.live("goes on when its leader is killed: locks stay held, values stay, waiting calls wait on, tokens grow", () =>
    Effect.gen(function*() {
      const { client, epochOf, leader, standby } = yield* hosts
      yield* Effect.gen(function*() {
        const [queue, number, gate] = yield* Effect.all([items, sum, lock])
        const { epoch } = (yield* Manager.Manager).connection.agreement
        assert.strictEqual(epoch, epochOf(leader))
        yield* queue.offer(1)
        const waiting = yield* Effect.forkChild(Effect.andThen(queue.take, queue.take))
        const seen: Array<number> = []
        yield* Effect.forkChild(Stream.runForEach(number.changes, (value) => Effect.sync(() => seen.push(value))))
        const token = yield* gate.withHold(Effect.fnUntraced(function*({ token }) {
          yield* number.increment
          leader.process.kill("SIGKILL")
          // Its calls wait until the other host leads.
          yield* number.increment
          assert.isAbove(epochOf(standby), epoch)
          assert.strictEqual(yield* number.get, 2)
          return token
        }))
        assert.isAbove(yield* gate.withHold(({ token }) => Effect.succeed(token)), token)
        yield* queue.offer(2)
        assert.strictEqual(yield* Fiber.join(waiting), 2)
        yield* waitUntil("the watcher is told", () => seen.at(-1) === 2)
      }).pipe(Effect.scoped, Effect.provide(client))
    }).pipe(Effect.scoped))

  it.live("goes on when its leader is frozen for longer than its lease, which changes nothing when it wakes up", () =>
    Effect.gen(function*() {
      const { client, epochOf, leader, stale, standby } = yield* hosts
      yield* Effect.gen(function*() {
        const [number, gate] = yield* Effect.all([sum, lock])
        yield* gate.withLock(Effect.gen(function*() {
          const adding = yield* Effect.forkChild(Effect.forever(number.increment))
          leader.process.kill("SIGSTOP")
          yield* waitUntil("the other host leads", () => epochOf(standby) > epochOf(leader))
          const before = yield* number.get
          yield* Effect.repeat(number.get, { until: (now) => now > before })
          leader.process.kill("SIGCONT")
          yield* waitUntil(
            "it is refused",
            () => leader.output().includes(`epoch ${epochOf(leader)} of "realm" has ended`)
          )
          yield* Fiber.interrupt(adding)
        }))
        assert.strictEqual(yield* stale, 0)
      }).pipe(Effect.scoped, Effect.provide(client))
    }).pipe(Effect.scoped))

  it.live("hands over when its leader is stopped, whose own session ends then", () =>
    Effect.gen(function*() {
      const { client, epochOf, leader, standby } = yield* hosts
      yield* Effect.gen(function*() {
        const [number, gate] = yield* Effect.all([sum, lock])
        yield* gate.withLock(Effect.gen(function*() {
          yield* number.increment
          leader.process.kill("SIGTERM")
          yield* leader.exit
          yield* number.increment
        }))
        assert.strictEqual(yield* number.get, 2)
        assert.isAbove(epochOf(standby), epochOf(leader))
        const { sessions } = yield* (yield* Manager.Manager).inspect
        assert.deepStrictEqual(sessions.map(({ pid }) => pid).sort(), [standby.pid, process.pid].sort())
      }).pipe(Effect.scoped, Effect.provide(client))
    }).pipe(Effect.scoped))

  it.live("goes on for the workers of its hosts, too", () =>
    Effect.gen(function*() {
      const { client, launch, leader, standby, told } = yield* hosts
      yield* Effect.gen(function*() {
        const number = yield* sum
        const times = 600
        const adder = yield* start(
          new URL("./fixtures/adder.ts", import.meta.url),
          JSON.stringify({ ...told, times } satisfies AdderArguments)
        )
        yield* Effect.repeat(number.get, { until: (value) => value > 100 })
        leader.process.kill("SIGKILL")
        yield* Effect.repeat(number.get, { until: (value) => value > 200 })
        standby.process.kill("SIGKILL")
        // Now the adder leads, if no other host does.
        yield* launch
        yield* adder.exit
        assert.include(adder.output(), `the sum is ${times}`)
        assert.strictEqual(yield* number.get, times)
      }).pipe(Effect.scoped, Effect.provide(client))
    }).pipe(Effect.scoped))
})
