/** Programs that compile, and their types. */
import {
  Manager,
  type ManagerError,
  Pool,
  Process,
  SharedArray,
  SharedList,
  type SharedLock,
  SharedMap,
  SharedNamespace,
  SharedObject,
  SharedOpenNamespace,
  SharedQueue,
  SharedRef,
  TaskGroup
} from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Effect, Layer, Schema, type Scope } from "effect"
import { expectTypeOf } from "vitest"
import {
  Board,
  Bucket,
  Count,
  Drain,
  Jobs,
  type Overdrawn,
  Price,
  Results,
  Savings,
  Square,
  Stranger,
  Tasks,
  Title,
  type TooLarge
} from "./shared.ts"

declare const jobs: SharedQueue.SharedQueue<number>
declare const lock: SharedLock.SharedLock

// Objects have the types of their schemas, and their operations need nothing.
expectTypeOf(Effect.flatMap(Jobs, (queue) => queue.take)).toEqualTypeOf<
  Effect.Effect<number, SharedQueue.QueueClosed | ManagerError.ManagerError, Jobs>
>()
expectTypeOf(Effect.flatMap(Results, (results) => results.entries)).toEqualTypeOf<
  Effect.Effect<ReadonlyArray<readonly [string, { readonly n: number }]>, ManagerError.ManagerError, Results>
>()
expectTypeOf(Effect.flatMap(Board, (board) => board.set({ running: false }))).toEqualTypeOf<
  Effect.Effect<void, ManagerError.ManagerError, Board>
>()

// A number has arithmetic if it is also a number on the wire.
expectTypeOf(Effect.flatMap(Count, (count) => count.increment)).toEqualTypeOf<
  Effect.Effect<number, SharedRef.OutOfBounds | ManagerError.ManagerError, Count>
>()
expectTypeOf(Effect.flatMap(Board, (board) => board.fields.done.add(2))).toEqualTypeOf<
  Effect.Effect<number, SharedRef.OutOfBounds | ManagerError.ManagerError, Board>
>()
expectTypeOf(Effect.flatMap(Price, (price) => price.get)).toEqualTypeOf<
  Effect.Effect<number, ManagerError.ManagerError, Price>
>()
expectTypeOf(Effect.flatMap(Title, (title) => title.set("new"))).toEqualTypeOf<
  Effect.Effect<void, ManagerError.ManagerError, Title>
>()

// Work on a delivery keeps its errors, and the caller needs no scope for the delivery.
expectTypeOf(jobs.process((n) => Effect.andThen(Effect.scope, Effect.as(Count, n)))).toEqualTypeOf<
  Effect.Effect<number, SharedQueue.QueueClosed | SharedQueue.LeaseLost | ManagerError.ManagerError, Count>
>()
expectTypeOf(Effect.succeed(1).pipe(lock.withLock)).toEqualTypeOf<
  Effect.Effect<number, SharedLock.AlreadyHeld | SharedLock.LockLost | ManagerError.ManagerError>
>()
expectTypeOf(Effect.succeed(1).pipe(lock.withLockFor("1 minute"))).toEqualTypeOf<
  Effect.Effect<
    number,
    SharedLock.AlreadyHeld | SharedLock.HeldTooLong | SharedLock.LockLost | ManagerError.ManagerError
  >
>()

// An object without a name needs a scope. A layer provides an object with a name.
expectTypeOf<Effect.Services<ReturnType<typeof makeAnonymous>>>().toEqualTypeOf<Manager.Manager | Scope.Scope>()
const makeAnonymous = () => SharedQueue.make({ item: Schema.Int })
expectTypeOf(Jobs.layer).branded.toEqualTypeOf<
  Layer.Layer<Jobs, Layer.Error<typeof Jobs.layer>, Manager.Manager>
>()

// The layer of a group needs exactly the services of its handlers, whatever the form of the handlers.
const asGenerators = Tasks.toLayer({
  Square: Effect.fn(function*({ n }) {
    yield* Effect.orDie((yield* Count).increment)
    return n * n
  }),
  Drain: ({ jobs }) =>
    Effect.gen(function*() {
      yield* Effect.orDie(jobs.take)
      // A `ManagerError` is an error of every task.
      yield* (yield* Results).clear
    })
})
expectTypeOf(asGenerators).toEqualTypeOf<Layer.Layer<TaskGroup.Handlers<"types">, never, Count | Results>>()
const dataFirst = Tasks.toLayer({
  Square: ({ n }) => Effect.orDie(Effect.flatMap(Count, (count) => Effect.as(count.get, n))),
  Drain: ({ jobs }) => Effect.asVoid(Effect.catchTags(jobs.take, { QueueClosed: Effect.die }))
})
expectTypeOf(dataFirst).toEqualTypeOf<Layer.Layer<TaskGroup.Handlers<"types">, never, Count>>()
const withoutServices = Tasks.toLayer({
  Square: ({ n }) => Effect.succeed(n),
  Drain: ({ jobs }) => Effect.catchTag(Effect.asVoid(jobs.take), ["ManagerError", "QueueClosed"], Effect.die)
})
expectTypeOf(withoutServices).toEqualTypeOf<Layer.Layer<TaskGroup.Handlers<"types">>>()

