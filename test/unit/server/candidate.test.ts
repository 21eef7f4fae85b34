/** Candidates on one log in memory: who leads, and what the others say. */
import { type Link, Log, Manager, ManagerError, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { makeMemoryLog } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Option, Redacted, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Lossy } from "../../support/links.ts"
import { until } from "../../support/Memory.ts"

const realm = "realm"
const key = Redacted.make("the key of the realm")

/** A candidate that campaigns for the life of the scope. */
const campaign = Effect.fnUntraced(function*(log: Log.Log["Service"], port: number, compactAfter?: number) {
  const candidate = yield* Manager.makeCandidate({ key, realm, log, lease: "2 seconds", compactAfter })
  yield* Effect.forkScoped(candidate.run({ host: "host.test", port }))
  return candidate
})

/** A log whose leaders renew their leases in another way. */
const renewing = (
  log: Log.Log["Service"],
  as: (renew: Log.Leadership["renew"]) => Log.Leadership["renew"]
): Log.Log["Service"] => ({
  ...log,
  claim: (...args) =>
    Effect.map(
      log.claim(...args),
      Option.map(({ renew, ...leadership }) => ({ ...leadership, renew: as(renew) }))
    )
})

const connect = (candidate: Manager.Candidate, reconnect?: Manager.Reconnect, wrap = (link: Link.Link) => link) =>
  Manager.makeConnected(Effect.map(Manager.openLocal(candidate), wrap), {
    address: "memory",
    key,
    label: { name: "client", pid: 0 },
    reconnect
  })

const sum = SharedRef.make({ name: "sum", schema: Schema.Int, initial: 0 })

/** Why a host serves nobody. */
const refusal = (candidate: Manager.Candidate) =>
  Effect.map(Effect.flip(Effect.scoped(connect(candidate))), ({ reason }) => reason)

