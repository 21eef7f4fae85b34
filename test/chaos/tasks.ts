/** The task that workers run: it writes a line to the log when it begins, and one when it ends, before it goes on. */
import { Task, TaskGroup } from "@effect-multiprocessing/core"
import { Effect, Schema } from "effect"
import { appendFileSync } from "node:fs"

export const Toil = Task.make("Toil", {
  payload: { id: Schema.Int, ms: Schema.Int, busy: Schema.Boolean, log: Schema.String },
  success: Schema.Int
})

export const Tasks = TaskGroup.make("chaos", { tasks: [Toil] })

const spin = (ms: number) => {
  const end = performance.now() + ms
  while (performance.now() < end);
}

export const tasks = Tasks.toLayer({
  Toil: ({ busy, id, ms, log }, { attempt }) => {
    const write = (what: string) => Effect.sync(() => appendFileSync(log, `${what} ${id} ${attempt}\n`))
    return Effect.acquireUseRelease(
      write("began"),
      () => Effect.as(busy ? Effect.sync(() => spin(ms)) : Effect.sleep(ms), id),
      () => write("ended")
    )
  }
})
