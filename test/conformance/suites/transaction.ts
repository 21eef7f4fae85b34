import { SharedList, SharedMap, SharedObject, SharedQueue, SharedRef, Transaction } from "@effect-multiprocessing/core"
import { assert } from "@effect/vitest"
import { Effect, Fiber, Option, Schema } from "effect"
import { Stack } from "../../support/ownKinds.ts"
import { untilWaiting } from "../../support/untilWaiting.ts"
import { type Deployment, programs, suite } from "../suite.ts"

const Int = { schema: Schema.Int, initial: 0 }
const unbounded = { concurrency: "unbounded" } as const

/** Transactions over objects of each kind that takes part in them. */
export const transactionSuite = (deployment: Deployment): void => tests({ ...deployment, layer: deployment.ownKinds })

const objects = Effect.gen(function*() {
  return {
    ref: yield* SharedRef.make(Int),
    map: yield* SharedMap.make({ key: Schema.Int, value: Schema.Int }),
    list: yield* SharedList.make({ item: Schema.Int }),
    queue: yield* SharedQueue.make({ item: Schema.Int }),
    stack: yield* SharedObject.make(Stack, { options: { first: [] } })
  }
})

/** The same as plain values. */
interface Plain {
  readonly ref: number
  readonly map: ReadonlyArray<readonly [number, number]>
  readonly list: ReadonlyArray<number>
  readonly queue: ReadonlyArray<number>
  readonly stack: ReadonlyArray<number>
}

const nothing: Plain = { ref: 0, map: [], list: [], queue: [], stack: [] }

const withEntry = (map: Plain["map"], key: number, value: number): Plain["map"] =>
  map.some(([k]) => k === key) ? map.map(([k, v]) => [k, k === key ? value : v]) : [...map, [key, value]]

