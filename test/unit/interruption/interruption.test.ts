/**
 * An operation that is interrupted at any step loses nothing, and leaves no hold and no waiter (S-9, S-10, S-18).
 */
import { violations } from "#core/engine/Invariants.ts"
import { TypeId } from "#core/proxy/Remote.ts"
import {
  Manager,
  SharedArray,
  SharedBarrier,
  SharedCondition,
  SharedLatch,
  SharedList,
  SharedLock,
  SharedMap,
  SharedQueue,
  SharedRef,
  SharedSemaphore
} from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Schema, type Scope, Stream } from "effect"
import { forEachInterruption, type Interruptible } from "../../support/interruption.ts"
import * as Memory from "../../support/Memory.ts"

/** Two clients of one manager. */
const base = Effect.gen(function*() {
  const memory = yield* Memory.make()
  return { memory, main: yield* memory.connect(), other: yield* memory.connect() }
})

type Base = Effect.Success<typeof base>

const asMain = ({ main }: Base) => Effect.provideService(Manager.Manager, main.manager)
const asOther = ({ other }: Base) => Effect.provideService(Manager.Manager, other.manager)

/** One queue of numbers, opened by both clients. */
const queues = (base: Base, capacity = 9) => {
  const open = SharedQueue.make({ name: "queue", item: Schema.Int, capacity })
  return Effect.all({ queue: asMain(base)(open), others: asOther(base)(open) })
}

/** Objects of several types with something to wait for. */
const waitedFor = Effect.all({
  ref: SharedRef.make({ schema: Schema.Int, initial: 0 }),
  map: SharedMap.make({ key: Schema.String, value: Schema.Int }),
  queue: SharedQueue.make({ item: Schema.Int })
})

type WaitedFor = Effect.Success<typeof waitedFor>

const drained = (queue: SharedQueue.SharedQueue<number>) =>
  Effect.flatMap(queue.size, (size) => Effect.all(Array.from({ length: size }, () => queue.take)))

/** Runs an effect as soon as a call waits. The returned effect runs it now if none has waited, and awaits its end. */
const onceWaiting = ({ memory }: Base, effect: Effect.Effect<unknown, unknown>) =>
  Effect.gen(function*() {
    let over = false
    const waiting = () => [...memory.server.engine.state.objects.values()].some((object) => object.waiting > 0)
    const fiber = yield* Effect.forkDetach(
      Effect.andThen(Memory.until("somebody waits", () => over || waiting()), effect)
    )
    return Effect.suspend(() => {
      over = true
      return Fiber.join(fiber)
    })
  })

/** Checks that neither side has a call, a waiter, a hold, a lease or a watcher left. */
const nothingLeft = ({ main, memory, other }: Base) =>
  Effect.gen(function*() {
    yield* Memory.settled(memory, main)
    yield* Memory.settled(memory, other)
    const { counts, objects } = memory.server.engine.state
    assert.deepStrictEqual(violations(memory.server.engine), [])
    assert.strictEqual(counts.holders, 0)
    for (const { waiting, watchers } of objects.values()) assert.deepStrictEqual([waiting, watchers.size], [0, 0])
  })

/** A property that holds wherever its program is interrupted. It is checked after `others` has ended. */
const interrupted = <S extends { readonly base: Base; readonly others?: Effect.Effect<unknown, unknown> }, A, E>(
  name: string,
  subject: (base: Base) => Effect.Effect<S, unknown, Scope.Scope>,
  { check, operations, program }: Interruptible<S, A, E>
) =>
  it.live(`${name}`, () =>
    Effect.gen(function*() {
      const steps = yield* forEachInterruption(base, subject, {
        program,
        operations,
        check: (made, exit) =>
          Effect.gen(function*() {
            yield* made.others ?? Effect.void
            yield* nothingLeft(made.base)
            yield* check(made, exit)
          })
      })
      assert.isAbove(steps, 5)
    }).pipe(Effect.scoped))

