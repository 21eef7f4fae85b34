/** What a handler may fail with though it is not declared: its caller gets it as a defect, or typed if it is declared. */
import { Actor, Manager, Pool, Process, SharedLock, SharedRef, Task, TaskGroup } from "@effect-multiprocessing/core"
import { layerProgram } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, type Exit, Layer, Schema, Stream } from "effect"

class Gate extends SharedLock.Service<Gate>()("app/Gate") {}

/** Loses its lock while it has it. */
const loses = Effect.gen(function*() {
  const lock = yield* SharedLock.make()
  const { remove } = yield* Manager.Manager
  return yield* Effect.catchTag(lock.withLock(Effect.andThen(remove(lock), Effect.never)), "AlreadyHeld", Effect.die)
})

/** Opens an object whose name belongs to another one. */
const mistakes = Effect.scoped(SharedRef.make({ name: "app/Gate", schema: Schema.Int, initial: 0 }))

const Undeclared = Task.make("Undeclared")
const Declared = Task.make("Declared", { error: SharedLock.LockLost })
const Mistaken = Task.make("Mistaken")
const Tasks = TaskGroup.make("app", { tasks: [Undeclared, Declared, Mistaken] })
const tasks = Tasks.toLayer({
  Undeclared: () => loses,
  Declared: () => loses,
  Mistaken: () => Effect.asVoid(Effect.andThen(Gate, mistakes))
}).pipe(Layer.provide(Gate.layer))

class Service extends Actor.Service<Service>()("app/Service", {
  methods: {
    undeclared: Actor.method(),
    declared: Actor.method({ error: SharedLock.LockLost }),
    streamed: Actor.stream({ success: Schema.Int })
  }
}) {}

const defectOf = (exit: Exit.Exit<unknown, unknown>): string => {
  assert.isTrue(exit._tag === "Failure" && Cause.hasDies(exit.cause) && !Cause.hasFails(exit.cause), String(exit))
  return String(exit)
}

const run = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provide(effect, layerProgram({ tasks }))

describe("an error of the library that is not declared", () => {
  it.live("is a defect of a task's call, in a process and in a pool", () =>
    run(
      Effect.gen(function*() {
        const pool = yield* Pool.make(Tasks, { size: 1 })
        assert.include(defectOf(yield* Effect.exit(Process.run(Tasks, Undeclared))), "LockLost")
        assert.include(defectOf(yield* Effect.exit(pool.execute(Undeclared))), "LockLost")
        assert.include(defectOf(yield* Effect.exit(Process.run(Tasks, Mistaken))), "SchemaMismatch")
      }).pipe(Effect.scoped)
    ))

  it.live("is the error of a task that declares it", () =>
    run(Effect.gen(function*() {
      assert.instanceOf(yield* Effect.flip(Process.run(Tasks, Declared)), SharedLock.LockLost)
    })))

  it.live("is a defect of an actor's method, or its error if it is declared", () =>
    run(
      Effect.gen(function*() {
        const service = yield* Service
        yield* Effect.forkScoped(Service.serve({
          undeclared: () => loses,
          declared: () => loses,
          streamed: () => Stream.fromEffect(Effect.as(loses, 1))
        }))
        assert.include(defectOf(yield* Effect.exit(service.undeclared)), "LockLost")
        assert.instanceOf(yield* Effect.flip(service.declared), SharedLock.LockLost)
        assert.include(defectOf(yield* Effect.exit(Stream.runDrain(service.streamed))), "LockLost")
      }).pipe(Effect.scoped, Effect.provide(Layer.merge(Service.layer, Gate.layer)))
    ))
})