// A process has the types of its task.
const result = Effect.flatMap(Process.spawn(Tasks, Square, { n: 3 }), (process) => process.result)
expectTypeOf<Effect.Success<typeof result>>().toEqualTypeOf<number>()
expectTypeOf<Effect.Error<typeof result>>().toEqualTypeOf<
  TooLarge | Process.ProcessExited | Process.SpawnError | ManagerError.ManagerError
>()
expectTypeOf<Effect.Services<typeof result>>().toEqualTypeOf<
  Manager.Manager | Process.ProcessSpawner | Scope.Scope
>()
// A task that takes nothing is given nothing; options stand behind it.
const Strangers = TaskGroup.make("strangers", { tasks: [Stranger] })
expectTypeOf(Process.run(Strangers, Stranger)).toEqualTypeOf(
  Process.run(Strangers, Stranger, undefined, { name: "it" })
)

// Handles are values of a payload.
expectTypeOf(Process.run(Tasks, Drain, { jobs })).branded.toEqualTypeOf<
  Effect.Effect<
    void,
    Process.ProcessExited | Process.SpawnError | ManagerError.ManagerError,
    Manager.Manager | Process.ProcessSpawner
  >
>()

// The schema of a handle takes the options of `make`, or the schema of the values.
const item = Schema.Array(Schema.Int)
const queueHandle = SharedQueue.schema(item)
expectTypeOf<typeof queueHandle.Type>().toEqualTypeOf<SharedQueue.SharedQueue<ReadonlyArray<number>>>()
expectTypeOf(SharedQueue.schema({ name: "jobs", item, capacity: 3 })).toEqualTypeOf(queueHandle)
expectTypeOf(SharedList.schema({ item, initial: [[1]] })).toEqualTypeOf(SharedList.schema(item))
expectTypeOf(SharedRef.schema({ schema: item, initial: [1] })).toEqualTypeOf(SharedRef.schema(item))
expectTypeOf(SharedOpenNamespace.schema({ value: item })).toEqualTypeOf(SharedOpenNamespace.schema(item))
const mapHandle = SharedMap.schema({ name: "ages", key: Schema.String, value: item })
expectTypeOf<typeof mapHandle.Type>().toEqualTypeOf<SharedMap.SharedMap<string, ReadonlyArray<number>>>()
const arrayHandle = SharedArray.schema({ type: "float64", length: 8 })
expectTypeOf<typeof arrayHandle.Type>().toEqualTypeOf<SharedArray.SharedArray<"float64">>()
const fields = { done: Schema.Int }
const namespaceHandle = SharedNamespace.schema({ fields, initial: { done: 1 } })
expectTypeOf<typeof namespaceHandle.Type>().toEqualTypeOf<SharedNamespace.SharedNamespace<typeof fields>>()
expectTypeOf(SharedNamespace.schema({ fields })).toEqualTypeOf(namespaceHandle)

// A whole program, and the layers of its deployments. It may use the scope in which it runs.
const main = Effect.provide(Effect.andThen(Pool.make(Tasks), result), Layer.merge(Jobs.layer, Count.layer))
NodeManager.runMain(main, { tasks: Layer.provide(asGenerators, Layer.merge(Count.layer, Results.layer)) })
NodeManager.runMain(main, { tasks: withoutServices, manager: NodeManager.layerServer() })
void Effect.runPromise(Effect.provide(Effect.asVoid(Jobs), Layer.provide(Jobs.layer, Manager.layerMemory)))
const program = NodeManager.layerProgram({ entry: new URL("./worker.ts", import.meta.url) })
void Effect.runPromise(Effect.provide(Effect.scoped(main), program))

// The methods of an own kind have the types of its operations.
expectTypeOf(Effect.flatMap(Savings, (savings) => savings.deposit({ amount: 1 }))).toEqualTypeOf<
  Effect.Effect<number, ManagerError.ManagerError, Savings>
>()
expectTypeOf(Effect.flatMap(Savings, (savings) => savings.withdraw(1))).toEqualTypeOf<
  Effect.Effect<void, Overdrawn | ManagerError.ManagerError, Savings>
>()
expectTypeOf(Effect.flatMap(Savings, (savings) => Effect.andThen(savings.close, savings.balance))).toEqualTypeOf<
  Effect.Effect<number, ManagerError.ManagerError, Savings>
>()
expectTypeOf(Effect.flatMap(Savings, (savings) => savings.reserve(1))).toEqualTypeOf<
  Effect.Effect<string, ManagerError.ManagerError, Savings | Scope.Scope>
>()
expectTypeOf(
  Effect.flatMap(Savings, (savings) => SharedObject.withHold(savings.reserve(1), (held) => Effect.succeed(held)))
).toEqualTypeOf<Effect.Effect<string, SharedObject.HoldLost | ManagerError.ManagerError, Savings>>()
expectTypeOf(Effect.flatMap(Savings, ({ state }) => state.until(({ phase }) => phase === "closed"))).toEqualTypeOf<
  Effect.Effect<{ readonly balance: number; readonly phase: "open" | "closed" }, ManagerError.ManagerError, Savings>
>()
export const bucket = SharedObject.make(Bucket, { options: { size: 3 } })
NodeManager.runMain(Effect.provide(Savings, Savings.layer), { kinds: [Savings, Bucket] })
