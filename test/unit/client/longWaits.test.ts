/** Calls that wait for long: a program can see in its log who holds what it waits for. */
import {
  Manager,
  SharedList,
  SharedLock,
  SharedMap,
  SharedNamespace,
  SharedOpenNamespace,
  SharedQueue,
  SharedRef
} from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Logger, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import { untilWaiting } from "../../support/untilWaiting.ts"

/** What is logged, each line with its level. */
const recorded = <A, E, R>(body: (lines: Array<string>) => Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make<unknown, void>(({ logLevel, message }) => void lines.push(`${logLevel} ${message}`))
    return Effect.provide(body(lines), Logger.layer([logger]))
  })

const debugging = Effect.provideService(References.MinimumLogLevel, "Debug")

/** A lock that is held until the effect is over, and a call that waits for it. */
const waiting = Effect.gen(function*() {
  const gate = yield* SharedLock.make({ name: "app/Gate" })
  const go = yield* Deferred.make<void>()
  const holder = yield* Effect.forkChild(gate.withLock(Deferred.await(go)), { startImmediately: true })
  const waiter = yield* Effect.forkChild(gate.withLock(Effect.void), { startImmediately: true })
  yield* untilWaiting(gate, 1)
  return { gate, go, holder, waiter }
})

describe("a call that waits for 10 seconds", () => {
  it.effect("is logged once, with the object and its holders", () =>
    recorded((lines) =>
      Effect.gen(function*() {
        const { gate, go, holder, waiter } = yield* waiting
        yield* TestClock.adjust("9 seconds")
        const late = yield* Effect.forkChild(gate.withLock(Effect.void), { startImmediately: true })
        yield* untilWaiting(gate, 2)
        assert.deepStrictEqual(lines, [])
        yield* TestClock.adjust("1 second")
        yield* gate.isHeld
        assert.strictEqual(lines.length, 1)
        assert.match(
          lines[0]!,
          /^Debug acquire on Lock "app\/Gate" \(object \d+\) has waited for 10 s\. The object is held by \S+ \(pid \d+, session \d+, token \d+\)$/
        )
        yield* TestClock.adjust("1 minute")
        yield* gate.isHeld
        assert.strictEqual(lines.length, 2)
        yield* Deferred.succeed(go, undefined)
        yield* Effect.forEach([holder, waiter, late], Fiber.join)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(lines.length, 2)
      }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory), debugging)
    ))

  it.effect("is logged when nobody holds the object", () =>
    recorded((lines) =>
      Effect.gen(function*() {
        const jobs = yield* SharedQueue.make({ item: Schema.Int })
        const take = yield* Effect.forkChild(jobs.take, { startImmediately: true })
        yield* untilWaiting(jobs, 1)
        yield* TestClock.adjust("10 seconds")
        yield* jobs.size
        assert.match(
          lines.join(),
          /^Debug take on Queue #\d+ \(object \d+\) has waited for 10 s\. Nobody holds the object$/
        )
        yield* Fiber.interrupt(take)
      }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory), debugging)
    ))

  it.effect("is logged if it is one of several together: with all objects, and their holders", () =>
    recorded((lines) =>
      Effect.gen(function*() {
        const jobs = yield* SharedQueue.make({ name: "app/Jobs", item: Schema.Int, capacity: 1 })
        const count = yield* SharedRef.make({ name: "app/Count", schema: Schema.Int, initial: 0 })
        yield* jobs.offer(1)
        yield* Effect.scoped(Effect.gen(function*() {
          yield* jobs.takeLease
          const both = yield* Effect.forkChild(Manager.atomic([count.set(1), jobs.offer(2)]), {
            startImmediately: true
          })
          yield* untilWaiting(jobs, 1)
          yield* TestClock.adjust("10 seconds")
          yield* Effect.andThen(jobs.size, jobs.size)
          assert.match(
            lines.join(),
            /^Debug set, offer on Ref "app\/Count", Queue "app\/Jobs" \(objects \d+, \d+\) has waited for 10 s\. The objects are held by \S+ \(pid \d+, session \d+, token \d+\)$/
          )
          yield* Fiber.interrupt(both)
        }))
      }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory), debugging)
    ))

  it.effect("is logged if it waits in its process, as until with a predicate does", () =>
    recorded((lines) =>
      Effect.gen(function*() {
        const ref = yield* SharedRef.make({ name: "app/Ref", schema: Schema.Int, initial: 0 })
        const map = yield* SharedMap.make({ name: "app/Map", key: Schema.Int, value: Schema.Int })
        const list = yield* SharedList.make({ name: "app/List", item: Schema.Int })
        const namespace = yield* SharedNamespace.make({
          name: "app/Board",
          fields: { a: Schema.Int },
          initial: { a: 0 }
        })
        const open = yield* SharedOpenNamespace.make({ name: "app/Open", value: Schema.Int })
        const isNever = () => false
        const waits = [
          ref.until(isNever),
          map.until(isNever),
          list.until(isNever),
          namespace.until(isNever),
          namespace.fields.a.until(isNever),
          open.field("a").until(isNever)
        ]
        const fibers = yield* Effect.forEach(
          waits,
          (wait) => Effect.forkChild(wait as Effect.Effect<unknown, unknown>, { startImmediately: true })
        )
        const short = yield* Effect.forkChild(ref.until((n) => n === 1), { startImmediately: true })
        yield* ref.set(1)
        assert.strictEqual(yield* Fiber.join(short), 1)
        yield* TestClock.adjust("10 seconds")
        yield* Effect.andThen(ref.get, ref.get)
        assert.strictEqual(lines.length, waits.length, lines.join("\n"))
        for (const line of lines) {
          assert.match(
            line,
            /^Debug until on \w+ "app\/\w+" \(object \d+\) has waited for 10 s\. Nobody holds the object$/
          )
        }
        yield* TestClock.adjust("1 minute")
        yield* ref.get
        assert.strictEqual(lines.length, waits.length)
        yield* Fiber.interruptAll(fibers)
      }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory), debugging)
    ))

  it.effect("costs nothing if its fiber does not log at that level", () =>
    recorded((lines) =>
      Effect.gen(function*() {
        const { gate, go, holder, waiter } = yield* waiting
        yield* TestClock.adjust("1 minute")
        yield* gate.isHeld
        assert.deepStrictEqual(lines, [])
        yield* Deferred.succeed(go, undefined)
        yield* Effect.forEach([holder, waiter], Fiber.join)
      }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory))
    ))
})
