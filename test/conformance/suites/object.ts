import { SharedObject } from "@effect-multiprocessing/core"
import { assert } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, Schema, Stream } from "effect"
import { ReadWriteLock, Stack } from "../../support/ownKinds.ts"
import { untilWaiting } from "../../support/untilWaiting.ts"
import { type Deployment, programs, suite } from "../suite.ts"

const noFirst = { options: { first: [] } }

/** `SharedObject`, of own kinds. */
export const objectSuite = (deployment: Deployment): void => tests({ ...deployment, layer: deployment.ownKinds })

const tests = suite("SharedObject", (it, runs) => {
  it.effect.prop(
    "behaves as its transitions do on a plain state, for callers and watchers",
    [programs("push", "poll", "size", "get")],
    ([program]) =>
      Effect.gen(function*() {
        const shared = yield* SharedObject.make(Stack, noFirst)
        const local: Array<number> = []
        for (const [what, n] of program) {
          if (what === "size") assert.strictEqual(yield* shared.size, local.length)
          else if (what === "get") assert.deepStrictEqual(yield* shared.state.get, local)
          else if (what === "poll") assert.deepStrictEqual(yield* shared.poll, Option.fromUndefinedOr(local.pop()))
          else if (local.length < 3) {
            local.push(n)
            yield* shared.push(n)
          }
        }
        assert.deepStrictEqual(yield* Stream.runHead(shared.state.changes), Option.some(local))
      }).pipe(Effect.scoped),
    runs
  )

  it.effect("serves those that wait in order, as the state lets them go on", () =>
    Effect.gen(function*() {
      const stack = yield* SharedObject.make(Stack, { options: { first: [1, 2, 3] } })
      const pushing = yield* Effect.forkChild(Effect.all([stack.push(4), stack.push(5)], { concurrency: "unbounded" }))
      yield* untilWaiting(stack, 2)
      assert.strictEqual(yield* stack.pop, 3)
      yield* untilWaiting(stack, 1)
      assert.deepStrictEqual(yield* stack.state.get, [1, 2, 4])
      assert.strictEqual(yield* stack.pop, 4)
      yield* Fiber.join(pushing)
      assert.deepStrictEqual(yield* stack.state.get, [1, 2, 5])
    }).pipe(Effect.scoped))

  it.effect("is opened with the same options and kind by all, or not", () =>
    Effect.gen(function*() {
      yield* SharedObject.make(Stack, { name: "stack", options: { first: [1] } })
      const stack = yield* SharedObject.make(Stack, { name: "stack", options: { first: [1] } })
      assert.strictEqual(yield* stack.size, 1)
      const other = yield* Effect.flip(SharedObject.make(Stack, { name: "stack", ...noFirst }))
      assert.strictEqual(other._tag, "OptionsMismatch")
      const lock = yield* Effect.flip(SharedObject.make(ReadWriteLock, { name: "stack" }))
      assert.strictEqual(lock._tag, "SchemaMismatch")
    }).pipe(Effect.scoped))

  it.effect("is a read-write lock: read by many at once, written by one, which no later reader overtakes", () =>
    Effect.gen(function*() {
      const lock = yield* SharedObject.make(ReadWriteLock)
      const order: Array<string> = []
      const note = (word: string) => () => Effect.sync(() => order.push(word))
      const end = yield* Deferred.make<void>()
      const reading = SharedObject.withHold(lock.read, () => Deferred.await(end))
      const readers = yield* Effect.forkChild(Effect.all([reading, reading, reading], { concurrency: "unbounded" }))
      yield* lock.state.until(({ readers }) => readers === 3)
      const writer = yield* Effect.forkChild(SharedObject.withHold(lock.write, note("write")))
      yield* untilWaiting(lock, 1)
      const later = yield* Effect.forkChild(SharedObject.withHold(lock.read, note("read")))
      yield* untilWaiting(lock, 2)
      assert.strictEqual(yield* lock.readers, 3)
      yield* Deferred.succeed(end, undefined)
      yield* Effect.all([Fiber.join(readers), Fiber.join(writer), Fiber.join(later)])
      assert.deepStrictEqual(order, ["write", "read"])
      assert.deepStrictEqual(yield* lock.state.get, { readers: 0, isWriting: false })
    }).pipe(Effect.scoped))

  it.effect("is itself a value", () =>
    Effect.gen(function*() {
      const stack = yield* SharedObject.make(Stack, noFirst)
      const encode = Schema.encodeEffect(SharedObject.schema(Stack))
      const decode = Schema.decodeUnknownEffect(SharedObject.schema(Stack))
      const same = yield* decode(yield* encode(stack))
      yield* same.push(7)
      assert.strictEqual(yield* stack.pop, 7)
    }).pipe(Effect.scoped))
})
