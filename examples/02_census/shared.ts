/** The shared objects of the census, and the task of its workers. */
import { SharedMap, SharedNamespace, SharedQueue, Task, TaskGroup } from "@effect-multiprocessing/core"
import { Effect, FileSystem, Layer, Schema } from "effect"
import { identifiers } from "./count.ts"

/** The result for one file. */
export const Counted = Schema.Struct({
  counts: Schema.Record(Schema.String, Schema.Int),
  /** Why the file could not be read; absent if it could. */
  unreadable: Schema.optional(Schema.String),
  /** More than 1 if the delivery came back from a worker that died. */
  attempt: Schema.Int
})

/** The files to be counted. */
export class Files extends SharedQueue.Service<Files>()("census/Files", { item: Schema.String, capacity: 64 }) {}

/** The results by file. A file that was counted twice has one result. */
export class Results extends SharedMap.Service<Results>()("census/Results", { key: Schema.String, value: Counted }) {}

/** Workers run while `running` is true; `finished` counts the files that are done. */
export class Board extends SharedNamespace.Service<Board>()("census/Board", {
  fields: { running: Schema.Boolean, finished: Schema.Int },
  initial: { running: true, finished: 0 }
}) {}

/** All shared objects. */
export const layerShared = Layer.mergeAll(Files.layer, Results.layer, Board.layer)

/** Reads and counts one file. */
export const countFile = Effect.fnUntraced(function*(file: string, attempt: number) {
  const fs = yield* FileSystem.FileSystem
  return yield* fs.readFileString(file).pipe(
    Effect.map((text): typeof Counted.Type => ({ counts: identifiers(text), attempt })),
    Effect.catch((error) => Effect.succeed({ counts: {}, unreadable: error.message, attempt }))
  )
})

/** Counts files until `running` is false. */
export const Count = Task.make("Count")

/** The tasks of the census. */
export const Tasks = TaskGroup.make("census", { tasks: [Count] })

/** The handlers of the tasks. */
export const tasks = Tasks.toLayer({
  Count: Effect.fn(function*() {
    const files = yield* Files
    const results = yield* Results
    const board = yield* Board
    const one = files.process(Effect.fnUntraced(function*(file, { attempt }) {
      yield* results.set(file, yield* countFile(file, attempt))
      yield* board.fields.finished.increment
    }))
    yield* Effect.raceFirst(Effect.forever(one), board.fields.running.until((running) => !running))
  }, Effect.orDie)
}).pipe(Layer.provide(layerShared))
