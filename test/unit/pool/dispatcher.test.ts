/** The program's end of a pool, whose workers report what a test says. */
import * as Codecs from "#core/pool/Codecs.ts"
import { Dispatcher } from "#core/pool/Dispatcher.ts"
import { MessageWriter, type Outcome, readFromDispatcher } from "#core/pool/Message.ts"
import { PoolStopped } from "#core/pool/PoolError.ts"
import { PoolStats } from "#core/pool/PoolStats.ts"
import { WorkerProcess } from "#core/pool/WorkerProcess.ts"
import { Reader } from "#core/protocol/Bytes.ts"
import { FrameSplitter } from "#core/protocol/Frame.ts"
import type { Link } from "#core/transport/Link.ts"
import { Manager, Task } from "@effect-multiprocessing/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Fiber, Layer, Logger, Option, Scheduler, Schema, Stream } from "effect"
import { countingClock } from "../../support/countingClock.ts"
import * as Memory from "../../support/Memory.ts"

const Echo = Task.make("Echo", { payload: Schema.Int, success: Schema.Int })

const makeDispatcher = Effect.gen(function*() {
  const stats = yield* PoolStats.make("pool")
  const dispatcher = new Dispatcher({
    name: "test",
    tasks: [{ tag: Echo.tag, codecs: yield* Codecs.make(Echo) }],
    graceMs: 1_000,
    context: yield* Effect.context<Manager.Manager>(),
    clock: yield* Clock.Clock,
    eventLoop: (yield* Scheduler.Scheduler).makeDispatcher(),
    stats
  })
  const echo = (n: number) => Effect.map(dispatcher.run(0, [n], 1), ([result]) => result)
  /** What the pool publishes about itself. */
  const progress = Effect.map(Stream.runHead(stats.progress), Option.getOrThrow)
  return { dispatcher, echo, progress }
})

/** Reads every frame in the bytes. */
const framesOf = (bytes: Uint8Array, onFrame: (frame: Uint8Array) => void) =>
  assert.isTrue(new FrameSplitter(1_000_000).push(bytes, onFrame))

/** A worker that is ready, the jobs that it was sent, and how it reports. */
const addWorker = (dispatcher: Dispatcher) => {
  const runs: Array<number> = []
  const read = (frame: Uint8Array) => {
    const reader = new Reader(frame)
    while (!reader.done) {
      const message = readFromDispatcher(reader)
      if (message?._tag === "Run") runs.push(message.job)
    }
  }
  const link: Link = {
    send: (bytes) => framesOf(bytes, read),
    pendingBytes: () => 0,
    read: () => Effect.never
  }
  const worker = new WorkerProcess("test-1", 1, link, Effect.void, () => {})
  const report = (write: (writer: MessageWriter) => void) => {
    const writer = new MessageWriter()
    write(writer)
    framesOf(writer.take(), (frame) => assert.isTrue(dispatcher.receive(worker, frame)))
    dispatcher.turnEnded()
  }
  /** Runs a job. */
  const finish = (job: number, outcome: Outcome["_tag"], text: string) =>
    report((writer) => {
      writer.started(job)
      writer.done(job, 1, { _tag: outcome, parcel: { _tag: "Text", text } })
    })
  const die = () => dispatcher.ended(worker, { code: null, signal: "SIGKILL", lastLines: [] })
  report((writer) => writer.ready())
  return { runs, finish, die, report, worker }
}

const bug = (): never => {
  throw new Error("a bug")
}

