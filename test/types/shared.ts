/** The shared objects and tasks of the type tests. */
import { SharedMap, SharedNamespace, SharedQueue, SharedRef, Task, TaskGroup } from "@effect-multiprocessing/core"
import { Schema } from "effect"

export class Jobs extends SharedQueue.Service<Jobs>()("types/Jobs", { item: Schema.Int }) {}
export class Results extends SharedMap.Service<Results>()("types/Results", {
  key: Schema.String,
  value: Schema.Struct({ n: Schema.Int })
}) {}
export class Board extends SharedNamespace.Service<Board>()("types/Board", {
  fields: { running: Schema.Boolean, done: Schema.Int },
  initial: { running: true, done: 0 }
}) {}
export class Count extends SharedRef.Service<Count>()("types/Count", { schema: Schema.Int, initial: 0 }) {}
export class Title extends SharedRef.Service<Title>()("types/Title", { schema: Schema.String, initial: "" }) {}
/** A number here, text on the wire: the manager cannot add to it. */
export class Price extends SharedRef.Service<Price>()("types/Price", {
  schema: Schema.NumberFromString,
  initial: 0
}) {}

export class TooLarge extends Schema.TaggedError<TooLarge>()("TooLarge", { n: Schema.Int }) {}

export const Square = Task.make("Square", { payload: { n: Schema.Int }, success: Schema.Int, error: TooLarge })
export const Drain = Task.make("Drain", { payload: { jobs: SharedQueue.schema(Schema.Int) } })
export const Stranger = Task.make("Stranger")
export const Tasks = TaskGroup.make("types", { tasks: [Square, Drain] })
