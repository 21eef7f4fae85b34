/** A task can return the handle of an object that it made: the scope of its run ends when the result is stored (S-24). */
import { cell } from "#core/engine/Value.ts"
import * as Codecs from "#core/pool/Codecs.ts"
import * as HandleCarrier from "#core/pool/HandleCarrier.ts"
import { type FromWorker, MessageWriter, readFromWorker } from "#core/pool/Message.ts"
import { Runner } from "#core/pool/Runner.ts"
import { Reader } from "#core/protocol/Bytes.ts"
import { FrameSplitter } from "#core/protocol/Frame.ts"
import { Manager, Process, SharedRef, Task, TaskGroup } from "@effect-multiprocessing/core"
import { simulate } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Scheduler, Schema } from "effect"
import * as Memory from "../../support/Memory.ts"

const Count = Task.make("Count", { payload: Schema.Int, success: SharedRef.schema(Schema.Int) })
const Tasks = TaskGroup.make("tasks", { tasks: [Count] })

/** A worker of a pool that runs counts, the end of whose jobs is reported. */
const makeWorker = (finalizer: Effect.Effect<void> = Effect.void) =>
  Effect.gen(function*() {
    const memory = yield* Memory.make()
    const { manager } = yield* memory.connect()
    const as = Effect.provideService(Manager.Manager, manager)
    const handlers = Tasks.toLayer({
      Count: (initial) =>
        Effect.addFinalizer(() => finalizer).pipe(
          Effect.andThen(as(Effect.orDie(SharedRef.make({ schema: Schema.Int, initial }))))
        )
    })
    const context = yield* as(Effect.context<Manager.Manager>())
    const codecs = yield* as(Codecs.make(Count))
    const served = yield* Effect.provide(TaskGroup.handlersOf(Tasks.id), handlers)
    const done: Array<Extract<FromWorker, { readonly _tag: "Done" }>> = []
    const splitter = new FrameSplitter(1_000_000)
    const link = {
      send: (bytes: Uint8Array) =>
        void splitter.push(bytes, (frame) => {
          const reader = new Reader(frame)
          while (!reader.done) {
            const message = readFromWorker(reader)!
            if (message._tag === "Done") done.push(message)
          }
        }),
      pendingBytes: () => 0,
      read: () => Effect.never
    }
    const eventLoop = (yield* Scheduler.Scheduler).makeDispatcher()
    const runner = new Runner([{ ...served.get("Count")!, codecs }], link, context, yield* Clock.Clock, eventLoop)
    const send = (write: (writer: MessageWriter) => void) => {
      const writer = new MessageWriter()
      write(writer)
      new FrameSplitter(1_000_000).push(writer.take(), (frame) => runner.onFrame(frame))
      runner.onTurnEnd()
    }
    send((writer) => writer.run(1, 0, 1, { _tag: "Text", text: "[1,2]" }, undefined))
    yield* Memory.until("the job has ended", () => done.length === 1)
    const { outcome } = done[0]!
    const { state } = memory.server.engine
    return { as, codecs, outcome, send, state }
  })

describe("a task returns what it made:", () => {
  it.live("in a pool", () =>
    Effect.gen(function*() {
      const { as, codecs, outcome: { parcel }, send, state } = yield* makeWorker()
      // The directory, the carrier, and two refs, which nothing but the carrier refers to.
      yield* Memory.until("the scope of the run has ended", () => state.objects.size === 4)
      const object = parcel._tag === "Carrier" ? parcel.object : 0
      const results = yield* Effect.flatMap(as(HandleCarrier.read(object, "the result")), codecs.values.decode)
      send((writer) => writer.forget(1))
      yield* Memory.until("the carrier is gone", () => state.objects.size === 3)
      const values = yield* Effect.forEach(results, (ref) => (ref as SharedRef.SharedRef<number>).get)
      assert.deepStrictEqual(values, [1, 2])
    }).pipe(Effect.scoped))

  it.live("in a pool, unless a finalizer of the run has failed: then that is how the task has ended", () =>
    Effect.gen(function*() {
      const { codecs, outcome: { _tag, parcel }, state } = yield* makeWorker(Effect.die("a bug"))
      const failure = yield* codecs.failure.decode(cell(parcel._tag === "Text" ? parcel.text : ""))
      assert.strictEqual(_tag, "Failure")
      assert.strictEqual(Cause.squash(failure), "a bug")
      yield* Memory.until("nothing is left but the directory", () => state.objects.size === 1)
    }).pipe(Effect.scoped))

  it.live("in a process", () =>
    simulate(
      Effect.gen(function*() {
        const ref = yield* Process.run(Tasks, Count, 7)
        assert.strictEqual(yield* ref.get, 7)
      }),
      {
        tasks: Tasks.toLayer({ Count: (initial) => Effect.orDie(SharedRef.make({ schema: Schema.Int, initial })) }),
        seeds: 20,
        faults: []
      }
    ))
})
