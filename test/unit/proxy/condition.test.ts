/** A wait ends with the lock held again, or lost, however it ends (S-15). */
import * as Remote from "#core/proxy/Remote.ts"
import { Manager, SharedCondition, SharedLock, SharedRef } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Holdable } from "../../support/links.ts"
import * as Memory from "../../support/Memory.ts"

/** Two clients of a condition; the link of the first can be held up. */
const setUp = (options: Memory.MemoryOptions = {}) =>
  Effect.gen(function*() {
    const memory = yield* Memory.make(options)
    const toServer = new Holdable()
    const connected = yield* memory.connect({ client: toServer.wrap })
    const other = yield* memory.connect()
    const as = Effect.provideService(Manager.Manager, connected.manager)
    const asOther = Effect.provideService(Manager.Manager, other.manager)
    const open = SharedCondition.make({ name: "condition" })
    const [condition, others] = [yield* as(open), yield* asOther(open)]
    const ref = yield* as(SharedRef.make({ schema: Schema.Int, initial: 0 }))
    const { id } = condition[Remote.TypeId].target
    const waiters = () => memory.server.engine.state.objects.get(id)?.waiting ?? 0
    const holders = () => memory.server.engine.state.counts.holders
    const untilWaiting = (n: number) => Memory.until(`${n} wait`, () => waiters() === n)
    const settled = Effect.andThen(Memory.settled(memory, connected), Memory.settled(memory, other))
    const revoke = Remote.directory(other.manager.connection).call("delete", [id], () => Exit.void)
    return { memory, connected, toServer, condition, others, ref, holders, untilWaiting, settled, revoke, as }
  })

/** Waits, writes when it is interrupted, and says how that went. */
const waitAndTidyUp = (condition: SharedCondition.SharedCondition, ref: SharedRef.SharedNumber, log: Array<string>) =>
  condition.withLock(
    Effect.onInterrupt(
      condition.wait,
      () => Effect.exit(ref.set(1)).pipe(Effect.map((exit) => log.push(`tidied up: ${exit._tag}`)))
    )
  )

describe("an interrupted wait", () => {
  it.live("has the lock again before what follows runs, though others have it in between", () =>
    Effect.gen(function*() {
      const { condition, holders, others, ref, settled, untilWaiting } = yield* setUp()
      const log: Array<string> = []
      const waiter = yield* Effect.forkChild(waitAndTidyUp(condition, ref, log))
      yield* untilWaiting(1)
      const go = yield* Deferred.make<void>()
      const holder = yield* Effect.forkChild(others.withLock(Effect.andThen(
        Deferred.await(go),
        Effect.sync(() => log.push("released"))
      )))
      yield* Memory.until("the other holds it", () => holders() === 1)
      const interruption = yield* Effect.forkChild(Fiber.interrupt(waiter), { startImmediately: true })
      // First its wait is withdrawn, then it waits for the lock.
      yield* untilWaiting(0)
      yield* untilWaiting(1)
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(interruption)
      yield* Fiber.join(holder)
      assert.deepStrictEqual(log, ["released", "tidied up: Success"])
      assert.strictEqual(yield* ref.get, 1)
      yield* settled
      assert.strictEqual(holders(), 0)
    }))

  const lost = (
    name: string,
    prevent: (made: Effect.Success<ReturnType<typeof setUp>>) => Effect.Effect<Effect.Effect<void>, unknown>
  ) =>
    it.effect(`loses the lock after a second ${name}: what follows writes nothing, and nothing is left`, () =>
      Effect.gen(function*() {
        const made = yield* setUp()
        const { condition, holders, ref, settled, untilWaiting } = made
        const log: Array<string> = []
        const entered = yield* Deferred.make<void>()
        const timed = condition.withLock(Effect.andThen(
          Deferred.succeed(entered, undefined),
          Effect.timeoutOption(condition.wait, 100)
        ))
        const waiter = yield* Effect.forkChild(Effect.flip(timed))
        yield* Deferred.await(entered)
        yield* untilWaiting(1)
        const allow = yield* prevent(made)
        yield* TestClock.adjust(1_099)
        assert.isUndefined(waiter.pollUnsafe())
        yield* TestClock.adjust(1)
        const error = yield* Fiber.join(waiter)
        assert.strictEqual(error._tag, "LockLost")
        yield* allow
        yield* settled
        assert.strictEqual(yield* ref.get, 0)
        assert.deepStrictEqual(log, [])
        assert.strictEqual(holders(), 0)
      }))

  lost("when another one keeps it", ({ holders, others }) =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      const holder = yield* Effect.forkChild(others.withLock(Deferred.await(go)))
      yield* Memory.until("the other holds it", () => holders() === 1)
      return Effect.andThen(Deferred.succeed(go, undefined), Effect.orDie(Fiber.join(holder)))
    }))

  lost("when the manager is frozen", ({ toServer }) =>
    Effect.sync(() => {
      toServer.hold()
      return Effect.sync(() => toServer.release())
    }))

  it.effect("that has lost the lock interrupts what is called under it, as any loss does", () =>
    Effect.gen(function*() {
      const { condition, ref, toServer, untilWaiting } = yield* setUp()
      const log: Array<string> = []
      const write = Effect.map(Effect.exit(ref.set(1)), (exit) => log.push(exit._tag))
      const waiter = yield* Effect.forkChild(
        Effect.flip(condition.withLock(Effect.uninterruptible(
          Effect.andThen(Effect.timeoutOption(Effect.interruptible(condition.wait), 100), write)
        )))
      )
      yield* untilWaiting(1)
      toServer.hold()
      yield* TestClock.adjust(1_100)
      toServer.release()
      assert.strictEqual((yield* Fiber.join(waiter))._tag, "LockLost")
      assert.deepStrictEqual(log, ["Failure"])
      assert.strictEqual(yield* SharedLock.unguarded(ref.get), 0)
    }))
})