describe("a candidate", () => {
  it.live("leads when nobody does, and follows when another one leads", () =>
    Effect.gen(function*() {
      const log = makeMemoryLog()
      const first = yield* campaign(log, 1)
      yield* until("it leads", first.isLeading)
      const second = yield* campaign(log, 2)
      const number = yield* Effect.provideService(sum, Manager.Manager, yield* connect(first))
      yield* number.increment
      assert.instanceOf(yield* refusal(second), ManagerError.ConnectFailed)
      assert.isFalse(second.isLeading())
      // Its process has ended, as far as the second one knows.
      second.suspect(Option.getOrThrow(yield* log.head(realm)).epoch)
      yield* until("the second one leads", second.isLeading)
      const again = yield* Effect.provideService(sum, Manager.Manager, yield* connect(second))
      assert.strictEqual(yield* again.get, 1)
      yield* Effect.flip(number.get)
    }).pipe(Effect.scoped, Effect.provide(Manager.layerCrypto)))

  it.live("does not take an end of the log that it has seen late for a loss of entries", () =>
    Effect.gen(function*() {
      const log = makeMemoryLog()
      const leader = yield* campaign(log, 1)
      yield* until("it leads", leader.isLeading)
      const old = yield* log.head(realm)
      const number = yield* Effect.provideService(sum, Manager.Manager, yield* connect(leader))
      yield* number.increment
      let isPast = false
      const past = Effect.sync(() => isPast = true)
      const heads = Stream.fromEffect(log.head(realm)).pipe(
        Stream.concat(Stream.succeed(old)),
        Stream.concat(Stream.fromEffect(Effect.andThen(past, Effect.never)))
      )
      const follower = yield* campaign({ ...log, watch: () => heads }, 2)
      const reason = yield* Effect.repeat(Effect.delay(refusal(follower), 1), {
        until: (reason) => isPast || reason._tag === "HandshakeRefused"
      })
      assert.instanceOf(reason, ManagerError.ConnectFailed)
    }).pipe(Effect.scoped, Effect.provide(Manager.layerCrypto)))

  it.live("replaces entries by a snapshot while it follows, as often as it is told", () =>
    Effect.gen(function*() {
      const log = makeMemoryLog()
      const leader = yield* campaign(log, 1, 1)
      yield* until("it leads", leader.isLeading)
      const number = yield* Effect.provideService(sum, Manager.Manager, yield* connect(leader))
      let others = 0
      const putSnapshot = () => Effect.sync(() => void others++)
      yield* campaign({ ...log, putSnapshot }, 2, Infinity)
      yield* campaign(log, 3, 10)
      const increments = Effect.repeat(number.increment, { times: 20 })
      yield* Effect.repeat(Effect.andThen(increments, log.snapshot(realm)), { until: Option.isSome })
      assert.strictEqual(others, 0)
    }).pipe(Effect.scoped, Effect.provide(Manager.layerCrypto)))

  it.live("is not made with a number of entries that is none", () =>
    Effect.gen(function*() {
      for (const compactAfter of [0, -1, NaN]) {
        const options = { key, realm, log: makeMemoryLog(), lease: "2 seconds", compactAfter } as const
        const { message } = yield* Effect.flip(Manager.makeCandidate(options))
        assert.include(message, `compactAfter must be at least 1, it is ${compactAfter}`)
      }
    }).pipe(Effect.provide(Manager.layerCrypto)))

  it.live("that has seen more of the log than there is takes the realm, and refuses every client", () =>
    Effect.gen(function*() {
      const log = makeMemoryLog()
      const leader = yield* campaign(log, 1)
      yield* until("it leads", leader.isLeading)
      const number = yield* Effect.provideService(sum, Manager.Manager, yield* connect(leader))
      yield* number.increment
      let isRegressed = false
      const head = (name: string) =>
        Effect.map(log.head(name), Option.map((now) => isRegressed ? { ...now, position: 1 } : now))
      const follower = yield* campaign({ ...log, head, watch: (name) => Log.heads(head(name)) }, 2)
      yield* Effect.sleep(100)
      isRegressed = true
      const isDamaged = Effect.map(
        refusal(follower),
        (reason) => reason._tag === "HandshakeRefused" && reason.why === "LogDamaged"
      )
      yield* Effect.repeat(Effect.delay(isDamaged, 10), { until: (damaged) => damaged })
      yield* Effect.repeat(Effect.sleep(10), { until: () => !leader.isLeading() })
    }).pipe(Effect.scoped, Effect.provide(Manager.layerCrypto)))

  it.effect("is confirmed for no longer than others count it as heard, however late the store answers", () =>
    Effect.gen(function*() {
      const log = makeMemoryLog()
      let isHeard = true
      // Each renewal is made at once, and answered after most of a lease; later ones are not made.
      const late = renewing(
        log,
        (renew) => Effect.suspend(() => isHeard ? Effect.tap(renew, Effect.sleep("1800 millis")) : Effect.never)
      )
      const leader = yield* campaign(late, 1)
      const silent = Effect.map(log.head(realm), (head) => Duration.toMillis(Option.getOrThrow(head).silent))
      yield* until("it leads", leader.isLeading)
      yield* TestClock.adjust(5_000)
      isHeard = false
      yield* TestClock.adjust(Duration.millis(1_999 - (yield* silent)))
      assert.isTrue(leader.isLeading())
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* silent, 2_000)
      assert.isFalse(leader.isLeading())
      // A renewal that is answered later than a lease after it was sent confirms nothing.
      yield* TestClock.adjust(10_000)
      assert.isFalse(leader.isLeading())
    }).pipe(Effect.scoped, Effect.provide(Manager.layerCrypto)))

  it.effect("keeps the session of a client in its own process that gives up a silent link", () =>
    Effect.gen(function*() {
      const log = renewing(makeMemoryLog(), (renew) => Effect.tap(renew, Effect.sleep("100 millis")))
      const leader = yield* campaign(log, 1)
      yield* until("it leads", leader.isLeading)
      const lossy = new Lossy()
      let opened = 0
      const manager = yield* connect(leader, { grace: "10 seconds" }, (link) => {
        opened++
        return lossy.wrap(link)
      })
      const number = yield* Effect.provideService(sum, Manager.Manager, manager)
      lossy.die()
      const adding = yield* Effect.forkChild(number.increment)
      yield* Effect.repeat(Effect.andThen(TestClock.adjust("100 millis"), Effect.yieldNow), { until: () => opened > 1 })
      yield* Fiber.join(adding)
    }).pipe(Effect.scoped, Effect.provide(Manager.layerCrypto)))

  it.live("ends the session of a client in its own process with the scope of that", () =>
    Effect.gen(function*() {
      const leader = yield* campaign(makeMemoryLog(), 1)
      yield* until("it leads", leader.isLeading)
      yield* Effect.scoped(connect(leader, { grace: "1 minute" }))
      const { sessions } = yield* (yield* connect(leader)).inspect
      assert.strictEqual(sessions.length, 1)
    }).pipe(Effect.scoped, Effect.provide(Manager.layerCrypto)))

  it.effect("that is gone, and after which nobody comes, delays no interruption", () =>
    Effect.gen(function*() {
      const hosts = yield* Scope.make()
      const leader = yield* Scope.provide(campaign(makeMemoryLog(), 1), hosts)
      yield* until("it leads", leader.isLeading)
      const manager = yield* connect(leader, { grace: "10 seconds" })
      const items = yield* Effect.provideService(SharedQueue.make({ item: Schema.Int }), Manager.Manager, manager)
      const waiting = yield* Effect.forkChild(Effect.asVoid(items.take))
      yield* until("it waits", () => manager.connection.pending === 1)
      yield* Scope.close(hosts, Exit.void)
      const unsent = yield* Effect.forkChild(items.offer(1), { startImmediately: true })
      // No time goes by.
      yield* Fiber.interruptAll([waiting, unsent])
      for (const fiber of [waiting, unsent]) assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
    }).pipe(Effect.scoped, Effect.provide(Manager.layerCrypto)))
})
