/** A program that kills itself while its worker runs, which has a child of its own. */
import { Process, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Effect, Schema } from "effect"
import { spawn } from "node:child_process"
import { writeFileSync } from "node:fs"

const Wait = Task.make("Wait", { payload: { program: Schema.Int }, success: Schema.Void })
const Tasks = TaskGroup.make("killed", { tasks: [Wait] })

const tasks = Tasks.toLayer({
  Wait: ({ program }) =>
    Effect.andThen(
      Effect.sync(() => {
        writeFileSync("began", "")
        spawn("sleep", ["1000"], { stdio: "ignore", argv0: `sleep of ${import.meta.filename}` })
        process.kill(program, "SIGKILL")
      }),
      Effect.never
    )
})

NodeManager.runMain(Process.run(Tasks, Wait, { program: process.pid }), { tasks })
