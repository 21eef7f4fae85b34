/** What a connection owes the manager is sent whatever else it waits for; what its end owes its calls is told. */
import { HandleRegistry } from "#core/client/Received.ts"
import * as Remote from "#core/proxy/Remote.ts"
import { Manager, SharedLock, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, References, Schema, Scope, Stream } from "effect"
import { countingClock } from "../../support/countingClock.ts"
import { Holdable } from "../../support/links.ts"
import * as Memory from "../../support/Memory.ts"

const open = SharedRef.make({ name: "ref", schema: Schema.Int, initial: 0 })

/** A client that may send one call at a time. It hears nothing while `held` holds. Nothing of it is collected as garbage. */
const setUp = Effect.gen(function*() {
  const memory = yield* Memory.make({ limits: { inFlightMax: 1 } })
  const held = new Holdable()
  const kept = new Set<object>()
  const registry = () => ({
    register: (list: object) => kept.add(list),
    unregister: (list: object) => kept.delete(list)
  })
  const connected = yield* Effect.provideService(memory.connect({ server: held.wrap }), HandleRegistry, registry)
  const as = Effect.provideService(Manager.Manager, connected.manager)
  return { memory, connected, held, kept, as, ref: yield* as(open), state: memory.server.engine.state }
})

describe("a client whose window is full", () => {
  it.live("gives back at once what it holds (S-8)", () =>
    Effect.gen(function*() {
      const { as, held, ref, state } = yield* setUp
      const lock = yield* as(SharedLock.make())
      yield* lock.withLock(Effect.gen(function*() {
        held.hold()
        yield* Effect.forkDetach(ref.increment, { startImmediately: true })
        yield* Memory.until("a reply is on its way", () => held.pendingBytes > 0)
      }))
      yield* Memory.until("it is free", () => state.counts.holders === 0)
    }))

  it.live("that loses its link says of each call whether it was sent", () =>
    Effect.gen(function*() {
      const { connected, held, ref } = yield* setUp
      held.hold()
      const [sent, waiting] = yield* Effect.forEach(
        [1, 2],
        () => Effect.forkChild(Effect.flip(ref.get), { startImmediately: true })
      )
      yield* Memory.until("a reply is on its way", () => held.pendingBytes > 0)
      connected.cut("pulled")
      assert.strictEqual((yield* Fiber.join(sent!)).reason._tag, "OutcomeUnknown")
      assert.strictEqual((yield* Fiber.join(waiting!)).reason._tag, "NotExecuted")
    }))
})

it.live("a client acknowledges a request of several calls of which one changes something", () =>
  Effect.gen(function*() {
    const { as, connected, memory, ref, state } = yield* setUp
    const other = yield* as(SharedRef.make({ schema: Schema.Int, initial: 1 }))
    assert.deepStrictEqual(yield* as(Manager.atomic([other.get, ref.increment])), [1, 1])
    yield* Memory.settled(memory, connected)
    assert.strictEqual(state.sessions.get(connected.manager.connection.agreement.session)!.answered.size, 0)
  }))

describe("a client that interrupts", () => {
  it.live("a read that waits ends it in the manager", () =>
    Effect.gen(function*() {
      const { ref, state } = yield* setUp
      const read = yield* Effect.forkChild(ref.untilEquals(7), { startImmediately: true })
      yield* Memory.until("it waits", () => state.counts.waiters === 1)
      yield* Fiber.interrupt(read)
      yield* Memory.until("it is withdrawn", () => state.counts.waiters === 0)
    }))

  it.live("a change whose reply is on its way acknowledges it: it stands, and is forgotten", () =>
    Effect.gen(function*() {
      const { connected, held, memory, ref, state } = yield* setUp
      held.hold()
      const increment = yield* Effect.forkChild(ref.increment, { startImmediately: true })
      yield* Memory.until("a reply is on its way", () => held.pendingBytes > 0)
      const interruption = yield* Effect.forkChild(Fiber.interrupt(increment), { startImmediately: true })
      held.release()
      yield* Fiber.join(interruption)
      yield* Memory.settled(memory, connected)
      assert.strictEqual(state.sessions.get(connected.manager.connection.agreement.session)!.answered.size, 0)
      assert.strictEqual(yield* ref.get, 1)
    }))
})

