import { SharedRef, Task, TaskGroup } from "@effect-multiprocessing/core"
import { Schema } from "effect"

export class Visits extends SharedRef.Service<Visits>()("web/Visits", { schema: Schema.Int, initial: 0 }) {}

/** A computation that would block every other request in the server's own process. */
export const Sum = Task.make("Sum", { payload: { terms: Schema.Int }, success: Schema.Number })
export const Tasks = TaskGroup.make("web", { tasks: [Sum] })
