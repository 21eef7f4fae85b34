/** Handles that calls return are given back: with a scope, or after nothing refers to them any more (S-24). */
import { HandleRegistry } from "#core/client/Received.ts"
import {
  type Limits,
  Manager,
  Shared,
  SharedLock,
  SharedMap,
  SharedQueue,
  SharedRef
} from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema, Scope } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { budget } from "../../support/budget.ts"
import { Holdable } from "../../support/links.ts"
import * as Memory from "../../support/Memory.ts"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

/** Tells of what was collected. */
const garbage = new FinalizationRegistry<() => void>((tell) => tell())

/** A registry whose garbage collector is the test: it collects everything that is registered. */
class Registered {
  readonly #lists = new Map<object, ReadonlyArray<number>>()
  #collected: (handles: ReadonlyArray<number>) => void = () => {}

  readonly make = (collected: (handles: ReadonlyArray<number>) => void) => {
    this.#collected = collected
    return {
      register: (list: object, handles: ReadonlyArray<number>) => void this.#lists.set(list, handles),
      unregister: (list: object) => this.#lists.delete(list)
    }
  }

  /** Collects what was registered since there were this many. */
  collectFrom(size: number): void {
    for (const [list, handles] of [...this.#lists].slice(size)) {
      this.#lists.delete(list)
      this.#collected(handles)
    }
  }

  get size(): number {
    return this.#lists.size
  }
}

const Locks = { item: SharedLock.schema, capacity: Infinity }

const setUp = Effect.gen(function*() {
  const registry = new Registered()
  const memory = yield* Memory.make({ judged: false })
  const { manager } = yield* Effect.provideService(memory.connect(), HandleRegistry, registry.make)
  const as = Effect.provideService(Manager.Manager, manager)
  const { state } = memory.server.engine
  const left = (objects: number) => Memory.until(`${objects} objects are left`, () => state.objects.size === objects)
  return { as, left, manager, state, registry }
})

/** Offers handles of this many new locks, which have no other reference then. */
const offer = (locks: SharedQueue.SharedQueue<SharedLock.SharedLock>, count: number) =>
  Effect.scoped(Effect.flatMap(
    Effect.all(Array.from({ length: count }, () => SharedLock.make()), { concurrency: "unbounded" }),
    locks.offerAll
  ))

const rounds = budget(12_500)
const roundsAtOnce = 500

it.live(`${rounds} rounds of offer and take end with one object, taken in a scope or collected as garbage`, () =>
  Effect.gen(function*() {
    const { as, left, registry } = yield* setUp
    yield* Effect.scoped(Effect.gen(function*() {
      const locks = yield* as(SharedQueue.make(Locks))
      const take = Effect.replicateEffect(locks.take, roundsAtOnce, { concurrency: "unbounded" })
      for (let round = 0; round < rounds; round += 2 * roundsAtOnce) {
        yield* as(offer(locks, 2 * roundsAtOnce))
        const isHeld = yield* Effect.scoped(Effect.flatMap(Shared.acquire(take), ([lock]) => lock!.isHeld))
        assert.isFalse(isHeld)
        yield* take
        registry.collectFrom(1)
      }
      yield* left(2)
      assert.strictEqual(registry.size, 1)
    }))
    yield* left(1)
  }).pipe(Effect.scoped))

describe("handles are given back once,", () => {
  it.live("whatever call returned them, when its scope ends", () =>
    Effect.gen(function*() {
      const { as, manager, state, registry } = yield* setUp
      const lock = yield* as(SharedLock.make({ name: "lock" }))
      const locks = yield* as(SharedQueue.make(Locks))
      const map = yield* as(SharedMap.make({ key: Schema.Int, value: SharedLock.schema }))
      const ref = yield* as(SharedRef.make({ schema: SharedLock.schema, initial: lock }))
      yield* map.set(1, lock)
      yield* locks.offerAll([lock, lock, lock, lock])
      const { imports } = state.sessions.get(manager.connection.agreement.session)!
      const [id] = [...imports.keys()]
      const before = registry.size
      yield* Effect.scoped(Shared.acquire(Effect.gen(function*() {
        yield* Effect.all([locks.take, locks.poll, map.get(1), map.entries, map.values, ref.get])
        yield* as(Manager.atomic([map.get(1), ref.get]))
        yield* locks.process(() => Effect.void)
        yield* Effect.scoped(locks.takeLease)
        assert.isAbove(registry.size, before)
      })))
      yield* Memory.until("one import is left", () => imports.get(id!) === 1)
      assert.strictEqual(registry.size, before)
    }).pipe(Effect.scoped))

  it.live("what was opened in it belongs to its own scope", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp
      const scope = yield* Scope.make()
      const lock = yield* Effect.scoped(Shared.acquire(Scope.provide(as(SharedLock.make()), scope)))
      assert.isFalse(yield* lock.isHeld)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Effect.flip(lock.isHeld)).reason._tag, "ObjectNotFound")
    }).pipe(Effect.scoped))
})

