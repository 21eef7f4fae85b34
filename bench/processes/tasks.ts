/** The task of the processes, which does almost nothing. */
import { Task, TaskGroup } from "@effect-multiprocessing/core"
import * as Schema from "effect/Schema"

/** Returns its argument. */
export const Echo = Task.make("Echo", { payload: { n: Schema.Int }, success: Schema.Int })

/** The group. */
export const Tasks = TaskGroup.make("bench", { tasks: [Echo] })