describe("handles that nobody reads any more are given back (S-24):", () => {
  /** A ref of locks and a queue of locks of a client that hears nothing while `held` holds, as another one has them. */
  const locks = Effect.gen(function*() {
    const { as, connected, held, kept, memory, state } = yield* setUp
    const { manager } = yield* memory.connect()
    const asOther = Effect.provideService(Manager.Manager, manager)
    const lock = yield* asOther(SharedLock.make())
    const next = yield* asOther(SharedLock.make())
    const openRef = SharedRef.make({ name: "lock", schema: SharedLock.schema, initial: lock })
    const openQueue = SharedQueue.make({ name: "locks", item: SharedLock.schema })
    const others = yield* asOther(Effect.all({ ref: openRef, queue: openQueue }))
    const own = yield* as(Effect.all({ ref: openRef, queue: openQueue }))
    const { imports } = state.sessions.get(connected.manager.connection.agreement.session)!
    /** Whether the client has a handle of the next lock. */
    const hasNext = () => imports.has(next[Remote.TypeId].target.id)
    const isGivenBack = Memory.until("it is given back", () => !hasNext())
    return { others, own, next, held, kept, hasNext, isGivenBack }
  })

  it.live("of a reply whose call was interrupted", () =>
    Effect.gen(function*() {
      const { hasNext, held, isGivenBack, next, others, own } = yield* locks
      yield* others.queue.offer(next)
      held.hold()
      const take = yield* Effect.forkChild(own.queue.take, { startImmediately: true })
      yield* Memory.until("the reply is on its way", hasNext)
      const interruption = yield* Effect.forkChild(Fiber.interrupt(take), { startImmediately: true })
      yield* Memory.until("it comes back", () => held.pendingBytes > 0)
      held.release()
      yield* Fiber.join(interruption)
      yield* isGivenBack
    }))

  it.live("of an event that its reader had not come to", () =>
    Effect.gen(function*() {
      const { isGivenBack, kept, next, others, own } = yield* locks
      const began = yield* Deferred.make<void>()
      const reading = yield* Effect.forkChild(
        Stream.runForEach(own.ref.changes, () => Effect.andThen(Deferred.succeed(began, undefined), Effect.never))
      )
      yield* Deferred.await(began)
      const before = kept.size
      yield* others.ref.set(next)
      yield* Memory.until("the event has arrived", () => kept.size > before)
      yield* Fiber.interrupt(reading)
      yield* isGivenBack
    }))

  it.live("of an event whose reader had gone", () =>
    Effect.gen(function*() {
      const { hasNext, held, isGivenBack, next, others, own } = yield* locks
      const began = yield* Deferred.make<void>()
      const reading = yield* Effect.forkChild(
        Stream.runForEach(own.ref.changes, () => Deferred.succeed(began, undefined))
      )
      yield* Deferred.await(began)
      held.hold()
      yield* others.ref.set(next)
      yield* Memory.until("the event is on its way", hasNext)
      yield* Fiber.interrupt(reading)
      held.release()
      yield* isGivenBack
    }))
})

it.live("an update whose function throws gives back its reservation (S-28)", () =>
  Effect.gen(function*() {
    const { ref, state } = yield* setUp
    let runs = 0
    const throws = ref.update((n) => {
      if (++runs > 1) throw new Error("the second time")
      return n + 1
    })
    const [, failed] = yield* Effect.all([ref.update((n) => n + 1), Effect.exit(throws)], { concurrency: 2 })
    assert.isTrue(Exit.isFailure(failed))
    yield* Memory.until("nobody has a reservation", () => state.counts.holders === 0)
  }))

describe("a client leaves no timer behind", () => {
  /** A client whose clock counts the timers that are set, with a call that waits. */
  const waiting = Effect.gen(function*() {
    const memory = yield* Memory.make()
    const { clock, timers } = yield* countingClock
    const connected = yield* Effect.provideService(memory.connect(), Clock.Clock, clock)
    const queue = yield* Effect.provideService(
      SharedQueue.make({ item: Schema.Int }),
      Manager.Manager,
      connected.manager
    )
    const take = yield* Effect.forkChild(Effect.exit(queue.take))
    yield* Memory.until("it waits", () => memory.server.engine.state.counts.waiters === 1)
    yield* queue.size
    return { connected, take, timers }
  })
  const noTimer = (timers: { readonly set: number }) => Memory.until("no timer is left", () => timers.set === 0)

  it.effect("when its connection ends while calls wait that are logged after a while", () =>
    Effect.gen(function*() {
      const { connected, take, timers } = yield* waiting
      assert.strictEqual(timers.set, 1)
      connected.cut("pulled")
      yield* Fiber.join(take)
      yield* noTimer(timers)
    }).pipe(Effect.provideService(References.MinimumLogLevel, "Debug")))

  it.effect("when a call that was interrupted has been settled", () =>
    Effect.gen(function*() {
      const { take, timers } = yield* waiting
      yield* Fiber.interrupt(take)
      yield* noTimer(timers)
    }))
})

describe("a client that ends", () => {
  it.live("sends its last receipts: what it took does not come back", () =>
    Effect.gen(function*() {
      const { as, memory } = yield* setUp
      const jobs = SharedQueue.make({ name: "jobs", item: Schema.Int })
      const queue = yield* as(jobs)
      yield* queue.offer(1)
      const { manager } = yield* memory.connect()
      const theirs = yield* Effect.provideService(jobs, Manager.Manager, manager)
      assert.strictEqual(yield* theirs.take, 1)
      manager.connection.close()
      yield* Memory.until("its session has ended", () => memory.server.engine.state.sessions.size === 1)
      assert.strictEqual(yield* queue.size, 0)
    }))

  it.live("with its scope says goodbye, and its later calls fail with that reason", () =>
    Effect.gen(function*() {
      const { memory } = yield* setUp
      const scope = yield* Scope.make()
      // The link has a longer life.
      const { client } = yield* memory.dial()
      const manager = yield* Scope.provide(
        Manager.makeConnected(Effect.succeed(client), {
          address: "memory",
          key: Memory.key,
          label: { name: "ends", pid: 0 }
        }),
        scope
      ).pipe(Effect.provide(Manager.layerCrypto))
      yield* manager.counts
      yield* Scope.close(scope, Exit.void)
      assert.include((yield* Effect.flip(manager.counts)).message, "the scope of this manager was closed")
      yield* Memory.until("its session has ended", () => memory.server.engine.state.sessions.size === 1)
    }))

  it.live("loses its locks: their bodies are interrupted, also one that begins then (S-22)", () =>
    Effect.gen(function*() {
      const { as, connected } = yield* setUp
      const lock = yield* as(SharedLock.make())
      const held = yield* Deferred.make<void>()
      const holding = lock.withLock(Effect.andThen(Deferred.succeed(held, undefined), Effect.never))
      const body = yield* Effect.forkChild(Effect.flip(holding))
      yield* Deferred.await(held)
      connected.cut("pulled")
      const error = yield* Fiber.join(body)
      assert.strictEqual(error._tag, "LockLost")
      assert.include(error.message, "pulled")
      let lost = false
      connected.manager.connection.onLost(1, () => lost = true)
      assert.isTrue(lost)
    }))
})
