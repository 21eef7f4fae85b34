/** Any number of calls of one process may wait: nothing that they meet recurses once for each of them. */
import type { Link } from "#core/transport/Link.ts"
import {
  Manager,
  SharedBarrier,
  SharedCondition,
  SharedLatch,
  SharedLock,
  SharedQueue,
  SharedRef,
  SharedSemaphore
} from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema, type Scope } from "effect"
import { budget, sample } from "../../support/budget.ts"
import * as Memory from "../../support/Memory.ts"

/**
 * More than a window (`inFlightMax`): half of a window becomes free at once, for which a stack has no room. A million with
 * `TEST_BUDGET=400`.
 */
const calls = Math.max(20_000, budget(2_500))

/** One call that waits, made many times, and what lets all of them end. */
interface Waiting {
  readonly call: Effect.Effect<unknown, unknown>
  readonly release: Effect.Effect<unknown, unknown>
}

const waits: Readonly<Record<string, Effect.Effect<Waiting, unknown, Manager.Manager | Scope.Scope>>> = {
  "take of a queue": Effect.map(SharedQueue.make({ item: Schema.Int, capacity: calls }), (queue) => ({
    call: queue.take,
    release: queue.offerAll(Array.from({ length: calls }, (_, i) => i))
  })),
  "offer to a full queue": Effect.map(SharedQueue.make({ item: Schema.Int, capacity: 1 }), (queue) => ({
    call: queue.offer(1),
    release: Effect.repeat(queue.take, { times: calls - 2 })
  })),
  "process of a closed queue": Effect.map(SharedQueue.make({ item: Schema.Int }), (queue) => ({
    call: Effect.flip(queue.process(() => Effect.void)),
    release: queue.close
  })),
  "withLock": Effect.gen(function*() {
    const [lock, latch] = yield* Effect.all([SharedLock.make(), SharedLatch.make()])
    return { call: lock.withLock(SharedLock.unguarded(latch.await)), release: latch.open }
  }),
  "withPermits": Effect.gen(function*() {
    const [permits, latch] = yield* Effect.all([SharedSemaphore.make({ permits: 2 }), SharedLatch.make()])
    return { call: permits.withPermits(1)(SharedLock.unguarded(latch.await)), release: latch.open }
  }),
  "await of a latch": Effect.map(SharedLatch.make(), (latch) => ({
    call: latch.await,
    release: latch.open
  })),
  "await of a barrier": Effect.map(SharedBarrier.make({ parties: calls + 1 }), (barrier) => ({
    call: barrier.await,
    release: barrier.await
  })),
  "wait of a condition": Effect.map(SharedCondition.make(), (condition) => ({
    call: condition.withLock(condition.wait),
    release: condition.withLock(condition.notifyAll)
  })),
  "untilEquals of a ref": Effect.map(SharedRef.make({ schema: Schema.Int, initial: 0 }), (ref) => ({
    call: ref.untilEquals(1),
    release: ref.set(1)
  })),
  "untilSettled of a queue": Effect.gen(function*() {
    const queue = yield* SharedQueue.make({ item: Schema.Int })
    yield* queue.offer(1)
    return { call: queue.untilSettled, release: queue.take }
  })
}

/** A link that hands over what has arrived in one piece, as a socket does: one turn has any number of messages. */
const inLargeReads = (link: Link): Link => ({
  ...link,
  read: ({ onBytes, onDrain }) => {
    const pieces: Array<Uint8Array> = []
    return link.read({
      onDrain,
      onBytes: (bytes) => {
        if (pieces.push(bytes.slice()) === 1) queueMicrotask(() => onBytes(Buffer.concat(pieces.splice(0))))
      }
    })
  }
})

describe(`${calls} calls of one process wait, and another one's lock is held meanwhile:`, () => {
  for (const [name, wait] of sample(Object.entries(waits))) {
    it.live(name, () =>
      Effect.gen(function*() {
        const memory = yield* Memory.make({ judged: false, limits: { waitersPerObjectMax: Infinity } })
        const { manager } = yield* memory.connect({ client: inLargeReads })
        const { call, lock, release } = yield* Effect.all({ wait, lock: SharedLock.make() }).pipe(
          Effect.map(({ lock, wait }) => ({ lock, ...wait })),
          Effect.provideService(Manager.Manager, manager)
        )
        const holding = yield* Effect.forkChild(lock.withLock(Effect.never))
        const all = Effect.all(Array.from({ length: calls }, () => call), { concurrency: "unbounded", discard: true })
        const waiting = yield* Effect.forkChild(all)
        const { inFlightMax } = manager.connection.agreement.limits
        yield* Memory.until(
          "the window is full, and others wait for it",
          () => manager.connection.pending > inFlightMax
        )
        yield* Effect.andThen(release, Fiber.join(waiting))
        assert.isUndefined(holding.pollUnsafe())
        // Interrupted while they wait, or before they were sent.
        yield* Fiber.interrupt(yield* Effect.forkChild(all, { startImmediately: true }))
        assert.isTrue(yield* lock.isHeld)
      }).pipe(Effect.scoped))
  }
})
