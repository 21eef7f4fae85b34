/** Bodies that wait for one another: one fails with `DeadlockDetected`, and none fails in a program that can go on. */
import { Kind, Manager, SharedLock, SharedObject, SharedSemaphore } from "@effect-multiprocessing/core"
import { DeadlockDetected, ManagerError } from "@effect-multiprocessing/core/ManagerError"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Memory from "../../support/Memory.ts"
import { File } from "../../support/ownKinds.ts"
import { untilWaiting } from "../../support/untilWaiting.ts"

/** The reason of the `ManagerError` with which an effect has failed. */
const reasonOf = (exit: Exit.Exit<unknown, unknown>) => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return error instanceof ManagerError ? error.reason : undefined
}

/** Holds something while a body runs. */
type Hold = <A, E>(body: Effect.Effect<A, E>) => Effect.Effect<A, unknown>

/** Runs two bodies under a hold each, in their processes. The second runs when the first waits for the second hold. */
const crossed = (
  [hold, other]: readonly [Hold, Hold],
  first: Effect.Effect<unknown, unknown>,
  second: Effect.Effect<unknown, unknown>,
  untilFirstWaits: Effect.Effect<unknown, unknown>
) =>
  Effect.gen(function*() {
    const [held, begun] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    const one = yield* Effect.forkChild(hold(Effect.gen(function*() {
      yield* Deferred.succeed(held, undefined)
      yield* Deferred.await(begun)
      return yield* first
    })))
    yield* Deferred.await(held)
    const two = yield* Effect.forkChild(other(Effect.gen(function*() {
      yield* Deferred.succeed(begun, undefined)
      yield* untilFirstWaits
      return yield* second
    })))
    return [one, two] as const
  })

const locks = Effect.all([SharedLock.make({ name: "a" }), SharedLock.make({ name: "b" })])

/** What two fibers hold, and for which waiting calls the second one waits before it wants the first hold. */
type Crossing = Effect.Effect<
  readonly [Hold, Hold, untilFirstWaits: Effect.Effect<unknown, unknown>],
  unknown,
  Manager.Manager | Scope.Scope
>

/** Holds that wait for others: two must sit before one may speak. */
const Table = Kind.make("test/Table", {
  state: Schema.Struct({ sitting: Schema.Int }),
  initial: { sitting: 0 },
  operations: { sit: Kind.hold(), speak: Kind.hold() },
  transitions: {
    sit: ({ sitting }) => Kind.done({ sitting: sitting + 1 }),
    speak: (state) => state.sitting < 2 ? Kind.wait : Kind.done({ ...state })
  },
  released: { sit: ({ sitting }) => ({ sitting: sitting - 1 }), speak: (state) => state }
})

const layer = Manager.layerMemoryWith({ kinds: [File, Table] })