describe("a dispatcher", () => {
  it.live("sends jobs in the order of the decisions, though a result makes its caller call again (P5)", () =>
    Effect.gen(function*() {
      const { dispatcher, echo, progress } = yield* makeDispatcher
      const { finish, runs } = addWorker(dispatcher)
      const first = yield* Effect.forkChild(Effect.andThen(echo(10), echo(30)), { startImmediately: true })
      // Nothing is sent ahead of a task that was never measured: the second job waits.
      const second = yield* Effect.forkChild(echo(20), { startImmediately: true })
      finish(1, "Values", "[10]")
      assert.deepStrictEqual(runs, [1, 2, 3])
      finish(2, "Values", "[20]")
      finish(3, "Values", "[30]")
      assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(second)], [30, 20])
      dispatcher.turnEnded()
      const { accepted, done } = yield* progress
      assert.deepStrictEqual([accepted, done], [3, 3])
    }).pipe(Effect.provide(Manager.layerMemory)))

  it.live("sends a job to another worker when the first one ends before the job was sent (P1)", () =>
    Effect.gen(function*() {
      const { dispatcher, echo } = yield* makeDispatcher
      const { die, finish, runs } = addWorker(dispatcher)
      yield* Effect.forkChild(Effect.andThen(echo(10), Effect.sync(die)), { startImmediately: true })
      const second = yield* Effect.forkChild(echo(20), { startImmediately: true })
      dispatcher.turnEnded()
      finish(1, "Values", "[10]")
      const replacement = addWorker(dispatcher)
      assert.deepStrictEqual([runs, replacement.runs], [[1], [2]])
      replacement.finish(2, "Values", "[20]")
      assert.strictEqual(yield* Fiber.join(second), 20)
    }).pipe(Effect.provide(Manager.layerMemory)))

  it.live("sends nothing to a worker that has ended, also what was written before", () =>
    Effect.gen(function*() {
      const { dispatcher, echo } = yield* makeDispatcher
      const { die, runs } = addWorker(dispatcher)
      yield* Effect.forkChild(echo(10), { startImmediately: true })
      die()
      dispatcher.turnEnded()
      assert.deepStrictEqual(runs, [])
    }).pipe(Effect.provide(Manager.layerMemory)))

  it.live("that has stopped takes no more calls", () =>
    Effect.gen(function*() {
      const { dispatcher, echo } = yield* makeDispatcher
      dispatcher.stop("it is over")
      const error = yield* Effect.flip(echo(10))
      assert.include(String(error), "test has stopped: it is over. Echo did not run")
    }).pipe(Effect.provide(Manager.layerMemory)))

  for (const end of ["its worker returns it", "its pool has a defect"]) {
    it.effect(`leaves no timer of a cancelled call, when ${end}`, () =>
      Effect.gen(function*() {
        const { clock, timers } = yield* countingClock
        const { dispatcher, echo } = yield* Effect.provideService(makeDispatcher, Clock.Clock, clock)
        const { report } = addWorker(dispatcher)
        const call = yield* Effect.forkChild(echo(10), { startImmediately: true })
        dispatcher.turnEnded()
        const cancelling = yield* Effect.forkChild(Fiber.interrupt(call), { startImmediately: true })
        yield* Memory.until("its grace has begun", () => timers.set === 1)
        if (end === "its worker returns it") report((writer) => writer.returned(1))
        else dispatcher.fail(new Error("a bug"))
        yield* Fiber.join(cancelling)
        yield* Memory.until("no timer is left", () => timers.set === 0)
      }).pipe(Effect.provide(Manager.layerMemory)))
  }

  it.live("ends a call as interrupted whose task interrupted itself", () =>
    Effect.gen(function*() {
      const { dispatcher, echo } = yield* makeDispatcher
      const { finish } = addWorker(dispatcher)
      const call = yield* Effect.forkChild(echo(10), { startImmediately: true })
      finish(1, "Interrupted", "")
      const exit = yield* Fiber.await(call)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    }).pipe(Effect.provide(Manager.layerMemory)))

  for (const where of ["sending to a worker", "reading from a worker"]) {
    it.live(`that has a defect in ${where} tells every call and the log of it, once, and takes no more calls`, () => {
      const logged: Array<string> = []
      const log = Logger.layer([Logger.make(({ cause, message }) => logged.push(`${message} ${Cause.pretty(cause)}`))])
      return Effect.gen(function*() {
        const { dispatcher, echo } = yield* makeDispatcher
        const { finish, worker } = addWorker(dispatcher)
        const calls = yield* Effect.forEach(
          [10, 20],
          (n) => Effect.forkChild(Effect.flip(echo(n)), { startImmediately: true })
        )
        worker.writer.withdraw = worker.writer.run = worker.writer.take = bug
        if (where === "sending to a worker") dispatcher.turnEnded()
        // The next job is written, when this one has ended.
        else finish(1, "Values", "[10]")
        const late = yield* Effect.flip(echo(30))
        const errors = [
          ...yield* Effect.forEach(calls.slice(where === "sending to a worker" ? 0 : 1), Fiber.join),
          late
        ]
        for (const error of errors) {
          assert.instanceOf(error, PoolStopped)
          assert.include((error as PoolStopped).message, "a defect of this pool has ended it (Error: a bug)")
        }
        yield* Effect.yieldNow
        assert.strictEqual(logged.length, 1)
        assert.include(logged[0]!, "dispatcher.test.ts")
      }).pipe(Effect.provide(Layer.merge(Manager.layerMemory, log)))
    })
  }
})
