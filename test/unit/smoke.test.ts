import { Manager, SharedLock, SharedMap, SharedNamespace, SharedQueue, SharedRef } from "@effect-multiprocessing/core"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Option, Schema, Stream } from "effect"

class Done extends SharedRef.Service<Done>()("app/Done", { schema: Schema.Int, initial: 0 }) {}
class Jobs extends SharedQueue.Service<Jobs>()("app/Jobs", { item: Schema.Struct({ n: Schema.Int }), capacity: 2 }) {}
class Names extends SharedMap.Service<Names>()("app/Names", { key: Schema.String, value: Schema.Int }) {}
class Board extends SharedNamespace.Service<Board>()("app/Board", {
  fields: { running: Schema.Boolean, count: Schema.Int },
  initial: { running: true, count: 0 }
}) {}
class Gate extends SharedLock.Service<Gate>()("app/Gate") {}

it.live("works in memory", () =>
  Effect.gen(function*() {
    const done = yield* Done
    assert.strictEqual(yield* done.increment, 1)
    assert.strictEqual(yield* done.add(5), 6)
    yield* done.set(10)
    assert.strictEqual(yield* done.get, 10)
    const results = yield* Effect.forEach(
      Array.from({ length: 100 }, (_, i) => i),
      () => done.modify((n) => [n, n + 1]),
      { concurrency: "unbounded" }
    )
    assert.strictEqual(new Set(results).size, 100)
    const jobs = yield* Jobs
    const taker = yield* Effect.forkChild(jobs.take)
    yield* jobs.offer({ n: 1 })
    assert.deepStrictEqual(yield* Fiber.join(taker), { n: 1 })
    yield* jobs.offer({ n: 2 })
    assert.strictEqual(yield* jobs.process(({ n }, { attempt }) => Effect.succeed(n * 10 + attempt)), 21)
    const error = yield* Effect.flip(Effect.andThen(jobs.offer({ n: 3 }), jobs.process(() => Effect.fail("no"))))
    assert.strictEqual(error, "no")
    assert.strictEqual(yield* jobs.process((_, { attempt }) => Effect.succeed(attempt)), 2)
    const waiter = yield* Effect.forkChild(jobs.take)
    yield* Effect.yieldNow
    yield* Fiber.interrupt(waiter)
    const names = yield* Names
    yield* names.set("a", 1)
    assert.deepStrictEqual(yield* names.get("a"), Option.some(1))
    assert.deepStrictEqual(yield* names.entries, [["a", 1]])
    const seen = yield* Effect.forkChild(Stream.runCollect(Stream.take(names.changes, 2)))
    yield* Effect.sleep(10)
    yield* names.set("b", 2)
    assert.strictEqual((yield* Fiber.join(seen)).length, 2)
    const board = yield* Board
    const stop = yield* Effect.forkChild(board.fields.running.until((running) => !running))
    yield* board.fields.count.increment
    yield* board.set({ running: false })
    yield* Fiber.join(stop)
    assert.deepStrictEqual(yield* board.get, { running: false, count: 1 })
    const gate = yield* Gate
    let inside = 0, most = 0
    yield* Effect.forEach(Array.from({ length: 10 }), () =>
      gate.withLock(Effect.gen(function*() {
        most = Math.max(most, ++inside)
        yield* done.increment
        inside--
      })), { concurrency: "unbounded" })
    assert.strictEqual(most, 1)
    const again = yield* Effect.flip(gate.withLock(gate.withLock(Effect.void)))
    assert.strictEqual(again._tag, "AlreadyHeld")
    console.log(JSON.stringify(yield* (yield* Manager.Manager).inspect))
    const handles = yield* SharedQueue.make({ item: Jobs.schema })
    yield* handles.offer(jobs)
    const same = yield* handles.take
    yield* same.offer({ n: 7 })
    assert.deepStrictEqual(yield* jobs.take, { n: 7 })
  }).pipe(
    Effect.scoped,
    Effect.provide([Done.layer, Jobs.layer, Names.layer, Board.layer, Gate.layer]),
    Effect.provide(Manager.layerMemory)
  ))
