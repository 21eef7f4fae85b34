/** Watching through a connection: in order, without a silent gap, at the reader's speed (S-12, S-29). */
import { Manager, SharedMap, SharedRef } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema, Stream } from "effect"
import * as Memory from "../../support/Memory.ts"

const setUp = (watchCredit: number) =>
  Effect.gen(function*() {
    const memory = yield* Memory.make({ limits: { watchCredit } })
    const { manager } = yield* memory.connect()
    const as = Effect.provideService(Manager.Manager, manager)
    const watchers = () =>
      [...memory.server.engine.state.objects.values()].reduce((sum, { watchers }) => sum + watchers.size, 0)
    return { memory, as, watchers }
  })

/** Reads a stream, stopping at its first element until told to go on. */
const hesitant = <A, E>(stream: Stream.Stream<A, E>, end: (seen: ReadonlyArray<A>) => boolean) =>
  Effect.gen(function*() {
    const go = yield* Deferred.make<void>()
    const stopped = yield* Deferred.make<void>()
    const seen: Array<A> = []
    const fiber = yield* Effect.forkChild(
      Stream.runForEachWhile(stream, (element) =>
        Effect.gen(function*() {
          seen.push(element)
          yield* Deferred.succeed(stopped, undefined)
          yield* Deferred.await(go)
          return !end(seen)
        }))
    )
    yield* Deferred.await(stopped)
    return { seen, finish: Effect.andThen(Deferred.succeed(go, undefined), Fiber.join(fiber)) }
  })

describe("a reader", () => {
  it.live("that keeps up sees every value in order", () =>
    Effect.gen(function*() {
      const { as, watchers } = yield* setUp(4)
      const ref = yield* as(SharedRef.make({ schema: Schema.Int, initial: 0 }))
      const seen = yield* Effect.forkChild(Stream.runCollect(Stream.take(ref.changes, 101)))
      yield* Memory.until("it watches", () => watchers() === 1)
      for (let n = 1; n <= 100; n++) {
        yield* ref.set(n)
        // The credit for this change travels with the next call.
        yield* ref.get
      }
      assert.deepStrictEqual(yield* Fiber.join(seen), Array.from({ length: 101 }, (_, n) => n))
      yield* Memory.until("nobody watches", () => watchers() === 0)
    }))

  it.live("that falls behind delays nobody, skips to the present, and never misses the last value", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp(4)
      const ref = yield* as(SharedRef.make({ schema: Schema.Int, initial: 0 }))
      const { finish, seen } = yield* hesitant(ref.changes, (seen) => seen.at(-1) === 100)
      for (let n = 1; n <= 100; n++) yield* ref.set(n)
      yield* finish
      assert.deepStrictEqual(seen, [0, 1, 2, 3, 4, 100])
    }))

  it.live("of a map that falls behind gets a new snapshot: folding what it is told gives the map", () =>
    Effect.gen(function*() {
      const { as } = yield* setUp(4)
      const map = yield* as(SharedMap.make({ key: Schema.Int, value: Schema.Int }))
      const { finish, seen } = yield* hesitant(
        map.changes,
        (seen) => seen.some((change) => change._tag === "Set" && change.entries[0]![0] === 100)
      )
      for (let n = 1; n < 100; n++) yield* map.set(n % 10, n)
      yield* map.remove(3)
      const reading = yield* Effect.forkChild(finish)
      yield* Memory.until("it was reset", () => seen.filter(({ _tag }) => _tag === "Snapshot").length === 2)
      yield* map.set(100, 100)
      yield* Fiber.join(reading)
      const folded = new Map<number, number>()
      for (const change of seen) {
        if (change._tag === "Removed") { for (const key of change.keys) folded.delete(key) }
        else {
          if (change._tag !== "Set") folded.clear()
          if (change._tag !== "Cleared") { for (const [key, value] of change.entries) folded.set(key, value) }
        }
      }
      const entries = yield* map.entries
      assert.deepStrictEqual([...folded].sort(), [...entries].sort())
    }))

  it.live("is told when what it watches is gone with its last reference", () =>
    Effect.gen(function*() {
      const { as, watchers } = yield* setUp(4)
      const { fiber } = yield* Effect.scoped(Effect.gen(function*() {
        const map = yield* as(SharedMap.make({ key: Schema.Int, value: Schema.Int }))
        const fiber = yield* Effect.forkDetach(Effect.flip(Stream.runDrain(map.changes)))
        yield* Memory.until("it watches", () => watchers() === 1)
        return { fiber }
      }))
      assert.strictEqual((yield* Fiber.join(fiber)).reason._tag, "ObjectDeleted")
    }))
})
