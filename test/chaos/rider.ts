/**
 * The client of a manager behind a bad network: it adds, offers and takes items, and writes under a lock into a store that
 * it reaches by a session of its own, as a service of another machine is reached. It connects again whenever its session is
 * lost, until its time is over.
 */
import { parse } from "#node/address.ts"
import * as Network from "#node/network.ts"
import { Manager, SharedLock, SharedQueue, SharedRef, Task, TaskGroup } from "@effect-multiprocessing/core"
import { Random } from "@effect-multiprocessing/core/testing"
import { Clock, Effect, Result, Schema } from "effect"
import { record } from "../stress/WireLog.ts"

/** What the store has: the number of writes, and the token of the lock under which the last one was made. */
export const Written = Schema.Struct({ count: Schema.Int, token: Schema.Number })

/** The total of all additions. */
export const total = SharedRef.make({ name: "total", schema: Schema.Int, initial: 0 })
export const store = SharedRef.make({ name: "store", schema: Written, initial: { count: 0, token: 0 } })
const lock = SharedLock.make({ name: "lock" })
const items = SharedQueue.make({ name: "items", item: Schema.Int, attempts: 1_000 })

/** Rides until a time, in milliseconds of the epoch. */
export const Ride = Task.make("Ride", {
  payload: {
    url: Schema.String,
    key: Schema.RedactedFromValue(Schema.String),
    /** The certificate of the authority; empty: no TLS. */
    ca: Schema.String,
    graceMs: Schema.Int,
    /** The wire logs of its sessions are files whose names begin so. */
    wireLog: Schema.String,
    seed: Schema.Int,
    until: Schema.Number,
    /** Whether the store refuses what bears the token of an older holder. */
    isFenced: Schema.Boolean
  }
})

type Ride = typeof Ride.payload.Type

/** The tasks of a chaotic network. */
export const Riders = TaskGroup.make("riders", { tasks: [Ride] })

/** A session that survives its connections for a time; its bytes are written to a wire log, if there is one. */
const session = ({ ca, key, url }: Ride, graceMs: number, wireLog: string | undefined) =>
  Effect.gen(function*() {
    const target = Result.getOrThrow(parse(url))
    if ("path" in target) return yield* Effect.die(url)
    const open = Network.connect(target, { tls: ca === "" ? undefined : { ca } })
    return yield* Manager.makeConnected(
      wireLog === undefined ? open : Effect.flatMap(open, (link) => record(link, wireLog)),
      { address: url, key, label: { name: wireLog ?? "store", pid: process.pid }, reconnect: { grace: graceMs } }
    )
  }).pipe(Effect.provide(Manager.layerCrypto))

const ride = (options: Ride, number: number, random: Random, isOver: Effect.Effect<boolean>) =>
  Effect.gen(function*() {
    const there = yield* session(options, 60_000, undefined)
    const here = yield* session(options, options.graceMs, `${options.wireLog}-${number}`)
    const stored = yield* Effect.provideService(store, Manager.Manager, there)
    const [sum, gate, queue] = yield* Effect.provideService(Effect.all([total, lock, items]), Manager.Manager, here)
    // A body that is interrupted cannot call back what is on its way to another machine.
    const write = (token: number, more: number) =>
      Effect.uninterruptible(stored.modify((now) =>
        options.isFenced && now.token > token ? [now, now] : [now, { count: now.count + more, token }]
      ))
    const turn = gate.withHold(Effect.fnUntraced(function*({ token }) {
      // From here on the store knows that there is a newer holder.
      yield* write(token, 0)
      yield* Effect.sleep(random.below(20))
      yield* write(token, 1)
    }))
    const move = Effect.suspend(() =>
      Effect.andThen(
        queue.offer(random.below(1_000_000)),
        queue.process(() =>
          Effect.sleep(random.below(3))
        )
      )
    )
    // One that has lost a lock or a lease goes on. When the session is lost, all of them fail.
    const works: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
      sum.increment,
      Effect.catchTag(move, "LeaseLost", () => Effect.void),
      Effect.catchTag(turn, "LockLost", () => Effect.void)
    ]
    yield* Effect.forEach(works, (work) => Effect.repeat(work, { until: () => isOver }), {
      concurrency: "unbounded",
      discard: true
    })
  }).pipe(Effect.scoped)

/** The handler of the task. */
export const riding = Riders.toLayer({
  Ride: Effect.fnUntraced(function*(options) {
    const random = new Random(options.seed)
    const isOver = Effect.map(Clock.currentTimeMillis, (now) => now >= options.until)
    let sessions = 0
    yield* Effect.repeat(
      Effect.exit(Effect.suspend(() => ride(options, ++sessions, random, isOver))),
      { until: () => isOver }
    )
  })
})