describe("with the garbage collector of the runtime", () => {
  /** Collects garbage until a condition holds. */
  const collecting = (what: string, holds: () => boolean) =>
    Memory.until(what, () => {
      if (!holds()) collectGarbage()
      return holds()
    })

  const connected = (limits: Partial<Limits.Limits>, held: Holdable, end: "client" | "server") =>
    Effect.gen(function*() {
      const memory = yield* Memory.make({ limits })
      const { manager } = yield* memory.connect({ [end]: held.wrap })
      return { as: Effect.provideService(Manager.Manager, manager), state: memory.server.engine.state }
    })

  it.live("objects go whose handles nothing refers to; a handle or a method of it is enough to keep one", () =>
    Effect.gen(function*() {
      const { as, state } = yield* connected({}, new Holdable(), "client")
      const locks = yield* as(SharedQueue.make(Locks))
      yield* as(offer(locks, 100))
      const kept = yield* locks.take
      const isHeld = yield* Effect.map(locks.take, (lock) => lock.isHeld)
      yield* Effect.replicateEffect(locks.take, 98, { discard: true })
      yield* collecting("two locks are left", () => state.objects.size === 4)
      assert.isFalse(yield* kept.isHeld)
      assert.isFalse(yield* isHeld)
    }).pipe(Effect.scoped))

  for (
    const [what, limits, end] of [
      ["waits to be sent", { inFlightMax: 1 }, "client"],
      ["the manager has deferred", { outboundBytesMax: 1 }, "server"]
    ] as const
  ) {
    it.live(`a call that ${what} keeps the objects alive whose handles it carries`, () =>
      Effect.gen(function*() {
        const held = new Holdable()
        const { as, state } = yield* connected(limits, held, end)
        const [locks, others] = yield* as(Effect.all([SharedQueue.make(Locks), SharedQueue.make(Locks)]))
        yield* as(offer(locks, 2))
        const taken = yield* Effect.all([locks.take, locks.take])
        let isCollected = false
        garbage.register(taken.pop()!, () => isCollected = true)
        held.hold()
        const before = yield* Effect.forkChild(others.size)
        yield* Memory.until("bytes wait", () => held.pendingBytes > 0)
        const offering = yield* Effect.forkChild(Effect.suspend(() => others.offer(taken.pop()!)))
        yield* Effect.yieldNow
        yield* collecting("the other lock's handle is collected", () => isCollected)
        yield* Effect.repeat(Effect.yieldNow, { times: 100 })
        held.release()
        assert.strictEqual(yield* Fiber.join(before), 0)
        yield* Fiber.join(offering)
        yield* collecting("the lock in the queue is left", () => state.objects.size === 4)
        assert.isFalse(yield* others.process((lock) => lock.isHeld))
      }).pipe(Effect.scoped))
  }
})