describe("a deadlock fails the later call, and the other one goes on", () => {
  const crossings: Readonly<Record<string, Crossing>> = {
    "of two locks": Effect.gen(function*() {
      const [a, b] = yield* locks
      return [a.withLock, b.withLock, yield* Effect.map(Manager.Manager, (m) => waiting(m, b))]
    }),
    "of a lock and a permit": Effect.gen(function*() {
      const [a] = yield* locks
      const slots = yield* SharedSemaphore.make({ permits: 1 })
      return [a.withLock, slots.withPermit, yield* Effect.map(Manager.Manager, (m) => waiting(m, slots))]
    }),
    "of a permit and the writer of a program's own kind": Effect.gen(function*() {
      const slots = yield* SharedSemaphore.make({ permits: 1 })
      const file = yield* SharedObject.make(File)
      const write: Hold = (body) => SharedObject.withHold(file.write, () => body)
      return [slots.withPermit, write, yield* Effect.map(Manager.Manager, (m) => waiting(m, file))]
    })
  }
  const waiting = (manager: Manager.Manager["Service"], object: Parameters<typeof untilWaiting>[0]) =>
    Effect.provideService(untilWaiting(object, 1), Manager.Manager, manager)

  for (const [name, crossing] of Object.entries(crossings)) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const [hold, other, untilFirstWaits] = yield* crossing
        const both = yield* crossed([hold, other], other(Effect.succeed("in")), hold(Effect.void), untilFirstWaits)
        const [one, two] = yield* Effect.forEach(both, Fiber.await)
        assert.strictEqual(reasonOf(two!)?._tag, "DeadlockDetected")
        assert.deepStrictEqual(one, Exit.succeed("in"))
      }).pipe(Effect.scoped, Effect.provide(layer)))
  }

  it.effect("of a reader that wants to write, with another reader that may end", () =>
    Effect.gen(function*() {
      const file = yield* SharedObject.make(File)
      const write = SharedObject.withHold(file.write, () => Effect.void)
      const other = yield* Effect.forkChild(SharedObject.withHold(file.read, () => Effect.never))
      const exit = yield* Effect.exit(SharedObject.withHold(file.read, () => write))
      assert.strictEqual(reasonOf(exit)?._tag, "DeadlockDetected")
      yield* Fiber.interrupt(other)
      yield* write
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("of a fiber that wants all permits, and has one", () =>
    Effect.gen(function*() {
      const slots = yield* SharedSemaphore.make({ permits: 2 })
      const exit = yield* Effect.exit(slots.withPermit(slots.withPermits(2)(Effect.void)))
      assert.strictEqual(reasonOf(exit)?._tag, "DeadlockDetected")
      assert.strictEqual(yield* slots.available, 2)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("of two processes, and names them and their locks", () =>
    Effect.gen(function*() {
      const memory = yield* Memory.make()
      const [left, right] = yield* Effect.forEach(["left", "right"], (name) => memory.connect({ name }))
      const of = ({ manager }: Memory.Connected) => Effect.provideService(locks, Manager.Manager, manager)
      const [[a], [theirs, b]] = [yield* of(left!), yield* of(right!)]
      const [, wanted] = yield* of(left!)
      const both = yield* crossed(
        [a.withLock, b.withLock],
        wanted.withLock(Effect.void),
        theirs.withLock(Effect.void),
        waiting(right!.manager, b)
      )
      const [one, two] = yield* Effect.forEach(both, Fiber.await)
      assert.isTrue(Exit.isSuccess(one!))
      assert.match(
        String(reasonOf(two!)?.message),
        new RegExp(
          `^acquire on Lock "a" would wait for ever: right \\(pid \\d+, session 2\\) holds Lock "b" and waits for Lock "a"; ` +
            `left \\(pid \\d+, session 1\\) holds Lock "a" and waits for Lock "b"\\. The call had no effect\\. `
        )
      )
    }).pipe(Effect.scoped))
})

describe("the message of a deadlock", () => {
  it("says what it leaves out of a long cycle", () => {
    const cycle = ["a", "b"].map((name, token) => ({ process: `of ${name}`, holds: name, token }))
    const { message } = new DeadlockDetected({ object: "b", operation: "acquire", cycle, length: 40 })
    assert.include(
      message,
      ": of a holds a and waits for b; of b holds b and waits for another object; and 38 more. The call"
    )
  })
})

describe("no deadlock is a wait that may end", () => {
  type Lock = SharedLock.SharedLock
  const bodies: Readonly<Record<string, (b: Lock, c: Lock) => Effect.Effect<unknown, unknown>>> = {
    "by a timeout": (b) => Effect.timeoutOption(b.withLock(Effect.void), "1 second"),
    "by a race": (b) => Effect.raceFirst(b.withLock(Effect.void), Effect.sleep("1 second")),
    "by another branch that fails": (b) =>
      Effect.exit(Effect.all([b.withLock(Effect.void), Effect.delay(Effect.fail("no"), "1 second")], {
        concurrency: "unbounded"
      })),
    "by its own end: another fiber waits": (b) =>
      Effect.andThen(Effect.forkChild(b.withLock(Effect.void)), Effect.sleep("1 second")),
    "by a timeout around two locks": (b, c) => Effect.timeoutOption(c.withLock(b.withLock(Effect.void)), "1 second")
  }
  for (const [name, body] of Object.entries(bodies)) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const [a, b] = yield* locks
        const c = yield* SharedLock.make()
        const manager = yield* Manager.Manager
        const untilWaits = Effect.provideService(untilWaiting(b, 1), Manager.Manager, manager)
        const [one, two] = yield* crossed(
          [a.withLock, b.withLock],
          body(b, c),
          a.withLock(Effect.succeed("in")),
          untilWaits
        )
        yield* untilWaiting(a, 1)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.await(two), Exit.succeed("in"))
        assert.isTrue(Exit.isSuccess(yield* Fiber.await(one)))
      }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory)))
  }

  it.effect("by the time of a hold of another manager", () =>
    Effect.gen(function*() {
      const [a, b] = yield* locks
      const { manager } = yield* Effect.flatMap(Memory.make(), ({ connect }) => connect())
      const bounded = yield* Effect.provideService(SharedLock.make({ holdFor: "1 second" }), Manager.Manager, manager)
      const untilWaits = Effect.provideService(untilWaiting(b, 1), Manager.Manager, yield* Manager.Manager)
      const first = Effect.exit(bounded.withLock(b.withLock(Effect.void)))
      const [one, two] = yield* crossed([a.withLock, b.withLock], first, a.withLock(Effect.succeed("in")), untilWaits)
      yield* untilWaiting(a, 1)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.await(two), Exit.succeed("in"))
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(one)))
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("by the end of a scope that another fiber closes", () =>
    Effect.gen(function*() {
      const [a] = yield* locks
      const file = yield* SharedObject.make(File)
      const scope = yield* Scope.make()
      const write = Effect.provideService(file.write, Scope.Scope, scope)
      const [one, two] = yield* crossed(
        [(body) => SharedObject.withHold(write, () => body), a.withLock],
        a.withLock(Effect.succeed("in")),
        SharedObject.withHold(file.write, () => Effect.succeed("in")),
        Effect.provideService(untilWaiting(a, 1), Manager.Manager, yield* Manager.Manager)
      )
      yield* untilWaiting(file, 1)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* Effect.forEach([one, two], Fiber.await), [Exit.succeed("in"), Exit.succeed("in")])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("by a hold of another body", () =>
    Effect.gen(function*() {
      const table = yield* SharedObject.make(Table)
      const one = yield* Effect.forkChild(
        SharedObject.withHold(table.sit, () => SharedObject.withHold(table.speak, () => Effect.succeed("spoken")))
      )
      yield* untilWaiting(table, 1)
      yield* Effect.scoped(Effect.andThen(table.sit, Fiber.join(one)))
      assert.deepStrictEqual(yield* Fiber.await(one), Exit.succeed("spoken"))
    }).pipe(Effect.scoped, Effect.provide(layer)))
})
