/** A module of a user's library. Everything is exported, so the compiler must be able to write its declarations. */
import {
  Manager,
  ManagerError,
  Process,
  SharedArray,
  SharedBarrier,
  SharedLatch,
  SharedList,
  SharedLock,
  SharedMap,
  SharedNamespace,
  SharedQueue,
  SharedRef,
  Task,
  TaskGroup
} from "@effect-multiprocessing/core"
import { certify, simulate } from "@effect-multiprocessing/core/testing"
import { NodeManager } from "@effect-multiprocessing/node"
import { Effect, Layer, Schema } from "effect"

export class Jobs extends SharedQueue.Service<Jobs>()("library/Jobs", { item: Schema.Int, capacity: 10 }) {}
export class Results extends SharedMap.Service<Results>()("library/Results", {
  key: Schema.String,
  value: Schema.Struct({ jobs: Jobs.schema })
}) {}
export class Board extends SharedNamespace.Service<Board>()("library/Board", {
  fields: { running: Schema.Boolean, done: Schema.Int },
  initial: { running: true, done: 0 }
}) {}
export class Gate extends SharedLock.Service<Gate>()("library/Gate") {}
export class Start extends SharedLatch.Service<Start>()("library/Start") {}
export class Round extends SharedBarrier.Service<Round>()("library/Round", { parties: 2 }) {}
export class Names extends SharedList.Service<Names>()("library/Names", { item: Schema.String }) {}
export class Sums extends SharedArray.Service<Sums>()("library/Sums", { type: "float64", length: 4 }) {}
export class Latest extends SharedRef.Service<Latest>()("library/Latest", { schema: Schema.String, initial: "" }) {}
export class Done extends SharedRef.Service<Done>()("library/Done", { schema: Schema.Int, initial: 0 }) {}

export const layerShared = Layer.mergeAll(
  Jobs.layer,
  Results.layer,
  Board.layer,
  Gate.layer,
  Start.layer,
  Round.layer,
  Names.layer,
  Sums.layer,
  Latest.layer,
  Done.layer
)
export const layerMemory = Layer.provideMerge(layerShared, Manager.layerMemory)
export const layerNode = Layer.provideMerge(layerShared, NodeManager.layer)

export const Work = Task.make("Work", {
  payload: { jobs: SharedQueue.schema(Schema.Int) },
  success: Schema.Int,
  error: SharedQueue.QueueClosed
})
export const Tasks = TaskGroup.make("library", { tasks: [Work] })
export const tasks = Tasks.toLayer({
  Work: ({ jobs }) => Effect.catchTag(jobs.take, "ManagerError", Effect.die)
})

export const spawned = Effect.flatMap(Jobs, (jobs) => Process.spawn(Tasks, Work, { jobs }))
export const anonymous = SharedQueue.make({ item: Schema.Struct({ n: Schema.Int }) })
export const update = Effect.flatMap(Done, (done) => done.modify((n) => [String(n), n + 1]))
export const changes = Effect.map(Board, (board) => board.fields.done.changes)
export const inside = Effect.flatMap(Gate, (gate) => gate.withLock(update))
export const lease = Effect.flatMap(Jobs, (jobs) => jobs.takeLease)
export const isLost = (error: unknown) => error instanceof ManagerError.ManagerError
export const tools = { certify, simulate }
