/** References through a connection: what a program was given goes back, and the manager ends with what it began with (S-24). */
import { Manager, SharedLock, SharedMap, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema, Scope } from "effect"
import * as Memory from "../../support/Memory.ts"

const setUp = Effect.gen(function*() {
  const memory = yield* Memory.make()
  const connected = yield* memory.connect()
  const as = Effect.provideService(Manager.Manager, connected.manager)
  const { state } = memory.server.engine
  const imports = () => [...state.sessions.values()].reduce((sum, { imports }) => sum + imports.size, 0)
  const nothingLeft = Memory.until(
    "every object and reference is gone",
    () => state.objects.size === 1 && imports() === 0
  )
  return { memory, as, state, nothingLeft }
})

const Locks = SharedQueue.make({ item: SharedLock.schema })

describe("objects are gone with the scopes that refer to them:", () => {
  it.live("opened by many at once", () =>
    Effect.gen(function*() {
      const { as, nothingLeft } = yield* setUp
      const open = Effect.scoped(as(Effect.andThen(SharedLock.make({ name: "lock" }), SharedLock.make())))
      yield* Effect.forEach(Array.from({ length: 50 }), () => open, { concurrency: "unbounded" })
      yield* nothingLeft
    }))

  it.live("opened twice under one name: the first scope's end leaves it to the second", () =>
    Effect.gen(function*() {
      const { as, nothingLeft } = yield* setUp
      yield* Effect.scoped(Effect.gen(function*() {
        const queue = yield* as(SharedQueue.make({ name: "queue", item: Schema.Int }))
        yield* Effect.scoped(as(SharedQueue.make({ name: "queue", item: Schema.Int })))
        yield* queue.offer(1)
        assert.strictEqual(yield* queue.take, 1)
      }))
      yield* nothingLeft
    }))

  it.live("kept by the container that they were put into", () =>
    Effect.gen(function*() {
      const { as, nothingLeft, state } = yield* setUp
      yield* Effect.scoped(Effect.gen(function*() {
        const locks = yield* as(Locks)
        yield* Effect.scoped(Effect.flatMap(as(SharedLock.make()), locks.offer))
        assert.strictEqual(state.objects.size, 3)
        const free = yield* locks.process((lock) => Effect.map(lock.isHeld, (held) => !held))
        assert.isTrue(free)
        yield* Memory.until("the lock is gone with its item", () => state.objects.size === 2)
      }))
      yield* nothingLeft
    }))

  it.live("that were leased, given back and leased again", () =>
    Effect.gen(function*() {
      const { as, nothingLeft, state } = yield* setUp
      yield* Effect.scoped(Effect.gen(function*() {
        const locks = yield* as(Locks)
        yield* Effect.scoped(Effect.flatMap(as(SharedLock.make()), locks.offer))
        yield* Effect.flip(locks.process(() => Effect.fail("no")))
        yield* Effect.scoped(locks.takeLease)
        yield* Effect.scoped(Effect.flatMap(locks.takeLease, ({ ack }) => ack))
        yield* Memory.until("the lock is gone with its item", () => state.objects.size === 2)
      }))
      yield* nothingLeft
    }))
})

it.live("an end of the connection gives back what its session was told, by whatever way", () =>
  Effect.gen(function*() {
    const { as, memory, nothingLeft } = yield* setUp
    yield* Effect.scoped(Effect.gen(function*() {
      const [locks, map] = yield* Effect.all([
        as(SharedQueue.make({ name: "locks", item: SharedLock.schema })),
        as(SharedMap.make({ name: "map", key: Schema.Int, value: SharedLock.schema }))
      ])
      const lock = yield* as(SharedLock.make())
      yield* locks.offer(lock)
      yield* map.set(1, lock)
      const scope = yield* Scope.make()
      const { manager } = yield* Scope.provide(memory.connect(), scope)
      const asOther = Effect.provideService(Manager.Manager, manager)
      const theirs = yield* Scope.provide(
        asOther(Effect.all([
          SharedQueue.make({ name: "locks", item: SharedLock.schema }),
          SharedMap.make({ name: "map", key: Schema.Int, value: SharedLock.schema })
        ])),
        scope
      )
      yield* theirs[0].take
      yield* theirs[1].get(1)
      yield* theirs[1].entries
      yield* Scope.close(scope, Exit.void)
      yield* map.clear
    }))
    yield* nothingLeft
  }))

it.live("a handle that travels is the same object (S-24)", () =>
  Effect.gen(function*() {
    const { as } = yield* setUp
    const open = SharedRef.make({ name: "of refs", schema: SharedLock.schema, initial: yield* as(SharedLock.make()) })
    const ref = yield* as(open)
    const lock = yield* ref.get
    assert.isTrue(SharedLock.isSharedLock(lock))
    assert.isFalse(SharedRef.isSharedRef(lock))
    const again = yield* lock.withLock(Effect.flatMap(ref.get, (same) => Effect.flip(same.withLock(Effect.void))))
    assert.strictEqual(again._tag, "AlreadyHeld")
  }))
