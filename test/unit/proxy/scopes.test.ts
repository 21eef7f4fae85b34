/** What is used after its scope says which scope had ended. */
import {
  Manager,
  Pool,
  Process,
  Shared,
  SharedLock,
  SharedQueue,
  SharedRef,
  Task,
  TaskGroup
} from "@effect-multiprocessing/core"
import { layerProgram } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Schema, Scope, Stream } from "effect"

class Gate extends SharedRef.Service<Gate>()("app/Gate", { schema: Schema.Int, initial: 0 }) {}

/** A queue with the handle of a lock to which nothing else refers. */
const offered = Effect.gen(function*() {
  const locks = yield* SharedQueue.make({ item: SharedLock.schema })
  yield* Effect.scoped(Effect.flatMap(SharedLock.make(), locks.offer))
  return locks
})

/** Shared objects that outlive the scope, with what an error says of it. */
const ways: Readonly<
  Record<
    string,
    readonly [
      string,
      Effect.Effect<SharedLock.SharedLock, unknown, Manager.Manager | Scope.Scope>
    ]
  >
> = {
  make: ["the scope in which it was opened", Effect.scoped(SharedLock.make())],
  "Shared.acquire": [
    "the scope of the Shared.acquire that returned it",
    Effect.flatMap(offered, ({ take }) => Effect.scoped(Shared.acquire(take)))
  ],
  process: [
    "the scope of the processing of its item",
    Effect.flatMap(offered, ({ process }) => process(Effect.succeed))
  ],
  takeLease: [
    "the scope of the lease of its item",
    Effect.flatMap(
      offered,
      ({ takeLease }) => Effect.scoped(Effect.flatMap(takeLease, ({ ack, item }) => Effect.as(ack, item)))
    )
  ]
}

describe("a shared object that is used after its scope says which scope had ended, that of", () => {
  for (const [name, [scope, get]] of Object.entries(ways)) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const lock = yield* get
        // By then the manager knows that the reply has arrived which returned it.
        yield* Effect.flatMap(Manager.Manager, ({ inspect }) => inspect)
        const uses = [lock.isHeld, lock.withLock(Effect.void), Manager.atomic([lock.isHeld])]
        for (const use of uses) {
          const { message } = yield* Effect.flip(use as Effect.Effect<unknown, Error, Manager.Manager>)
          assert.include(message, `the object no longer exists: ${scope} has ended. The call had no effect`)
        }
      }).pipe(Effect.scoped, Effect.provide(Manager.layerMemory)))
  }

  it.effect("a layer, also for its changes", () =>
    Effect.gen(function*() {
      const gate = Context.get(yield* Effect.scoped(Layer.build(Gate.layer)), Gate)
      yield* Effect.flatMap(Manager.Manager, ({ remove }) =>
        Effect.scoped(Effect.flatMap(Layer.build(Gate.layer), (built) =>
          remove(Context.get(built, Gate)))))
      for (const use of [gate.get, Stream.runHead(gate.changes)]) {
        const { message } = yield* Effect.flip(use as Effect.Effect<unknown, Error>)
        assert.include(message, "the scope in which it was opened has ended")
      }
    }).pipe(Effect.provide(Manager.layerMemory)))

  it.effect("its manager", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Scope.provide(Layer.build(Manager.layerMemory), scope)
      const lock = yield* Scope.provide(Effect.provide(SharedLock.make(), context), scope)
      yield* Scope.close(scope, Exit.void)
      assert.include((yield* Effect.flip(lock.isHeld)).message, "the scope of this manager was closed")
    }))
})

const Wait = Task.make("Wait", { payload: {} })
const Tasks = TaskGroup.make("tasks", { tasks: [Wait] })
const program = layerProgram({ tasks: Tasks.toLayer({ Wait: () => Effect.never }) })

describe("says that its scope has ended", () => {
  it.effect("a pool; one that was shut down says that", () =>
    Effect.gen(function*() {
      const pool = yield* Effect.scoped(Pool.make(Tasks))
      assert.include((yield* Effect.flip(pool.execute(Wait, {}))).message, "has stopped: its scope has ended")
      const message = yield* Effect.scoped(Effect.gen(function*() {
        const pool = yield* Pool.make(Tasks)
        yield* pool.shutdown
        return (yield* Effect.flip(pool.execute(Wait, {}))).message
      }))
      assert.include(message, "has stopped: it was shut down")
    }).pipe(Effect.provide(program)))

  it.live("a process; one that was ended says that", () =>
    Effect.gen(function*() {
      const process = yield* Effect.scoped(Process.spawn(Tasks, Wait, {}))
      assert.isFalse(yield* process.isRunning)
      const late = yield* Effect.flip(process.result)
      assert.strictEqual(late._tag, "ProcessExited")
      assert.include(late.message, "its scope has ended")
      const message = yield* Effect.scoped(Effect.gen(function*() {
        const process = yield* Process.spawn(Tasks, Wait, {})
        yield* process.end
        return (yield* Effect.flip(process.result)).message
      }))
      assert.include(message, "this program has ended it")
    }).pipe(Effect.provide(program)))
})