describe("interrupted at any step", () => {
  interrupted("take hands its item over or leaves it (S-18)", (base) =>
    Effect.gen(function*() {
      const { queue } = yield* queues(base)
      yield* queue.offer(1)
      return { base, queue, taken: new Array<number>() }
    }), {
    // A fiber that has the item may lose it. Here it can only be interrupted before that.
    operations: 3,
    program: ({ queue, taken }) => Effect.map(queue.take, (item) => taken.push(item)),
    check: ({ queue, taken }) => Effect.map(drained(queue), (left) => assert.deepStrictEqual([...taken, ...left], [1]))
  })

  interrupted("take that waited hands its item over or leaves it (S-18)", (base) =>
    Effect.gen(function*() {
      const { others, queue } = yield* queues(base)
      return { base, queue, others: yield* onceWaiting(base, others.offer(1)), taken: new Array<number>() }
    }), {
    operations: 3,
    program: ({ queue, taken }) => Effect.map(queue.take, (item) => taken.push(item)),
    check: ({ queue, taken }) => Effect.map(drained(queue), (left) => assert.deepStrictEqual([...taken, ...left], [1]))
  })

  interrupted("take never delivers twice, and leaves no trace", (base) =>
    Effect.gen(function*() {
      const { queue } = yield* queues(base)
      yield* queue.offer(1)
      return { base, queue, taken: new Array<number>() }
    }), {
    program: ({ queue, taken }) => Effect.map(queue.take, (item) => taken.push(item)),
    check: ({ queue, taken }) => Effect.map(drained(queue), (left) => assert.isAtMost(taken.length + left.length, 1))
  })

  interrupted(
    "process finishes its item or gives it back with the same attempt (S-18, S-19)",
    (base) =>
      Effect.gen(function*() {
        const { queue } = yield* queues(base)
        yield* queue.offer(1)
        return { base, queue, worked: new Array<number>() }
      }),
    {
      program: ({ queue, worked }) =>
        queue.process((item, { attempt }) =>
          Effect.andThen(Effect.yieldNow, Effect.sync(() => worked.push(item * attempt)))
        ),
      check: ({ queue, worked }, exit) =>
        Effect.gen(function*() {
          const left = yield* queue.size
          if (Exit.isSuccess(exit)) assert.strictEqual(left, 0)
          if (left === 0) return assert.deepStrictEqual(worked, [1])
          assert.strictEqual(yield* queue.process((item, { attempt }) => Effect.succeed(item * attempt)), 1)
        })
    }
  )

  interrupted("process that waited finishes its item or leaves it", (base) =>
    Effect.gen(function*() {
      const { others, queue } = yield* queues(base)
      return { base, queue, others: yield* onceWaiting(base, others.offer(1)), worked: new Array<number>() }
    }), {
    program: ({ queue, worked }) => queue.process((item) => Effect.sync(() => worked.push(item))),
    check: ({ queue, worked }) =>
      Effect.gen(function*() {
        if ((yield* queue.size) === 0) assert.deepStrictEqual(worked, [1])
        else assert.deepStrictEqual(yield* drained(queue), [1])
      })
  })

  interrupted("takeLease settles its item or gives it back", (base) =>
    Effect.gen(function*() {
      const { queue } = yield* queues(base)
      yield* queue.offer(1)
      return { base, queue, leased: new Array<number>() }
    }), {
    program: ({ leased, queue }) =>
      Effect.scoped(Effect.flatMap(queue.takeLease, ({ ack, item }) => {
        leased.push(item)
        return ack
      })),
    check: ({ leased, queue }, exit) =>
      Effect.gen(function*() {
        const left = yield* drained(queue)
        if (Exit.isSuccess(exit)) assert.deepStrictEqual([leased, left], [[1], []])
        if (left.length === 0) assert.deepStrictEqual(leased, [1])
        else assert.deepStrictEqual(left, [1])
      })
  })

  interrupted("withLock leaves the lock free, and every body it began has ended", (base) =>
    Effect.gen(function*() {
      const lock = yield* asMain(base)(SharedLock.make())
      return { base, lock, log: new Array<string>() }
    }), {
    program: ({ lock, log }) =>
      lock.withLock(Effect.ensuring(
        Effect.andThen(Effect.sync(() => log.push("begin")), Effect.yieldNow),
        Effect.sync(() => log.push("end"))
      )),
    check: ({ lock, log }) =>
      Effect.gen(function*() {
        assert.isFalse(yield* lock.isHeld)
        if (log.includes("begin")) assert.deepStrictEqual(log, ["begin", "end"])
        assert.strictEqual(yield* lock.withLock(Effect.succeed(1)), 1)
      })
  })

  interrupted("withLock that waited leaves the lock free", (base) =>
    Effect.gen(function*() {
      const open = SharedLock.make({ name: "lock" })
      const [lock, other] = [yield* asMain(base)(open), yield* asOther(base)(open)]
      const release = yield* Deferred.make<void>()
      const holder = yield* Effect.forkDetach(other.withLock(Deferred.await(release)))
      yield* Memory.until("the lock is held", () => base.memory.server.engine.state.counts.holders === 1)
      const released = yield* onceWaiting(base, Deferred.succeed(release, undefined))
      return { base, lock, others: Effect.andThen(released, Fiber.join(holder)) }
    }), {
    program: ({ lock }) => lock.withLock(Effect.void),
    check: ({ lock }) => Effect.map(lock.isHeld, assert.isFalse)
  })

  interrupted("withLockIfAvailable leaves the lock free", (base) =>
    Effect.gen(function*() {
      const lock = yield* asMain(base)(SharedLock.make())
      return { base, lock }
    }), {
    program: ({ lock }) => lock.withLockIfAvailable(Effect.yieldNow),
    check: ({ lock }) => Effect.map(lock.isHeld, assert.isFalse)
  })

  interrupted("withPermits gives back what it took, or takes nothing", (base) =>
    Effect.gen(function*() {
      const semaphore = yield* asMain(base)(SharedSemaphore.make({ permits: 3 }))
      return { base, semaphore }
    }), {
    program: ({ semaphore }) =>
      Effect.andThen(
        semaphore.withPermits(2)(Effect.yieldNow),
        semaphore.withPermitsIfAvailable(3)(Effect.yieldNow)
      ),
    check: ({ semaphore }) => Effect.map(semaphore.available, (available) => assert.strictEqual(available, 3))
  })

  interrupted("withPermits that waited leaves the permits to the waiters behind it", (base) =>
    Effect.gen(function*() {
      const open = SharedSemaphore.make({ name: "semaphore", permits: 2 })
      const [semaphore, other] = [yield* asMain(base)(open), yield* asOther(base)(open)]
      const release = yield* Deferred.make<void>()
      const holder = yield* Effect.forkDetach(other.withPermit(Deferred.await(release)))
      yield* Memory.until("a permit is held", () => base.memory.server.engine.state.counts.holders === 1)
      const released = yield* onceWaiting(
        base,
        Effect.andThen(other.withPermitsIfAvailable(1)(Effect.void), Deferred.succeed(release, undefined))
      )
      return { base, semaphore, others: Effect.andThen(released, Fiber.join(holder)) }
    }), {
    program: ({ semaphore }) => semaphore.withPermits(2)(Effect.void),
    check: ({ semaphore }) => Effect.map(semaphore.available, (available) => assert.strictEqual(available, 2))
  })

  interrupted(
    "wait leaves its notification to the next one, or has used it, and has the lock (S-15)",
    (base) =>
      Effect.gen(function*() {
        const open = SharedCondition.make({ name: "condition" })
        const [condition, other] = [yield* asMain(base)(open), yield* asOther(base)(open)]
        const next = yield* Deferred.make<void>()
        const waiter = yield* Effect.forkDetach(Effect.andThen(Deferred.await(next), other.withLock(other.wait)))
        // The next waiter waits before the only notification.
        const asleep = () => base.memory.server.engine.state.objects.get(condition[TypeId].target.id)!.state.asleep
        const notified = yield* onceWaiting(
          base,
          Effect.gen(function*() {
            yield* Deferred.succeed(next, undefined)
            const { session } = base.other.manager.connection.agreement
            yield* Memory.until("the next one waits", () =>
              [...base.memory.server.engine.state.sessions.get(session)!.parked.values()].some(({ since }) =>
                asleep().has(since)
              ))
            yield* other.withLock(other.notify(1))
          })
        )
        const log: Array<string> = []
        // Never ends if the notification is lost.
        const others = Effect.andThen(
          notified,
          Effect.suspend(() =>
            log.includes("woken") ? Fiber.interrupt(waiter) : Fiber.await(waiter)
          )
        )
        return { base, condition, log, others }
      }),
    {
      // A fiber that has been notified may lose its notification. Here it can only be interrupted before that.
      operations: 6,
      program: ({ condition, log }) =>
        condition.withLock(
          Effect.map(condition.wait, () => log.push("woken")).pipe(
            Effect.ensuring(
              Effect.map(Effect.exit(condition.withLock(Effect.void)), (exit) => log.push(String(exit)))
            )
          )
        ),
      check: ({ condition, log }) =>
        Effect.gen(function*() {
          assert.isFalse(yield* condition.isHeld)
          if (log.length > 0) assert.include(log.at(-1), "already held by this fiber")
        })
    }
  )

  interrupted("wait leaves no trace: its lock is free, and nobody waits", (base) =>
    Effect.gen(function*() {
      const open = SharedCondition.make({ name: "condition" })
      const [condition, other] = [yield* asMain(base)(open), yield* asOther(base)(open)]
      return { base, condition, others: yield* onceWaiting(base, other.withLock(other.notifyAll)) }
    }), {
    program: ({ condition }) => condition.withLock(Effect.andThen(condition.wait, Effect.yieldNow)),
    check: ({ condition }) => Effect.map(condition.isHeld, assert.isFalse)
  })

  interrupted("offer to a full queue adds its item once or not at all", (base) =>
    Effect.gen(function*() {
      const { others, queue } = yield* queues(base, 1)
      yield* queue.offer(1)
      return { base, queue, others: yield* onceWaiting(base, others.take) }
    }), {
    program: ({ queue }) => queue.offer(2),
    check: ({ others, queue }, exit) =>
      Effect.gen(function*() {
        const items = [yield* others, ...yield* drained(queue)]
        if (Exit.isSuccess(exit) || items.length > 1) assert.deepStrictEqual(items, [1, 2])
        else assert.deepStrictEqual(items, [1])
      })
  })

  interrupted("modify under contention takes effect once or not at all (S-28)", (base) =>
    Effect.gen(function*() {
      const open = SharedRef.make({ name: "ref", schema: Schema.Int, initial: 0 })
      const [ref, others] = [yield* asMain(base)(open), yield* asOther(base)(open)]
      yield* ref.set(0)
      const contending = yield* Effect.forkDetach(
        Effect.forEach([1, 2, 3], () => others.update((n) => n + 1), { concurrency: "unbounded" })
      )
      return { base, ref, others: Fiber.join(contending) }
    }), {
    program: ({ ref }) => ref.update((n) => n + 1),
    check: ({ ref }, exit) =>
      Effect.gen(function*() {
        const sum = yield* ref.get
        if (Exit.isSuccess(exit)) assert.strictEqual(sum, 4)
        else assert.include([3, 4], sum)
      })
  })

  interrupted(
    "modify of an entry that others want leaves its reservation to them (S-28)",
    (base) =>
      Effect.gen(function*() {
        const open = SharedMap.make({ name: "map", key: Schema.String, value: Schema.Int })
        const [map, others] = [yield* asMain(base)(open), yield* asOther(base)(open)]
        yield* map.clear
        const add = (to: typeof map) => to.modify("key", (n) => [0, Option.some(Option.getOrElse(n, () => 0) + 1)])
        const contending = yield* Effect.forkDetach(Effect.all([add(others), add(others)], { concurrency: 2 }))
        return { base, map, others: Fiber.join(contending), program: add(map) }
      }),
    {
      program: ({ program }) => program,
      check: ({ map }, exit) =>
        Effect.gen(function*() {
          const sum = Option.getOrThrow(yield* map.get("key"))
          if (Exit.isSuccess(exit)) assert.strictEqual(sum, 3)
          else assert.include([2, 3], sum)
        })
    }
  )

  interrupted("await at a latch leaves no waiter", (base) =>
    Effect.gen(function*() {
      const open = SharedLatch.make({ name: "latch" })
      const [latch, other] = [yield* asMain(base)(open), yield* asOther(base)(open)]
      yield* latch.close
      return { base, latch, others: yield* onceWaiting(base, other.open) }
    }), {
    program: ({ latch }) => latch.await,
    check: () => Effect.void
  })

  interrupted("await at a barrier passes with all, or breaks it for all (S-15)", (base) =>
    Effect.gen(function*() {
      const open = SharedBarrier.make({ name: "barrier", parties: 2 })
      const [barrier, other] = [yield* asMain(base)(open), yield* asOther(base)(open)]
      yield* barrier.reset
      // The other party waits in vain if the program was interrupted, so it gives up.
      const others = yield* onceWaiting(base, Effect.exit(Effect.timeoutOption(other.await, 20)))
      return { base, barrier, other, others }
    }), {
    program: ({ barrier }) => barrier.await,
    check: ({ barrier, other }, exit) =>
      Effect.gen(function*() {
        const { isBroken } = yield* other.status
        if (Exit.isSuccess(exit)) assert.isFalse(isBroken)
        yield* barrier.reset
      })
  })

  interrupted("register leaves no party behind", (base) =>
    Effect.gen(function*() {
      const barrier = yield* asMain(base)(SharedBarrier.make({ parties: 2 }))
      return { base, barrier }
    }), {
    program: ({ barrier }) => Effect.scoped(barrier.register),
    check: ({ barrier }) => Effect.map(barrier.status, ({ registered }) => assert.strictEqual(registered, 0))
  })

  interrupted(
    "modifyAt of an item that others move leaves its reservation to them (S-28)",
    (base) =>
      Effect.gen(function*() {
        const open = SharedList.make({ name: "list", item: Schema.Int })
        const [list, others] = [yield* asMain(base)(open), yield* asOther(base)(open)]
        yield* list.replaceSlice(0, Infinity, [0, 0])
        const add = (to: typeof list) => to.modifyAt(0, (n) => [0, n + 1])
        const contending = yield* Effect.forkDetach(
          Effect.all([add(others), others.reverse, add(others)], { concurrency: 3 })
        )
        return { base, list, others: Fiber.join(contending), program: add(list) }
      }),
    {
      program: ({ program }) => program,
      check: ({ list }, exit) =>
        Effect.gen(function*() {
          const [first = 0, second = 0] = yield* list.toArray
          if (Exit.isSuccess(exit)) assert.strictEqual(first + second, 3)
          else assert.include([2, 3], first + second)
        })
    }
  )

  interrupted(
    "modifyAt of an element that others add to leaves its reservation to them (S-28)",
    (base) =>
      Effect.gen(function*() {
        const open = SharedArray.make({ name: "array", type: "int32", length: 1 })
        const [array, others] = [yield* asMain(base)(open), yield* asOther(base)(open)]
        yield* array.set(0, 0)
        const increment = (to: typeof array) => to.modifyAt(0, (n) => [n, n + 1])
        const contending = yield* Effect.forkDetach(
          Effect.all([increment(others), others.add(0, 1), increment(others)], { concurrency: 3 })
        )
        return { base, array, others: Fiber.join(contending) }
      }),
    {
      program: ({ array }) => array.modifyAt(0, (n) => [n, n + 1]),
      check: ({ array }, exit) =>
        Effect.gen(function*() {
          const sum = yield* array.get(0)
          if (Exit.isSuccess(exit)) assert.strictEqual(sum, 4)
          else assert.include([3, 4], sum)
        })
    }
  )

  interrupted(
    "opening leaves no unreferenced object behind (S-24)",
    (base) => Effect.succeed({ base, objects: base.memory.server.engine.state.objects.size }),
    {
      program: ({ base }) =>
        Effect.scoped(
          asMain(base)(Effect.andThen(SharedQueue.make({ item: Schema.Int }), SharedLock.make({ name: "a" })))
        ),
      check: ({ base, objects }) =>
        Memory.until("what was opened is gone", () => base.memory.server.engine.state.objects.size === objects)
    }
  )

  interrupted("watching leaves no watcher (S-29)", (base) =>
    Effect.gen(function*() {
      const ref = yield* asMain(base)(SharedRef.make({ schema: Schema.Int, initial: 0 }))
      const changing = yield* Effect.forkDetach(Effect.andThen(ref.set(1), ref.set(2)))
      return { base, others: Fiber.join(changing), ref }
    }), {
    program: ({ ref }) => Stream.runHead(Stream.filter(ref.changes, (n) => n === 2)),
    check: () => Effect.void
  })

  for (
    const [what, wait] of [
      ["a value", ({ ref }) => ref.untilEquals(2)],
      ["a number", ({ ref }) => ref.untilAtLeast(2)],
      ["an entry", ({ map }) => map.untilHas("key")],
      ["a size", ({ map }) => map.untilSizeAtLeast(1)],
      ["all work", ({ queue }) => queue.untilSettled]
    ] satisfies ReadonlyArray<
      readonly [string, (waited: WaitedFor) => Effect.Effect<unknown, unknown>]
    >
  ) {
    interrupted(
      `waiting for ${what} leaves no waiter, and takes nothing (S-10, S-29)`,
      (base) =>
        Effect.gen(function*() {
          const waited = yield* asMain(base)(waitedFor)
          yield* waited.queue.offer(1)
          const done = Effect.all([waited.ref.set(2), waited.map.set("key", 2), waited.queue.take])
          return { base, waited, others: yield* onceWaiting(base, done) }
        }),
      {
        program: ({ waited }) => wait(waited),
        check: ({ waited }) =>
          Effect.gen(function*() {
            assert.strictEqual(yield* waited.ref.get, 2)
            assert.deepStrictEqual(yield* waited.map.entries, [["key", 2]])
            assert.strictEqual(yield* waited.queue.size, 0)
          })
      }
    )
  }

  interrupted("poll hands its item over or leaves it (S-18)", (base) =>
    Effect.gen(function*() {
      const { queue } = yield* queues(base)
      yield* queue.offer(1)
      return { base, queue, taken: new Array<number>() }
    }), {
    operations: 3,
    program: ({ queue, taken }) => Effect.map(queue.poll, (item) => taken.push(Option.getOrThrow(item))),
    check: ({ queue, taken }) => Effect.map(drained(queue), (left) => assert.deepStrictEqual([...taken, ...left], [1]))
  })

  interrupted("offerAll adds its items in order, up to where it was interrupted", (base) =>
    Effect.gen(function*() {
      const { others, queue } = yield* queues(base, 2)
      const taken: Array<number> = []
      const taking = Effect.map(others.poll, (item) => Option.isSome(item) && taken.push(item.value))
      return { base, queue, taken, others: yield* onceWaiting(base, Effect.all([taking, taking])) }
    }), {
    program: ({ queue }) => queue.offerAll([1, 2, 3, 4]),
    check: ({ queue, taken }, exit) =>
      Effect.gen(function*() {
        const items = [...taken, ...yield* drained(queue)]
        assert.deepStrictEqual(items, [1, 2, 3, 4].slice(0, items.length))
        if (Exit.isSuccess(exit)) assert.strictEqual(items.length, 4)
      })
  })

  interrupted("reading a map page by page leaves no scan (S-10)", (base) =>
    Effect.gen(function*() {
      const map = yield* asMain(base)(SharedMap.make({ key: Schema.Int, value: Schema.String }))
      yield* map.setAll([1, 2, 3].map((n) => [n, "x".repeat(50_000)]))
      return { base, map }
    }), {
    program: ({ map }) => Stream.runDrain(map.stream),
    check: ({ map }) => Effect.map(map.size, (size) => assert.strictEqual(size, 3))
  })
})
