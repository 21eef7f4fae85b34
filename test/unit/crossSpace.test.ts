/** Handles, transactions and calls together stay within one manager, and each realm is one (S-5). */
import {
  Manager,
  ManagerError,
  Pool,
  Process,
  SharedLock,
  SharedQueue,
  SharedRef,
  Task,
  TaskGroup,
  Transaction
} from "@effect-multiprocessing/core"
import { layerProgram } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema, type Scope } from "effect"

const Lock = Task.make("Lock", { payload: { lock: SharedLock.schema } })
const Make = Task.make("Make", { success: SharedLock.schema })
const Tasks = TaskGroup.make("locks", { tasks: [Lock, Make] })

/** Opens an object of another manager, which lives as long as the scope. */
const elsewhere = <A, E, R>(open: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Layer.build(Layer.fresh(Manager.layerMemory)), (context) => Effect.provide(open, context))

const program = layerProgram({
  tasks: Tasks.toLayer({
    Lock: ({ lock }) => Effect.orDie(lock.withLock(Effect.void)),
    Make: () => Effect.orDie(elsewhere(SharedLock.make()))
  })
})

const number = SharedRef.make({ schema: Schema.Int, initial: 0 })

const assertCrossSpace = Effect.fnUntraced(function*<A, E, R>(effect: Effect.Effect<A, E, R>) {
  const error = yield* Effect.flip(effect)
  assert.instanceOf(error, ManagerError.ManagerError)
  assert.instanceOf(error.reason, ManagerError.CrossSpace)
  assert.include(error.message, "another manager. Nothing was sent")
})

describe("an object of another manager is refused as CrossSpace:", () => {
  const test = (name: string, body: Effect.Effect<void, unknown, Layer.Success<typeof program> | Scope.Scope>) =>
    it.live(name, () => Effect.provide(Effect.scoped(body), program))

  test(
    "its handle in a value, wherever it is",
    Effect.gen(function*() {
      const there = yield* elsewhere(SharedLock.make())
      const queue = yield* SharedQueue.make({ item: SharedLock.schema })
      const nested = yield* SharedRef.make({
        schema: Schema.Struct({ either: Schema.Union([Schema.Int, Schema.Array(SharedLock.schema)]) }),
        initial: { either: 0 }
      })
      yield* assertCrossSpace(queue.offer(there))
      yield* assertCrossSpace(nested.set({ either: [yield* SharedLock.make(), there] }))
      assert.deepStrictEqual([yield* queue.size, yield* nested.get], [0, { either: 0 }])
    })
  )

  test(
    "in a transaction, of which nothing takes effect",
    Effect.gen(function*() {
      const [here, there] = [yield* number, yield* elsewhere(number)]
      yield* assertCrossSpace(Transaction.tx(Effect.andThen(here.tx.set(1), there.tx.set(1))))
      yield* assertCrossSpace(Transaction.tx(Effect.andThen(here.tx.set(1), there.tx.get)))
      assert.deepStrictEqual([yield* here.get, yield* there.get], [0, 0])
    })
  )

  test(
    "among calls together, none of which is made",
    Effect.gen(function*() {
      const [here, there] = [yield* number, yield* elsewhere(number)]
      yield* assertCrossSpace(Manager.atomic([here.set(1), there.set(1)]))
      assert.deepStrictEqual([yield* here.get, yield* there.get], [0, 0])
    })
  )

  test(
    "by `remove`",
    Effect.gen(function*() {
      const there = yield* elsewhere(number)
      yield* assertCrossSpace((yield* Manager.Manager).remove(there))
      assert.strictEqual(yield* there.get, 0)
    })
  )

  test(
    "in the payload of a process, or of a pool's task",
    Effect.gen(function*() {
      const lock = yield* elsewhere(SharedLock.make())
      yield* assertCrossSpace(Process.spawn(Tasks, Lock, { lock }))
      const pool = yield* Pool.make(Tasks, { size: 1 })
      yield* assertCrossSpace(pool.execute(Lock, { lock }))
    })
  )

  test(
    "as the result of a task, which is a defect of that task",
    Effect.gen(function*() {
      const process = yield* Process.spawn(Tasks, Make)
      const pool = yield* Pool.make(Tasks, { size: 1 })
      for (const exit of [yield* Effect.exit(process.result), yield* Effect.exit(pool.execute(Make))]) {
        assert.include(String(exit), "does not match its schema: this handle belongs to another manager")
      }
    })
  )
})
