/** A task, and an object that it shares, for a program whose workers run a file of their own. */
import { SharedRef, Task, TaskGroup } from "@effect-multiprocessing/core"
import { Effect, Layer, Schema } from "effect"

export class Done extends SharedRef.Service<Done>()("pack/Done", { schema: Schema.Int, initial: 0 }) {}

export const Square = Task.make("Square", { payload: { n: Schema.Int }, success: Schema.Int })

export const Tasks = TaskGroup.make("pack", { tasks: [Square] })

export const tasks = Tasks.toLayer({
  Square: Effect.fn(function*({ n }) {
    yield* (yield* Done).increment
    return n * n
  }, Effect.orDie)
}).pipe(Layer.provide(Done.layer))
