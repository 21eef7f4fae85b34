/** How a task ended is told, also if it does not match its schemas, by a pool as by a process. */
import { cell } from "#core/engine/Value.ts"
import * as Codecs from "#core/pool/Codecs.ts"
import { type FromWorker, MessageWriter, readFromWorker } from "#core/pool/Message.ts"
import { Runner } from "#core/pool/Runner.ts"
import { Reader } from "#core/protocol/Bytes.ts"
import { FrameSplitter } from "#core/protocol/Frame.ts"
import { Manager, ManagerError, Process, Task, TaskGroup } from "@effect-multiprocessing/core"
import { simulate } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Scheduler, Schema } from "effect"

class QueryFailed
  extends Schema.TaggedError<QueryFailed>()("QueryFailed", { query: Schema.String, cause: Schema.Unknown })
{}

const Query = Task.make("Query", { payload: Schema.Int, success: Schema.Number, error: QueryFailed })
const Tasks = TaskGroup.make("tasks", { tasks: [Query] })

interface Case {
  readonly handler: Effect.Effect<number, QueryFailed | ManagerError.ManagerError>
  /** What is told of it. */
  readonly told: ReadonlyArray<string>
}

const cases: Readonly<Record<string, Case>> = {
  "an error with a field that does not encode": {
    handler: Effect.fail(new QueryFailed({ query: "select 1", cause: new Error("connect ECONNREFUSED") })),
    told: ["the error of Query does not match its schema: Expected JSON value", "QueryFailed", "ECONNREFUSED"]
  },
  "an error that was not declared": {
    handler: Effect.fail(new Error("not declared") as unknown as QueryFailed),
    told: ["the error of Query does not match its schema: ", "Error: not declared"]
  },
  "a result of another type": {
    handler: Effect.succeed("text" as unknown as number),
    told: ["the result of Query does not match its schema: Expected number"]
  }
}

/** The cause of which a worker of a pool tells its program. */
const inPool = ({ handler }: Pick<Case, "handler">) =>
  Effect.gen(function*() {
    const codecs = yield* Codecs.make(Query)
    const messages: Array<FromWorker> = []
    const splitter = new FrameSplitter(1_000_000)
    const link = {
      send: (bytes: Uint8Array) =>
        void splitter.push(bytes, (frame) => {
          const reader = new Reader(frame)
          while (!reader.done) messages.push(readFromWorker(reader)!)
        }),
      pendingBytes: () => 0,
      read: () => Effect.never
    }
    const eventLoop = (yield* Scheduler.Scheduler).makeDispatcher()
    const context = yield* Effect.context<Manager.Manager>()
    const runner = new Runner(
      [{ task: Query, run: () => handler, codecs }],
      link,
      context,
      yield* Clock.Clock,
      eventLoop
    )
    const writer = new MessageWriter()
    writer.run(1, 0, 1, { _tag: "Text", text: "[1]" })
    new FrameSplitter(1_000_000).push(writer.take(), (frame) => runner.onFrame(frame))
    runner.onTurnEnd()
    const done = messages.find((message) => message._tag === "Done")!
    assert.strictEqual(done.outcome._tag, "Failure")
    return yield* codecs.failure.decode(cell(done.outcome.parcel._tag === "Text" ? done.outcome.parcel.text : ""))
  }).pipe(Effect.provide(Manager.layerMemory))

/** The cause with which `Process.run` fails. */
const inProcess = ({ handler }: Pick<Case, "handler">) =>
  Effect.gen(function*() {
    let cause: Cause.Cause<unknown> = Cause.empty
    const program = Effect.map(Effect.exit(Process.run(Tasks, Query, 1)), (exit) => {
      if (Exit.isFailure(exit)) cause = exit.cause
    })
    yield* simulate(program, { tasks: Tasks.toLayer({ Query: () => handler }), seeds: 1, faults: [] })
    return cause
  })

describe("the program is told of", () => {
  for (const [name, one] of Object.entries(cases)) {
    it.live(name, () =>
      Effect.gen(function*() {
        const messages: Array<string> = []
        for (const cause of [yield* inPool(one), yield* inProcess(one)]) {
          const defect = cause.reasons.find(Cause.isDieReason)?.defect
          const message = defect instanceof Error ? defect.message : Cause.pretty(cause)
          // The stacks are those of two runs.
          messages.push(message.split("\n").filter((line) => !/^ *at .*:\d/.test(line)).join("\n"))
        }
        for (const part of one.told) assert.include(messages[0], part)
        assert.strictEqual(messages[0], messages[1])
      }))
  }
})

it.live("a ManagerError ends a task as such, which does not declare it", () =>
  Effect.gen(function*() {
    const reason = new ManagerError.LimitExceeded({ object: "Ref", operation: "set", limit: "frameBytesMax", max: 1 })
    const handler = Effect.fail(new ManagerError.ManagerError({ reason }))
    for (const cause of [yield* inPool({ handler }), yield* inProcess({ handler })]) {
      const error = cause.reasons.find(Cause.isFailReason)?.error
      assert.instanceOf(error, ManagerError.ManagerError)
      assert.deepStrictEqual(error.reason, reason)
    }
  }))
