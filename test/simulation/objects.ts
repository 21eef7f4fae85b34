/** The shared objects that every client of a run uses. */
import {
  SharedArray,
  SharedBarrier,
  SharedCondition,
  SharedLatch,
  SharedList,
  SharedLock,
  SharedMap,
  SharedNamespace,
  SharedOpenNamespace,
  SharedQueue,
  SharedRef,
  SharedSemaphore
} from "@effect-multiprocessing/core"
import { Effect, Schema } from "effect"

/** Where an asker waits for its answer: a queue without a name. An asker that has gone leaves nobody waiting. */
export const Answers = { item: Schema.Int }

const Question = Schema.Struct({ number: Schema.Int, answer: SharedQueue.schema(Schema.Int) })

/** A number without a name, whose handle travels. */
export const Tally = { schema: Schema.Int, initial: 0 }

const names = {
  /** So small that putters wait, and soon full of dead letters. */
  jobs: { name: "jobs", item: Schema.Int, capacity: 2, attempts: 2 },
  /** Closed and deleted in the middle of everything. */
  brief: { name: "brief", item: Schema.Int, capacity: 1 },
  mail: { name: "mail", item: Question, capacity: 2, attempts: 2 },
  counter: { name: "counter", schema: Schema.Int, initial: 0 },
  text: { name: "text", schema: Schema.String, initial: "" },
  board: {
    name: "board",
    fields: { running: Schema.Boolean, count: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 })) },
    initial: { running: true, count: 0 }
  },
  notes: { name: "notes", value: Schema.Int },
  scores: { name: "scores", key: Schema.String, value: Schema.Int },
  desk: { name: "desk", key: Schema.Int, value: SharedRef.schema(Schema.Int) },
  lines: { name: "lines", item: Schema.Int },
  shelf: { name: "shelf", item: SharedRef.schema(Schema.Int) },
  gauges: { name: "gauges", type: "uint8" as const, length: 3 }
}

/** Opens them all, for the life of the scope. */
export const open = Effect.all({
  jobs: SharedQueue.make(names.jobs),
  brief: SharedQueue.make(names.brief),
  mail: SharedQueue.make(names.mail),
  counter: SharedRef.make(names.counter),
  text: SharedRef.make(names.text),
  board: SharedNamespace.make(names.board),
  notes: SharedOpenNamespace.make(names.notes),
  scores: SharedMap.make(names.scores),
  desk: SharedMap.make(names.desk),
  lines: SharedList.make(names.lines),
  shelf: SharedList.make(names.shelf),
  gauges: SharedArray.make(names.gauges),
  gate: SharedLock.make({ name: "gate" }),
  /** Deleted while it is held. */
  hatch: SharedLock.make({ name: "hatch" }),
  go: SharedLatch.make({ name: "go" }),
  round: SharedBarrier.make({ name: "round", parties: 2 }),
  slots: SharedSemaphore.make({ name: "slots", permits: 3 }),
  /** Where those wait who find nothing in the store. */
  bell: SharedCondition.make({ name: "bell" }),
  store: SharedRef.make({ name: "store", schema: Schema.Int, initial: 0 })
}, { concurrency: "unbounded" })

/** The objects of one client. */
export type Objects = Effect.Success<typeof open>
