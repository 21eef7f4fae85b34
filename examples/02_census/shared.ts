/** What the processes of the census share, and the task that its workers run. */
import { SharedMap, SharedNamespace, SharedQueue, Task, TaskGroup } from "@effect-multiprocessing/core"
import { Effect, FileSystem, Layer, Schema } from "effect"
import { identifiers } from "./count.ts"

/** What is known of one file. */
export const Counted = Schema.Struct({
  counts: Schema.Record(Schema.String, Schema.Int),
  /** Why it could not be read; absent if it could. */
  unreadable: Schema.optional(Schema.String),
  /** More than 1: the delivery came back from a worker that had died. */
  attempt: Schema.Int
})

/** Files to be counted. */
export class Files extends SharedQueue.Service<Files>()("census/Files", { item: Schema.String, capacity: 64 }) {}

/** The results, by file. A file that is counted twice has one result. */
export class Results extends SharedMap.Service<Results>()("census/Results", { key: Schema.String, value: Counted }) {}

/** The bulletin board: workers run while `running` is true; `finished` changes whenever a file is done. */
export class Board extends SharedNamespace.Service<Board>()("census/Board", {
  fields: { running: Schema.Boolean, finished: Schema.Int },
  initial: { running: true, finished: 0 }
}) {}

/** Everything that is shared. */
export const layerShared = Layer.mergeAll(Files.layer, Results.layer, Board.layer)

/** Reads and counts one file. */
export const countFile = Effect.fnUntraced(function*(file: string, attempt: number) {
  const fs = yield* FileSystem.FileSystem
  return yield* fs.readFileString(file).pipe(
    Effect.map((text): typeof Counted.Type => ({ counts: identifiers(text), attempt })),
    Effect.catch((error) => Effect.succeed({ counts: {}, unreadable: error.message, attempt }))
  )
})

/** Counts files until the board says stop. */
export const Count = Task.make("Count", { payload: {} })

/** The tasks of the census. */
export const Tasks = TaskGroup.make("census", { tasks: [Count] })

/** What they do. */
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