const tests = suite("Transaction", (it, runs) => {
  it.effect.prop(
    "does to shared objects what its body does to plain values, or nothing if it fails",
    [
      programs("get", "set", "entry", "entries", "remove", "append", "all", "poll", "offer", "push", "pop"),
      Schema.Boolean
    ],
    ([program, fails]) =>
      Effect.gen(function*() {
        const shared = yield* objects
        const { list, map, queue, ref, stack } = shared
        const body = Effect.gen(function*() {
          let plain = nothing
          for (const [what, n] of program) {
            const key = Math.abs(n) % 3
            switch (what) {
              case "get":
                assert.strictEqual(yield* ref.tx.get, plain.ref)
                break
              case "set":
                yield* ref.tx.set(n)
                plain = { ...plain, ref: n }
                break
              case "entry":
                yield* map.tx.set(key, n)
                plain = { ...plain, map: withEntry(plain.map, key, n) }
                break
              case "entries":
                assert.deepStrictEqual(yield* map.tx.entries, plain.map)
                break
              case "remove":
                yield* map.tx.remove(key)
                plain = { ...plain, map: plain.map.filter(([k]) => k !== key) }
                break
              case "append":
                yield* list.tx.append(n)
                plain = { ...plain, list: [...plain.list, n] }
                break
              case "all":
                assert.deepStrictEqual(yield* list.tx.toArray, plain.list)
                break
              case "offer":
                yield* queue.tx.offer(n)
                plain = { ...plain, queue: [...plain.queue, n] }
                break
              case "poll":
                assert.deepStrictEqual(yield* queue.tx.poll, Option.fromUndefinedOr(plain.queue[0]))
                plain = { ...plain, queue: plain.queue.slice(1) }
                break
              case "push":
                if (plain.stack.length === 3) break
                yield* stack.tx.push(n)
                plain = { ...plain, stack: [...plain.stack, n] }
                break
              case "pop":
                assert.deepStrictEqual(yield* stack.tx.poll, Option.fromUndefinedOr(plain.stack.at(-1)))
                plain = { ...plain, stack: plain.stack.slice(0, -1) }
            }
          }
          return fails ? yield* Effect.fail("no") : plain
        })
        const plain = yield* Effect.catch(
          Transaction.tx(body),
          (error) => error === "no" ? Effect.succeed(nothing) : Effect.fail(error)
        )
        const now: Plain = {
          ref: yield* ref.get,
          map: yield* map.entries,
          list: yield* list.toArray,
          queue: yield* Effect.forEach(Array.from({ length: yield* queue.size }), () => queue.take),
          stack: yield* stack.state.get
        }
        assert.deepStrictEqual(now, plain)
      }).pipe(Effect.scoped),
    { arbitrary: { ...runs.arbitrary, runs: Math.ceil(runs.arbitrary.runs / 5) } }
  )

  it.effect("moves what there is between objects of each kind, and no body sees a part of another transaction", () =>
    Effect.gen(function*() {
      const { list, map, queue, ref, stack } = yield* objects
      const total = 12
      yield* ref.set(total)
      const counts = Effect.all([
        ref.tx.get,
        Effect.map(map.tx.values, (values) => values.reduce((sum, n) => sum + n, 0)),
        list.tx.size,
        stack.tx.size
      ], unbounded)
      const audit = Effect.gen(function*() {
        const here = (yield* counts).reduce((sum, n) => sum + n, 0)
        // The map counts the items of the queue, by item.
        if (here !== total) return yield* Effect.die(`a body saw ${here} of ${total}`)
      })
      const move = (n: number) =>
        Effect.gen(function*() {
          yield* audit
          if (yield* Effect.map(ref.tx.get, (left) => left > 0)) {
            yield* ref.tx.update((left) => left - 1)
            if (n % 3 === 0) yield* list.tx.append(n)
            else if (n % 3 === 1 && (yield* stack.tx.size) < 3) yield* stack.tx.push(n)
            else {
              yield* queue.tx.offer(n)
              yield* map.tx.update(n, (count) => Option.some(Option.getOrElse(count, () => 0) + 1))
            }
          } else {
            const item = yield* queue.tx.poll
            if (Option.isNone(item)) return
            yield* map.tx.update(item.value, Option.map((count) => count - 1))
            yield* ref.tx.set(1)
          }
          yield* audit
        })
      const moving = Array.from(
        { length: 4 },
        (_, n) => Effect.forEach([0, 1, 2, 3, 4], (i) => Transaction.tx(move(n + i)), { discard: true })
      )
      yield* Effect.all([...moving, Effect.repeat(Transaction.tx(audit), { times: 5 })], unbounded)
      yield* Transaction.tx(audit)
      const items = yield* queue.size
      assert.strictEqual((yield* map.values).reduce((sum, n) => sum + n, 0), items)
    }).pipe(Effect.scoped))

  it.effect("that waits goes on when what it has read has changed, and no wake is lost", () =>
    Effect.gen(function*() {
      const { map, queue, ref, stack } = yield* objects
      const reaches = (n: number) =>
        Effect.flatMap(ref.tx.get, (now) => now < n ? Transaction.txRetry : Effect.succeed(now))
      const waits = [
        ...[1, 2, 3, 4].map((n) => Transaction.tx(reaches(n))),
        Transaction.tx(
          Effect.flatMap(map.tx.get(1), (found) => Option.isNone(found) ? Transaction.txRetry : Effect.succeed(0))
        ),
        Transaction.tx(queue.tx.take),
        Transaction.tx(stack.tx.pop),
        Transaction.tx(Transaction.orElse(reaches(100), Transaction.orElse(stack.tx.pop, queue.tx.take)))
      ]
      const fibers = yield* Effect.forEach(waits, (wait) => Effect.forkChild(wait))
      yield* untilWaiting(ref, 5)
      yield* untilWaiting(queue, 2)
      yield* untilWaiting(stack, 2)
      yield* Effect.all([
        Effect.forEach([1, 2, 3, 4], (n) => ref.set(n)),
        map.set(1, 1),
        queue.offerAll([5, 6]),
        Effect.forEach([7, 8], (n) => stack.push(n))
      ], unbounded)
      yield* Effect.forEach(fibers, Fiber.join)
      const left = [yield* queue.size, yield* stack.size]
      assert.strictEqual(left[0]! + left[1]!, 1)
      yield* untilWaiting(ref, 0)
    }).pipe(Effect.scoped))

  it.effect("does the work of each item once, whoever conflicts", () =>
    Effect.gen(function*() {
      const { list, map, queue } = yield* objects
      const items = Array.from({ length: 24 }, (_, n) => n)
      yield* queue.offerAll(items)
      const worker = Effect.repeat(
        queue.processTx((n) =>
          Effect.gen(function*() {
            yield* map.tx.update(n % 2, (sum) => Option.some(Option.getOrElse(sum, () => 0) + n))
            yield* list.tx.append(n)
          })
        ),
        { times: 5 }
      )
      yield* Effect.all([worker, worker, worker, worker], unbounded)
      assert.deepStrictEqual((yield* list.toArray).toSorted((a, b) => a - b), items)
      assert.strictEqual((yield* map.values).reduce((sum, n) => sum + n, 0), items.reduce((sum, n) => sum + n, 0))
      assert.isTrue(yield* queue.isEmpty)
    }).pipe(Effect.scoped))
})
