/**
 * Four processes add to one number. Reading, adding and writing back loses updates; three other ways do not. The
 * warning of SuperFastPython's namespace tutorial, and its remedy with a lock (SEED-11, 12, 22, 60).
 *
 *     $ npm run example examples/05_lost_updates.ts
 *     read, add, write: <fewer> of 800, exact: false
 *     the same under a lock: 800 of 800, exact: true
 *     update: 800 of 800, exact: true
 *     increment: 800 of 800, exact: true
 *
 * Improvement: `increment` is one call and needs no lock. `update` needs none either, for any computation.
 */
import { Process, SharedLock, SharedRef, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Schema } from "effect"

const How = Schema.Literals(["read, add, write", "the same under a lock", "update", "increment"])

type AddOne = (counter: SharedRef.SharedNumber, lock: SharedLock.SharedLock) => Effect.Effect<unknown, unknown>

const addOne: Record<typeof How.Type, AddOne> = {
  "read, add, write": (counter) => Effect.flatMap(counter.get, (value) => counter.set(value + 1)),
  "the same under a lock": (counter, lock) =>
    lock.withLock(Effect.flatMap(counter.get, (value) => counter.set(value + 1))),
  "update": (counter) => counter.update((value) => value + 1),
  "increment": (counter) => counter.increment
}

const Add = Task.make("Add", {
  payload: { counter: SharedRef.schema(Schema.Int), lock: SharedLock.schema, how: How, times: Schema.Int }
})
const Tasks = TaskGroup.make("tutorial", { tasks: [Add] })

const tasks = Tasks.toLayer({
  Add: ({ counter, how, lock, times }) =>
    Effect.replicateEffect(addOne[how](counter, lock), times, { concurrency: 10, discard: true }).pipe(Effect.orDie)
})

const main = Effect.gen(function*() {
  const lock = yield* SharedLock.make()
  for (const how of How.literals) {
    const counter = yield* SharedRef.make({ schema: Schema.Int, initial: 0 })
    const add = Process.run(Tasks, Add, { counter, lock, how, times: 200 })
    yield* Effect.replicateEffect(add, 4, { concurrency: "unbounded", discard: true })
    const sum = yield* counter.get
    yield* Console.log(`${how}: ${sum} of 800, exact: ${sum === 800}`)
  }
})

NodeManager.runMain(main, { tasks })
