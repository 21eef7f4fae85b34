/** The lock and the data live behind one writer: a holder that lost its lock cannot write through it (S-20 to S-22). */
import * as Remote from "#core/proxy/Remote.ts"
import { Manager, SharedLock, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Schema } from "effect"
import * as Memory from "../../support/Memory.ts"

const setUp = Effect.gen(function*() {
  const memory = yield* Memory.make()
  const { manager } = yield* memory.connect()
  const as = Effect.provideService(Manager.Manager, manager)
  const lock = yield* as(SharedLock.make({ name: "lock" }))
  const ref = yield* as(SharedRef.make({ name: "ref", schema: Schema.Int, initial: 0 }))
  const { id } = lock[Remote.TypeId].target
  const revoke = Remote.directory(manager.connection).call("delete", [id], () => Exit.void)
  return { memory, manager, as, lock, ref, revoke }
})

describe("a lost lock", () => {
  it.live("interrupts the body, runs its finalizers, and fails withLock with LockLost", () =>
    Effect.gen(function*() {
      const { lock, revoke } = yield* setUp
      const log: Array<string> = []
      const body = Effect.never.pipe(
        Effect.onInterrupt(() => Effect.sync(() => log.push("interrupted"))),
        Effect.ensuring(Effect.sync(() => log.push("finalized")))
      )
      const fiber = yield* Effect.forkChild(Effect.flip(lock.withLock(body)))
      yield* Effect.flatMap(lock.isHeld, () => revoke)
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag, "LockLost")
      assert.match(error.message, /Lock "lock" was lost .*: the manager has taken it back/)
      assert.deepStrictEqual(log, ["interrupted", "finalized"])
    }))

  it.live("refuses what the body writes afterwards, though it cannot be interrupted", () =>
    Effect.gen(function*() {
      const { lock, ref, revoke } = yield* setUp
      const body = Effect.uninterruptible(Effect.gen(function*() {
        yield* ref.set(1)
        yield* SharedLock.unguarded(revoke)
        yield* ref.set(2)
      }))
      const error = yield* Effect.flip(lock.withLock(body))
      assert.strictEqual(error._tag, "LockLost")
      assert.strictEqual(yield* ref.get, 1)
    }))

  it.live("is not lost when another lock of the same fiber is", () =>
    Effect.gen(function*() {
      const { as, lock, ref, revoke } = yield* setUp
      const outer = yield* as(SharedLock.make({ name: "outer" }))
      const inner = lock.withLock(Effect.andThen(SharedLock.unguarded(revoke), ref.set(1)))
      const error = yield* outer.withLock(Effect.flatMap(Effect.flip(inner), (error) => Effect.as(ref.set(2), error)))
      assert.strictEqual(error._tag, "LockLost")
      assert.strictEqual(yield* ref.get, 2)
    }))

  it.live("is the outer one's loss also for calls under the inner one", () =>
    Effect.gen(function*() {
      const { as, lock, ref, revoke } = yield* setUp
      const inner = yield* as(SharedLock.make({ name: "inner" }))
      const error = yield* Effect.flip(
        lock.withLock(inner.withLock(Effect.andThen(SharedLock.unguarded(revoke), ref.set(1))))
      )
      assert.strictEqual(error._tag, "LockLost")
      assert.include(error.message, `Lock "lock"`)
      assert.strictEqual(yield* ref.get, 0)
      assert.isFalse(yield* inner.isHeld)
    }))
})

describe("a fiber that escapes withLock", () => {
  /** Starts a fiber under the lock that makes its call only when the lock has been released. */
  const escaped = <A, E>(use: (ref: SharedRef.SharedNumber) => Effect.Effect<A, E>) =>
    Effect.gen(function*() {
      const { lock, memory, ref } = yield* setUp
      const released = yield* Deferred.make<void>()
      const fiber = yield* lock.withLock(Effect.forkDetach(Effect.andThen(Deferred.await(released), use(ref))))
      yield* Memory.until("the lock is free", () => memory.server.engine.state.counts.holders === 0)
      yield* Deferred.succeed(released, undefined)
      return { exit: yield* Fiber.await(fiber), ref }
    })

  it.live("gets a defect that names `unguarded`, and writes nothing", () =>
    Effect.gen(function*() {
      const { exit, ref } = yield* escaped((ref) => ref.set(1))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.include(String(exit), "SharedLock.unguarded")
      assert.include(String(exit), `set on Ref "ref"`)
      assert.strictEqual(yield* ref.get, 0)
    }))

  it.live("goes on with `unguarded`", () =>
    Effect.gen(function*() {
      const { exit, ref } = yield* escaped((ref) => SharedLock.unguarded(ref.set(1)))
      assert.isTrue(Exit.isSuccess(exit))
      assert.strictEqual(yield* ref.get, 1)
    }))
})

describe("under a lock", () => {
  it.live("giving back what was taken under it still works after its loss", () =>
    Effect.gen(function*() {
      const { as, lock, revoke } = yield* setUp
      const queue = yield* as(SharedQueue.make({ item: Schema.Int }))
      yield* queue.offer(1)
      const body = queue.process(() => Effect.andThen(SharedLock.unguarded(revoke), Effect.never))
      assert.strictEqual((yield* Effect.flip(lock.withLock(body)))._tag, "LockLost")
      assert.strictEqual(yield* queue.process((_, { attempt }) => Effect.succeed(attempt)), 1)
    }))

  it.live("the hold shows a token that grows, and the epoch", () =>
    Effect.gen(function*() {
      const { lock, memory } = yield* setUp
      const first = yield* lock.withHold(Effect.succeed)
      const second = yield* lock.withHold(Effect.succeed)
      assert.isAbove(second.token, first.token)
      assert.strictEqual(first.epoch, memory.server.engine.state.epoch)
      assert.isFalse(second.abandoned)
    }))

  it.live("of a session that died, the next holder is told that it was abandoned (R-1)", () =>
    Effect.gen(function*() {
      const { lock, memory } = yield* setUp
      const dying = yield* memory.connect()
      const theirs = yield* Effect.provideService(SharedLock.make({ name: "lock" }), Manager.Manager, dying.manager)
      const fiber = yield* Effect.forkChild(Effect.exit(theirs.withLock(Effect.never)))
      yield* Memory.until("the lock is held", () => memory.server.engine.state.counts.holders === 1)
      const next = yield* Effect.forkChild(lock.withHold(({ abandoned }) => Effect.succeed(abandoned)))
      dying.cut("killed")
      assert.isTrue(yield* Fiber.join(next))
      yield* Fiber.join(fiber)
    }))

  it.live("taking it again fails at once, in child fibers too (S-20)", () =>
    Effect.gen(function*() {
      const { lock } = yield* setUp
      const again = Effect.flip(lock.withLock(Effect.void))
      const errors = yield* lock.withLock(Effect.all([again, again], { concurrency: 2 }))
      assert.deepStrictEqual(errors.map(({ _tag }) => _tag), ["AlreadyHeld", "AlreadyHeld"])
    }))
})
