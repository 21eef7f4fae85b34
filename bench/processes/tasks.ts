/** What the processes are asked for: next to nothing. */
import { Task, TaskGroup } from "@effect-multiprocessing/core"
import * as Schema from "effect/Schema"

/** Answers its argument. */
export const Echo = Task.make("Echo", { payload: { n: Schema.Int }, success: Schema.Int })

/** The group. */
export const Tasks = TaskGroup.make("bench", { tasks: [Echo] })
