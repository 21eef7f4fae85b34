import { SharedRef } from "@effect-multiprocessing/core"
import { assert } from "@effect/vitest"
import { Effect, Fiber, Schema, Stream, SubscriptionRef } from "effect"
import { programs, suite } from "../suite.ts"

const bounded = Schema.Int.check(Schema.isBetween({ minimum: -10, maximum: 10 }))

/** `SharedRef` and `SharedNumber`. */
export const refSuite = suite("SharedRef", (it, runs) => {
  it.effect.prop(
    "behaves as a variable does",
    [programs("get", "set", "modify", "update", "add")],
    ([program]) =>
      Effect.gen(function*() {
        const ref = yield* SharedRef.make({ schema: Schema.Int, initial: 0 })
        let model = 0
        for (const [what, n] of program) {
          if (what === "get") assert.strictEqual(yield* ref.get, model)
          else if (what === "set") yield* ref.set(model = n)
          else if (what === "modify") {
            assert.strictEqual(yield* ref.modify((now) => [`was ${now}`, now * n]), `was ${model}`)
            model *= n
          } else assert.strictEqual(yield* (what === "add" ? ref.add(n) : ref.update((now) => now + n)), model += n)
          // Products of many numbers leave the safe integers.
          if (Math.abs(model) > 1_000_000) yield* ref.set(model = 0)
        }
        assert.strictEqual(yield* ref.get, model)
      }).pipe(Effect.scoped),
    runs
  )

  it.effect.prop(
    "behaves as Effect's own SubscriptionRef does (S-33)",
    [programs("get", "set", "modify", "update", "changes")],
    ([program]) =>
      Effect.gen(function*() {
        const ours = yield* SharedRef.make({ schema: Schema.Int, initial: 0 })
        const effects = yield* SubscriptionRef.make(0)
        const same = (ours: Effect.Effect<unknown, unknown>, effects: Effect.Effect<unknown, unknown>) =>
          Effect.gen(function*() {
            assert.deepStrictEqual(yield* ours, yield* effects)
          })
        for (const [what, n] of program) {
          const turned = (now: number): readonly [string, number] => [`was ${now}`, (now * n) % 1_000 + 0]
          if (what === "get") yield* same(ours.get, SubscriptionRef.get(effects))
          else if (what === "set") yield* same(ours.set(n), SubscriptionRef.set(effects, n))
          else if (what === "modify") yield* same(ours.modify(turned), SubscriptionRef.modify(effects, turned))
          else if (what === "update") {
            yield* same(ours.update((now) => now + n), SubscriptionRef.updateAndGet(effects, (now) => now + n))
          } else yield* same(Stream.runHead(ours.changes), Stream.runHead(SubscriptionRef.changes(effects)))
        }
        yield* same(ours.get, SubscriptionRef.get(effects))
      }).pipe(Effect.scoped),
    runs
  )

  it.effect.prop(
    "adds within its schema's bounds, or fails and changes nothing (S-25)",
    [programs("add")],
    ([program]) =>
      Effect.gen(function*() {
        const ref = yield* SharedRef.make({ schema: bounded, initial: 0 })
        let model = 0
        for (const [, n] of program) {
          const sum = yield* Effect.result(ref.add(n))
          const allowed = Math.abs(model + n) <= 10
          assert.strictEqual(sum._tag, allowed ? "Success" : "Failure")
          if (allowed) model += n
          else assert.strictEqual((sum as { readonly failure: { readonly _tag: string } }).failure._tag, "OutOfBounds")
          assert.strictEqual(yield* ref.get, model)
        }
      }).pipe(Effect.scoped),
    runs
  )

  it.effect("loses no increment, addition or update of any number of fibers", () =>
    Effect.gen(function*() {
      const ref = yield* SharedRef.make({ schema: Schema.Int, initial: 0 })
      const changes = Array.from({ length: 50 }, () => [ref.increment, ref.add(2), ref.update((n) => n + 3)]).flat()
      yield* Effect.all(changes, { concurrency: "unbounded", discard: true })
      assert.strictEqual(yield* ref.get, 300)
    }).pipe(Effect.scoped))

  it.effect("gives `changes` the current value, then later ones in order, and always the last one (S-29)", () =>
    Effect.gen(function*() {
      const ref = yield* SharedRef.make({ schema: Schema.Int, initial: 0 })
      const reading = yield* Effect.forkChild(Stream.runCollect(Stream.takeUntil(ref.changes, (n) => n === 200)))
      for (let n = 1; n <= 200; n++) yield* ref.set(n)
      const seen = yield* Fiber.join(reading)
      assert.strictEqual(seen.at(-1), 200)
      assert.deepStrictEqual(seen, [...new Set(seen)].sort((a, b) => a - b))
    }).pipe(Effect.scoped))

  it.effect("`until` waits for a value, and returns it", () =>
    Effect.gen(function*() {
      const ref = yield* SharedRef.make({ schema: Schema.Int, initial: 0 })
      assert.strictEqual(yield* ref.until((n) => n === 0), 0)
      const waiting = yield* Effect.forkChild(ref.until((n) => n >= 3))
      for (const n of [1, 2, 3]) yield* ref.set(n)
      assert.strictEqual(yield* Fiber.join(waiting), 3)
    }).pipe(Effect.scoped))

  it.effect("waits in the manager for a value that is there for one change only (S-29)", () =>
    Effect.gen(function*() {
      const ref = yield* SharedRef.make({ schema: Schema.Int, initial: 0 })
      const waiting = yield* Effect.forkChild(
        Effect.all([ref.untilEquals(5), ref.untilAtLeast(7), ref.untilAtMost(-3), ref.untilEquals(0)], {
          concurrency: "unbounded"
        }),
        { startImmediately: true }
      )
      for (const n of [4, 5, 6, 9, -4, 1]) yield* ref.set(n)
      assert.deepStrictEqual(yield* Fiber.join(waiting), [undefined, 9, -4, undefined])
    }).pipe(Effect.scoped))

  it.effect("compares values by their encodings, whatever the order of their parts (S-25)", () =>
    Effect.gen(function*() {
      const schema = Schema.Record(Schema.String, Schema.NullOr(Schema.Array(Schema.Record(Schema.String, Schema.Int))))
      const ref = yield* SharedRef.make({ schema, initial: {} })
      const own = Object.fromEntries([["y", 1], ["__proto__", 2], ["x", -0]])
      const waiting = yield* Effect.forkChild(ref.untilEquals({ b: null, a: [own] }), {
        startImmediately: true
      })
      yield* ref.set({ a: [{ y: 1, x: 0 }], b: null })
      assert.isUndefined(waiting.pollUnsafe())
      yield* ref.update(() => ({ a: [Object.fromEntries([["x", 0], ["__proto__", 2], ["y", 1]])], b: null }))
      yield* Fiber.join(waiting)
    }).pipe(Effect.scoped))

  it.effect("holds any value that its schema can encode", () =>
    Effect.gen(function*() {
      const schema = Schema.Struct({ at: Schema.Date, tags: Schema.Array(Schema.String), n: Schema.BigInt })
      const initial = { at: new Date(0), tags: ["ä", "🙂", "\u0000"], n: 10n ** 30n }
      const ref = yield* SharedRef.make({ schema, initial })
      assert.deepStrictEqual(yield* ref.get, initial)
      const next = { ...initial, at: new Date(1), tags: [] }
      yield* ref.set(next)
      assert.deepStrictEqual(yield* ref.get, next)
    }).pipe(Effect.scoped))
})