describe("a wait", () => {
  const ended = (
    name: string,
    end: (made: Effect.Success<ReturnType<typeof setUp>>) => Effect.Effect<void, unknown>
  ) =>
    it.live(`fails withLock with LockLost when ${name}`, () =>
      Effect.gen(function*() {
        const made = yield* setUp()
        const waiter = yield* Effect.forkChild(Effect.flip(made.condition.withLock(made.condition.wait)))
        yield* made.untilWaiting(1)
        yield* end(made)
        assert.strictEqual((yield* Fiber.join(waiter))._tag, "LockLost")
      }))

  ended("the condition is deleted", ({ revoke }) => revoke)
  ended("the connection ends", ({ connected }) => Effect.sync(() => connected.cut("pulled")))
  ended("the manager is shut down", ({ memory }) => memory.server.close)

  it.live("that a limit does not admit keeps the lock", () =>
    Effect.gen(function*() {
      const { condition, ref, untilWaiting, as } = yield* setUp({ limits: { waitersPerObjectMax: 1 } })
      const waiter = yield* Effect.forkChild(condition.withLock(condition.wait))
      yield* untilWaiting(1)
      const refused = yield* condition.withLock(
        Effect.tap(Effect.flip(condition.wait), () => Effect.andThen(ref.set(1), condition.notify(1)))
      )
      assert.include(refused.message, "waitersPerObjectMax")
      yield* Fiber.join(waiter)
      assert.strictEqual(yield* as(ref.get), 1)
    }))

  it.live("suspends the hold for all who stand under it: they are refused, and the wait goes on (S-21)", () =>
    Effect.gen(function*() {
      const { condition, others, ref, untilWaiting } = yield* setUp()
      const tried = yield* Deferred.make<void>()
      const waiter = yield* Effect.forkChild(condition.withLock(Effect.gen(function*() {
        const child = yield* Effect.forkChild(Effect.gen(function*() {
          yield* untilWaiting(1)
          const uses = [condition.withLock(Effect.void), condition.wait, condition.notify(1), ref.set(1)]
          const exits = yield* Effect.forEach(uses, (use) => Effect.exit(use as Effect.Effect<unknown, unknown>))
          yield* Deferred.succeed(tried, undefined)
          return exits
        }))
        yield* condition.wait
        yield* ref.set(2)
        return yield* Fiber.join(child)
      })))
      yield* Deferred.await(tried)
      yield* others.withLock(others.notify(1))
      const exits = yield* Fiber.join(waiter)
      assert.deepStrictEqual(
        exits.slice(0, 3).map((exit) => Exit.isFailure(exit) && (Cause.squash(exit.cause) as { _tag: string })._tag),
        ["AlreadyHeld", "NotHeld", "NotHeld"]
      )
      assert.include(String(exits[3]), "another fiber gave up to wait")
      assert.strictEqual(yield* ref.get, 2)
    }))

  it.live("that outlives its withLock gives the lock back when it gets it", () =>
    Effect.gen(function*() {
      const { condition, holders, others, settled, untilWaiting } = yield* setUp()
      const escaped = yield* condition.withLock(
        Effect.tap(Effect.forkDetach(Effect.flip(condition.wait)), () => untilWaiting(1))
      )
      yield* others.withLock(others.notify(1))
      assert.strictEqual((yield* Fiber.join(escaped))._tag, "NotHeld")
      yield* settled
      assert.strictEqual(holders(), 0)
    }))

  it.live("that outlives its withLock leaves its notification to the next waiter", () =>
    Effect.gen(function*() {
      const { condition, others, untilWaiting } = yield* setUp()
      const escaped = yield* condition.withLock(
        Effect.tap(Effect.forkDetach(Effect.flip(condition.wait)), () => untilWaiting(1))
      )
      const next = yield* Effect.forkChild(others.withLock(others.wait))
      yield* untilWaiting(2)
      yield* condition.withLock(condition.notify(1))
      yield* Fiber.join(next)
      assert.strictEqual((yield* Fiber.join(escaped))._tag, "NotHeld")
    }))
})
