import { SharedQueue } from "@effect-multiprocessing/core"
import { assert } from "@effect/vitest"
import { type Cause, Effect, Exit, Fiber, Option, Queue, Schema, Stream } from "effect"
import { programs, suite } from "../suite.ts"

const numbers = (length: number) => Array.from({ length }, (_, n) => n)

/** `SharedQueue`. */
export const queueSuite = suite("SharedQueue", (it, runs) => {
  it.effect.prop(
    "behaves as a bounded list of items and their attempts",
    [
      programs(
        "offer",
        "offer",
        "offer",
        "offerAll",
        "offerIfRoom",
        "take",
        "poll",
        "process",
        "fail",
        "nack",
        "return",
        "size",
        "clear",
        "settled"
      )
    ],
    ([program]) =>
      Effect.gen(function*() {
        const queue = yield* SharedQueue.make({ item: Schema.Int, capacity: 3, attempts: 2 })
        const model: Array<{ readonly item: number; attempt: number }> = []
        const dead: Array<number> = []
        const failed = () => {
          if (++model[0]!.attempt > 2) dead.push(model.shift()!.item)
        }
        for (const [what, n] of program) {
          if (what === "size") {
            assert.deepStrictEqual(
              [yield* queue.size, yield* queue.isEmpty, yield* queue.isFull],
              [model.length, model.length === 0, model.length >= 3]
            )
          } else if (what === "offerIfRoom") {
            assert.strictEqual(yield* queue.offerIfRoom(n), model.length < 3)
            if (model.length < 3) model.push({ item: n, attempt: 1 })
          } else if (what === "offerAll") {
            const room = 3 - model.length
            const items = numbers(Math.abs(n) % 5).map((i) => n + i)
            const taking = Effect.forEach(items.slice(Math.max(room, 0)), () => queue.take)
            const [rejected, taken] = yield* Effect.all([queue.offerAll(items), taking], { concurrency: "unbounded" })
            model.push(...items.map((item) => ({ item, attempt: 1 })))
            assert.deepStrictEqual(rejected, [])
            assert.deepStrictEqual(taken, taken.map(() => model.shift()!.item))
          } else if (what === "poll") {
            assert.deepStrictEqual(yield* queue.poll, Option.fromUndefinedOr(model.shift()?.item))
          } else if (what === "clear") assert.strictEqual(yield* queue.clear, model.splice(0).length)
          else if (what === "settled") {
            const waiting = yield* Effect.forkChild(Effect.all([queue.untilEmpty, queue.untilSettled]))
            yield* Effect.forEach(model.splice(0), ({ item }) =>
              Effect.map(queue.take, (n) => assert.strictEqual(n, item)))
            yield* Fiber.join(waiting)
          } else if (what === "offer") {
            // The queue is full, so the offer waits until an item has been taken.
            const room = model.length < 3 ? Effect.undefined : queue.take
            const [, taken] = yield* Effect.all([queue.offer(n), room], { concurrency: "unbounded" })
            if (taken !== undefined) {
              assert.strictEqual(taken, model.shift()!.item)
            }
            model.push({ item: n, attempt: 1 })
          } else if (model.length === 0) {
            continue
          } else if (what === "take") {
            assert.strictEqual(yield* queue.take, model.shift()!.item)
          } else if (what === "process") {
            const worked = yield* queue.process((item, { attempt }) =>
              Effect.succeed({ item, attempt })
            )
            assert.deepStrictEqual(worked, model.shift())
          } else if (what === "fail") {
            const worked = yield* Effect.flip(queue.process((item, { attempt }) => Effect.fail({ item, attempt })))
            assert.deepStrictEqual(worked, model[0])
            failed()
          } else {
            const { attempt, item } = yield* Effect.scoped(
              Effect.tap(queue.takeLease, (lease) => what === "nack" ? lease.nack("no") : Effect.void)
            )
            assert.deepStrictEqual({ attempt, item }, model[0])
            if (what === "nack") failed()
          }
        }
        const left = yield* Effect.forEach(model, () => queue.take)
        assert.deepStrictEqual(left, model.map(({ item }) => item))
        const letters = yield* queue.deadLetters
        assert.deepStrictEqual(letters.map(({ item }) => item._tag === "Success" && item.value), dead)
      }).pipe(Effect.scoped),
    runs
  )

  it.effect.prop(
    "behaves as Effect's own bounded queue does, when waiters have continued before the next call (S-33)",
    [programs("offer", "offer", "take", "take", "poll", "offerIfRoom", "offerAll", "size", "clear")],
    ([program]) =>
      Effect.gen(function*() {
        const ours = yield* SharedQueue.make({ item: Schema.Int, capacity: 2 })
        const effects = yield* Queue.bounded<number, Cause.Done>(2)
        const settled = Effect.andThen(ours.size, Effect.yieldNow)
        const pairs: Array<readonly [Fiber.Fiber<unknown>, Fiber.Fiber<unknown>]> = []
        const both = (ours: Effect.Effect<unknown, unknown>, effects: Effect.Effect<unknown, unknown>) =>
          Effect.gen(function*() {
            const fork = (call: Effect.Effect<unknown, unknown>) =>
              Effect.forkChild(Effect.orElseSucceed(call, () => "closed"), { startImmediately: true })
            pairs.push([yield* fork(ours), yield* fork(effects)])
            yield* settled
          })
        for (const [what, n] of program) {
          if (what === "offer") yield* both(ours.offer(n), Effect.asVoid(Queue.offer(effects, n)))
          else if (what === "take") yield* both(ours.take, Queue.take(effects))
          else if (what === "poll") yield* both(ours.poll, Queue.poll(effects))
          else if (what === "offerIfRoom") {
            yield* both(ours.offerIfRoom(n), Effect.sync(() => Queue.offerUnsafe(effects, n)))
          } else if (what === "offerAll") {
            const items = numbers(Math.abs(n) % 5)
            yield* both(ours.offerAll(items), Queue.offerAll(effects, items))
          } else if (what === "size") yield* both(ours.size, Queue.size(effects))
          else yield* both(ours.clear, Effect.map(Queue.clear(effects), (items) => items.length))
        }
        // No offer waits for room when the queues end, because there the two differ.
        while ((yield* ours.size) > 0) yield* both(ours.take, Queue.take(effects))
        yield* both(Effect.asVoid(ours.close), Effect.asVoid(Queue.end(effects)))
        yield* both(ours.take, Queue.take(effects))
        for (const [one, other] of pairs) assert.deepStrictEqual(yield* Fiber.join(one), yield* Fiber.join(other))
      }).pipe(Effect.scoped),
    runs
  )

  it.effect("waits until all work is done, also items that failed and came back", () =>
    Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ item: Schema.Int, capacity: 4, attempts: 2 })
      const done: Array<number> = []
      const work = queue.process((item, { attempt }) =>
        item % 5 === 0 || attempt === 1 && item % 3 === 0 ? Effect.fail("no") : Effect.sync(() => done.push(item))
      )
      yield* Effect.forEach(numbers(3), () => Effect.forkChild(Effect.forever(Effect.ignore(work))))
      yield* queue.offerAll(numbers(30))
      yield* queue.untilSettled
      assert.strictEqual(done.length + (yield* queue.deadLetters).length, 30)
      yield* queue.untilEmpty
    }).pipe(Effect.scoped))

  it.effect("adds all items of a batch in order, those that fit at once and those that wait", () =>
    Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ item: Schema.String, capacity: 300 })
      const items = numbers(600).map((n) => `${n} ${"x".repeat(n % 7 === 0 ? 5_000 : 1)}`)
      const taking = yield* Effect.forkChild(Effect.forEach(items, () => queue.take))
      assert.deepStrictEqual(yield* queue.offerAll(items), [])
      assert.deepStrictEqual(yield* Fiber.join(taking), items)
    }).pipe(Effect.scoped))

  it.effect("delivers each item once, in order to one taker", () =>
    Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ item: Schema.Int, capacity: 4 })
      const taking = yield* Effect.forkChild(Effect.forEach(numbers(100), () => queue.take))
      assert.deepStrictEqual(yield* queue.offerAll(numbers(100)), [])
      assert.deepStrictEqual(yield* Fiber.join(taking), numbers(100))
    }).pipe(Effect.scoped))

  it.effect("delivers each item once to many workers, whatever fails in between", () =>
    Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ item: Schema.Int, capacity: 8 })
      const done: Array<number> = []
      const work = queue.process((item, { attempt }) =>
        attempt === 1 && item % 3 === 0 ? Effect.fail("not yet" as const) : Effect.sync(() => done.push(item))
      )
      const worker = Effect.forever(Effect.catch(
        work,
        (error) => error === "not yet" ? Effect.void : Effect.fail(error)
      ))
      const workers = yield* Effect.forEach(numbers(6), () => Effect.forkChild(Effect.flip(worker)))
      yield* queue.offerAll(numbers(90))
      yield* queue.close
      for (const worker of workers) assert.strictEqual((yield* Fiber.join(worker))._tag, "QueueClosed")
      assert.deepStrictEqual(done.sort((a, b) => a - b), numbers(90))
    }).pipe(Effect.scoped))

  it.effect("serves waiters in the order of arrival (S-13)", () =>
    Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ item: Schema.Int })
      const takes = yield* Effect.forEach(numbers(20), () => Effect.forkChild(queue.take, { startImmediately: true }))
      yield* queue.offerAll(numbers(20))
      assert.deepStrictEqual(yield* Effect.forEach(takes, Fiber.join), numbers(20))
    }).pipe(Effect.scoped))

  it.effect("refuses offers when it is closed, can be drained, and then fails takers", () =>
    Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ item: Schema.Int, capacity: 2 })
      yield* queue.offerAll([1, 2])
      const rejected = yield* Effect.forkChild(queue.offerAll([3, 4]), { startImmediately: true })
      yield* queue.close
      assert.deepStrictEqual(yield* Fiber.join(rejected), [3, 4])
      assert.strictEqual((yield* Effect.flip(queue.offer(5)))._tag, "QueueClosed")
      assert.deepStrictEqual([yield* queue.take, yield* queue.take], [1, 2])
      assert.strictEqual((yield* Effect.flip(queue.take))._tag, "QueueClosed")
      yield* queue.close
    }).pipe(Effect.scoped))

  it.effect("ends `stream` and `processAll` only when it is closed and drained", () =>
    Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ item: Schema.Int })
      const out = yield* SharedQueue.make({ item: Schema.Int, capacity: 3 })
      const moved = yield* Effect.forkChild(queue.processAll(out.offer))
      const read = yield* Effect.forkChild(Stream.runCollect(out.stream))
      yield* queue.offerAll(numbers(10))
      yield* queue.close
      yield* Fiber.join(moved)
      yield* out.close
      assert.deepStrictEqual(yield* Fiber.join(read), numbers(10))
      const other = yield* SharedQueue.make({ item: Schema.Int })
      yield* other.offer(1)
      const error = yield* Effect.flip(other.processAll(out.offer))
      assert.strictEqual(error._tag, "QueueClosed")
      assert.deepStrictEqual([yield* other.size, yield* other.take], [1, 1])
    }).pipe(Effect.scoped))

  it.effect("gives an item to another worker that one has had for longer than `holdFor`", () =>
    Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ item: Schema.Int, holdFor: "50 millis" })
      yield* queue.offer(7)
      let ended = false
      const work = Effect.ensuring(Effect.never, Effect.sync(() => ended = true))
      const first = yield* Effect.forkChild(Effect.flip(queue.process(() => work)), { startImmediately: true })
      // On a busy machine any worker may have an item for too long.
      const process = <A>(f: (n: number, delivery: SharedQueue.Delivery) => A) =>
        Effect.retry(queue.process((n, delivery) => Effect.succeed(f(n, delivery))), {
          while: ({ _tag }) => _tag === "LeaseLost"
        })
      assert.isAtLeast(yield* process((_, { attempt }) => attempt), 2)
      assert.strictEqual((yield* Fiber.join(first))._tag, "LeaseLost")
      assert.isTrue(ended)
      yield* queue.untilSettled
      yield* queue.offer(8)
      assert.strictEqual(yield* process((n) => n), 8)
    }).pipe(Effect.scoped))

  it.effect("fails work that offers to its own full queue, when nothing else makes room", () =>
    Effect.gen(function*() {
      for (const capacity of [1, 2]) {
        const queue = yield* SharedQueue.make({ item: Schema.Int, capacity })
        yield* queue.offer(0)
        const error = yield* Effect.flip(
          queue.processAll((n) => Effect.andThen(queue.offer(n + 1), queue.offer(n + 2)))
        )
        assert.include(error.message, `waits for itself: the queue is full (capacity ${capacity})`)
        // The item is back, and what was offered for it is there.
        assert.strictEqual(yield* queue.size, capacity)
      }
    }).pipe(Effect.scoped))

  it.effect("ends with its last producer, and fails a reader if one was lost", () =>
    Effect.gen(function*() {
      const produce = (queue: SharedQueue.SharedQueue<number>, items: ReadonlyArray<number>) =>
        Effect.scoped(Effect.andThen(queue.producer, queue.offerAll(items)))
      for (const end of [Effect.void, Effect.fail("no more")]) {
        const queue = yield* SharedQueue.make({ item: Schema.Int, capacity: 3 })
        const seen: Array<number> = []
        const read = yield* Effect.forkChild(Stream.runForEach(queue.stream, (n) => Effect.sync(() => seen.push(n))))
        yield* Effect.exit(Effect.scoped(Effect.gen(function*() {
          yield* queue.producer
          yield* Effect.all([produce(queue, [1, 2, 3, 4, 5]), produce(queue, [6, 7])], { concurrency: "unbounded" })
          yield* end
        })))
        const exit = yield* Fiber.await(read)
        assert.deepStrictEqual(seen.toSorted((a, b) => a - b), [1, 2, 3, 4, 5, 6, 7])
        if (end === Effect.void) assert.isTrue(Exit.isSuccess(exit))
        else assert.include(String(exit), "a producer was lost before it was done")
      }
    }).pipe(Effect.scoped))

  it.effect("keeps the reason of a dead letter, and the number of its attempts (S-19)", () =>
    Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ item: Schema.Int, attempts: 2 })
      yield* queue.offer(1)
      yield* Effect.flip(queue.process(() => Effect.fail("the first time")))
      yield* Effect.exit(queue.process(() => Effect.die(new Error("the second time"))))
      const [letter, ...others] = yield* queue.deadLetters
      assert.deepStrictEqual(others, [])
      assert.strictEqual(letter!.attempts, 2)
      assert.include(letter!.reason, "the second time")
    }).pipe(Effect.scoped))

  it.effect("streams its dead letters page by page, and drops or retries each of them once", () =>
    Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ item: Schema.String, capacity: 400, attempts: 1 })
      const items = numbers(400).map((n) => `${n} ${"x".repeat(n % 9 === 0 ? 8_000 : n)}`)
      const fail = Effect.exit(queue.process(() => Effect.fail("no")))
      yield* queue.offerAll(items)
      yield* Effect.forEach(items, () => fail, { concurrency: 16 })
      yield* queue.untilSettled
      const seen: Array<string> = []
      yield* Stream.runForEach(queue.deadLetterStream, ({ drop, item, retry }) =>
        Effect.gen(function*() {
          const retries = seen.push(yield* item) % 2 === 0
          assert.isTrue(yield* retries ? retry : drop)
          assert.deepStrictEqual([yield* retry, yield* drop], [false, false])
          // A letter that comes back while the stream is read is not read again.
          if (retries) yield* fail
        }))
      assert.deepStrictEqual([...seen].sort(), [...items].sort())
      assert.strictEqual((yield* queue.deadLetters).length, 200)
      assert.deepStrictEqual(yield* queue.deadLetterCounts, { kept: 200, discarded: 0 })
    }).pipe(Effect.scoped))

  it.effect("keeps `deadLetterCapacity` dead letters: the newest, or all of them, and delivers nothing more", () =>
    Effect.gen(function*() {
      const options = { item: Schema.Int, attempts: 1, deadLetterCapacity: 3 }
      const [sliding, suspend] = [
        yield* SharedQueue.make(options),
        yield* SharedQueue.make({ ...options, deadLetterStrategy: "suspend" })
      ]
      const dead = (queue: typeof sliding) => Effect.flatMap(queue.deadLetters, Effect.forEach(({ item }) => item))
      for (const queue of [sliding, suspend]) {
        yield* queue.offerAll(numbers(5))
        const failing = Effect.forever(Effect.exit(queue.process(() => Effect.fail("no"))))
        yield* Effect.forkChild(failing, { startImmediately: true })
      }
      yield* sliding.untilSettled
      assert.deepStrictEqual(yield* dead(sliding), [2, 3, 4])
      assert.deepStrictEqual(yield* sliding.deadLetterCounts, { kept: 3, discarded: 2 })
      const kept = suspend.deadLetterCounts.pipe(Effect.repeat({ until: ({ kept }) => kept === 3 }))
      assert.deepStrictEqual(yield* kept, { kept: 3, discarded: 0 })
      assert.deepStrictEqual([yield* dead(suspend), yield* suspend.size, yield* suspend.poll], [
        [0, 1, 2],
        2,
        Option.none()
      ])
      const [oldest] = yield* suspend.deadLetters
      assert.isTrue(yield* oldest!.drop)
      assert.deepStrictEqual(yield* kept, { kept: 3, discarded: 0 })
      assert.deepStrictEqual(yield* dead(suspend), [1, 2, 3])
    }).pipe(Effect.scoped))

  it.effect("retries a dead letter as an offer: it waits for room, and fails when the queue is closed", () =>
    Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ item: Schema.Int, capacity: 1, attempts: 1 })
      yield* queue.offer(1)
      yield* Effect.flip(queue.process(() => Effect.fail("no")))
      yield* queue.offer(2)
      const [letter] = yield* queue.deadLetters
      const retried = yield* Effect.forkChild(letter!.retry, { startImmediately: true })
      assert.strictEqual(yield* queue.take, 2)
      assert.isTrue(yield* Fiber.join(retried))
      assert.deepStrictEqual(yield* queue.process((item, { attempt }) => Effect.succeed([item, attempt])), [1, 1])
      yield* queue.offer(3)
      yield* Effect.flip(queue.process(() => Effect.fail("no")))
      const [other] = yield* queue.deadLetters
      yield* queue.close
      assert.strictEqual((yield* Effect.flip(other!.retry))._tag, "QueueClosed")
      assert.isTrue(yield* other!.drop)
    }).pipe(Effect.scoped))

  it.effect("makes no offer wait if it is unbounded", () =>
    Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ item: Schema.Int, capacity: Infinity })
      yield* queue.offerAll(numbers(2_000))
      assert.strictEqual(yield* queue.size, 2_000)
    }).pipe(Effect.scoped))
})
