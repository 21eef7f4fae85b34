/** The worker's end of a pool, whose dispatcher says what a test says, over a link that the test holds. */
import * as Codecs from "#core/pool/Codecs.ts"
import { type FromWorker, MessageWriter, readFromWorker } from "#core/pool/Message.ts"
import { Runner } from "#core/pool/Runner.ts"
import { Reader } from "#core/protocol/Bytes.ts"
import { FrameSplitter } from "#core/protocol/Frame.ts"
import { Manager, SharedRef, Task } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Scheduler, Schema } from "effect"
import * as Memory from "../../support/Memory.ts"

/** A number below zero never ends; of another one the result is a ref. */
const Work = Task.make("Work", { payload: Schema.Int, success: SharedRef.schema(Schema.Int) })

/** A runner of one task, what it has run and said, and the link that holds what is said while bytes are pending. */
const setUp = Effect.gen(function*() {
  const given = { pendingBytes: 0 }
  const said: Array<FromWorker> = []
  const ran: Array<number> = []
  const splitter = new FrameSplitter(Infinity)
  const link = {
    send: (bytes: Uint8Array) =>
      void splitter.push(bytes, (frame) => {
        const reader = new Reader(frame)
        while (!reader.done) said.push(readFromWorker(reader)!)
      }),
    pendingBytes: () => given.pendingBytes,
    read: () => Effect.never
  }
  const run = (n: number) =>
    Effect.andThen(
      Effect.sync(() => ran.push(n)),
      n < 0 ? Effect.never : SharedRef.make({ schema: Schema.Int, initial: n })
    )
  const runner = new Runner(
    [{ task: Work, run, codecs: yield* Codecs.make(Work) } as never],
    link,
    yield* Effect.context<Manager.Manager>(),
    yield* Clock.Clock,
    (yield* Scheduler.Scheduler).makeDispatcher()
  )
  /** Says something in one turn. */
  const hear = (say: (writer: MessageWriter) => void) => {
    const writer = new MessageWriter()
    say(writer)
    new FrameSplitter(Infinity).push(writer.take(), (frame) => assert.isTrue(runner.onFrame(frame)))
    runner.onTurnEnd()
  }
  const tags = () => said.map((message) => message._tag === "Ready" ? message._tag : `${message._tag} ${message.job}`)
  return { given, hear, ran, runner, said, tags }
})

const job = (writer: MessageWriter, id: number, n: number) =>
  writer.run(id, 0, 1, { _tag: "Text", text: JSON.stringify([n]) }, undefined)

describe("a worker of a pool", () => {
  it.live("starts a job when what it has said before has left, and then at once (P3)", () =>
    Effect.gen(function*() {
      const { given, hear, ran, runner, tags } = yield* setUp
      given.pendingBytes = 1
      hear((writer) => job(writer, 1, -1))
      assert.deepStrictEqual(ran, [])
      given.pendingBytes = 0
      runner.onDrain()
      yield* Memory.until("it runs", () => ran.length === 1)
      assert.deepStrictEqual(tags(), ["Started 1"])
      yield* runner.close
    }).pipe(Effect.provide(Manager.layerMemory)))

  it.live("returns a job that is withdrawn before it starts, and does not run it", () =>
    Effect.gen(function*() {
      const { given, hear, ran, runner, tags } = yield* setUp
      given.pendingBytes = 1
      hear((writer) => {
        job(writer, 1, -1)
        job(writer, 2, -2)
        writer.withdraw(1, true)
      })
      given.pendingBytes = 0
      runner.onDrain()
      yield* Memory.until("the other one runs", () => ran.length === 1)
      assert.deepStrictEqual(ran, [-2])
      assert.deepStrictEqual(tags(), ["Returned 1", "Started 2"])
      yield* runner.close
    }).pipe(Effect.provide(Manager.layerMemory)))

  it.live("interrupts a job that runs if it is told to, and only then", () =>
    Effect.gen(function*() {
      const { hear, ran, tags } = yield* setUp
      hear((writer) => job(writer, 1, -1))
      yield* Memory.until("it runs", () => ran.length === 1)
      hear((writer) => writer.withdraw(1, false))
      // An interruption would have ended it by then.
      yield* Effect.repeat(Effect.yieldNow, { times: 10 })
      assert.deepStrictEqual(tags(), ["Started 1"])
      hear((writer) => writer.withdraw(1, true))
      yield* Memory.until("it has ended", () => tags().includes("Done 1"))
    }).pipe(Effect.provide(Manager.layerMemory)))

  it.live("keeps the carrier of a result until it is told to forget it, or ends", () =>
    Effect.gen(function*() {
      const { hear, runner, tags } = yield* setUp
      const { counts } = yield* Manager.Manager
      const untilObjects = (objects: number) => Effect.repeat(counts, { until: (now) => now.objects === objects })
      hear((writer) => {
        job(writer, 1, 1)
        job(writer, 2, 2)
      })
      yield* Memory.until("both are done", () => tags().includes("Done 2"))
      // Each result is a ref in a carrier.
      yield* untilObjects(4)
      hear((writer) => writer.forget(1))
      yield* untilObjects(2)
      yield* runner.close
      yield* untilObjects(0)
    }).pipe(Effect.provide(Manager.layerMemory)))
})
