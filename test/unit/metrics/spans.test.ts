/** Spans of what crosses a border of processes, as a tracer of the program sees them. */
import { ClientWriter, type FromServer } from "#core/protocol/Message.ts"
import {
  Actor,
  Manager,
  Pool,
  Process,
  SharedLock,
  SharedQueue,
  SharedRef,
  Task,
  TaskGroup
} from "@effect-multiprocessing/core"
import { layerProgram } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Redacted, Schema, Tracer } from "effect"
import * as Memory from "../../support/Memory.ts"
import * as raw from "../../support/raw.ts"

/** A tracer that keeps its spans. */
const recording = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return {
    spans,
    tracer,
    names: () => spans.map(({ name }) => name),
    named: (name: string) => spans.find((span) => span.name === name)!
  }
}

const parentOf = ({ parent }: Tracer.NativeSpan) => Option.getOrUndefined(parent)

const failureOf = ({ attributes, status }: Tracer.NativeSpan) =>
  status._tag === "Ended" ? [status.exit._tag, attributes.get("error.type")] : status._tag

const Square = Task.make("Square", { payload: Schema.Int, success: Schema.Int, error: Schema.String })
const Tasks = TaskGroup.make("tasks", { tasks: [Square] })

/** A program in memory whose workers have a tracer of their own. */
const withWorkers = () => {
  const worker = recording()
  const handlers = Tasks.toLayer({
    Square: (n) =>
      Effect.gen(function*() {
        const ref = yield* SharedRef.make({ schema: Schema.Int, initial: n })
        return n < 0 ? yield* Effect.fail("negative") : (yield* ref.get) ** 2
      }).pipe(Effect.orDie)
  }).pipe(Layer.provide(Layer.succeed(Tracer.Tracer, worker.tracer)))
  return { worker, layer: layerProgram({ tasks: handlers }) }
}

describe("spans", () => {
  it.effect("are made of the calls within a span, as its children, and end with their calls", () =>
    Effect.gen(function*() {
      const { named, names, spans, tracer } = recording()
      const ref = yield* SharedRef.make({ name: "ref", schema: Schema.Int, initial: 0 })
      const lock = yield* SharedLock.make({ name: "lock" })
      const manager = yield* Manager.Manager
      yield* Effect.gen(function*() {
        yield* ref.set(1)
        yield* lock.withLock(ref.get)
        yield* Manager.atomic([ref.set(2), Effect.void])
        yield* manager.remove(ref)
        yield* Effect.flip(ref.get)
      }).pipe(Effect.withSpan("work"), Effect.provideService(Tracer.Tracer, tracer))
      assert.deepStrictEqual(names(), [
        "work",
        "Ref.set",
        "Lock.acquire",
        "Ref.get",
        "Ref.set",
        "Directory.delete",
        "Ref.get"
      ])
      for (const span of spans.slice(1)) {
        assert.strictEqual(parentOf(span), named("work"))
        assert.strictEqual(span.kind, "client")
        assert.strictEqual(span.status._tag, "Ended")
      }
      assert.strictEqual(named("Ref.set").attributes.get("multiprocessing.object"), "Ref \"ref\"")
      assert.deepStrictEqual(failureOf(spans.at(-1)!), ["Failure", "ObjectNotFound"])
      assert.deepStrictEqual(failureOf(named("Ref.set")), ["Success", undefined])
    }).pipe(Effect.provide(Manager.layerMemory), Effect.scoped))

  it.effect("end when their calls are interrupted: waiting, alone or together, or not sent", () =>
    Effect.gen(function*() {
      const { names, spans, tracer } = recording()
      const { connect, server } = yield* Memory.make({ limits: { inFlightMax: 1 } })
      const { manager } = yield* connect()
      yield* Effect.gen(function*() {
        const queue = yield* SharedQueue.make({ item: Schema.Int, capacity: 1 })
        const full = yield* SharedQueue.make({ item: Schema.Int, capacity: 1 })
        yield* queue.offer(0)
        yield* full.offer(0)
        const work = Effect.all([queue.offer(1), Manager.atomic([full.offer(1), queue.offer(2)])], {
          concurrency: "unbounded"
        })
        const fiber = yield* Effect.forkChild(
          work.pipe(Effect.withSpan("work"), Effect.provideService(Tracer.Tracer, tracer))
        )
        yield* Memory.until("they wait", () => server.engine.state.counts.waiters === 3)
        yield* Fiber.interrupt(fiber)
      }).pipe(Effect.provideService(Manager.Manager, manager))
      assert.deepStrictEqual(names(), ["work", "Queue.offer", "Queue.offer", "Queue.offer"])
      for (const span of spans) assert.deepStrictEqual(failureOf(span), ["Failure", undefined])
    }).pipe(Effect.scoped))

  it.effect("are not made without a tracer, without a span around, or where that is not sampled", () =>
    Effect.gen(function*() {
      const { names, tracer } = recording()
      const ref = yield* SharedRef.make({ schema: Schema.Int, initial: 0 })
      yield* Effect.withSpan(ref.get, "work")
      yield* Effect.provideService(ref.get, Tracer.Tracer, tracer)
      yield* ref.get.pipe(
        Effect.withSpan("unsampled", { sampled: false }),
        Effect.provideService(Tracer.Tracer, tracer)
      )
      yield* ref.get.pipe(
        Effect.withSpan("untraced"),
        Effect.withTracerEnabled(false),
        Effect.provideService(Tracer.Tracer, tracer)
      )
      assert.deepStrictEqual(names(), ["unsampled"])
    }).pipe(Effect.provide(Manager.layerMemory), Effect.scoped))

  it.effect("of a pool's task have its caller's as their parent, in the worker", () => {
    const { layer, worker } = withWorkers()
    return Effect.gen(function*() {
      const { named, names, spans, tracer } = recording()
      const pool = yield* Pool.make(Tasks, { size: 1 })
      yield* Effect.gen(function*() {
        yield* pool.execute(Square, 3)
        yield* Effect.exit(pool.execute(Square, -3))
      }).pipe(Effect.withSpan("work"), Effect.provideService(Tracer.Tracer, tracer))
      assert.deepStrictEqual(names(), ["work", "Pool.Square", "Pool.Square"])
      assert.strictEqual(parentOf(named("Pool.Square")), named("work"))
      assert.deepStrictEqual(spans.slice(1).map((span) => failureOf(span)[0]), ["Success", "Failure"])
      const task = worker.spans[0]!
      assert.strictEqual(task.name, "Task.Square")
      assert.strictEqual(task.kind, "server")
      assert.strictEqual(task.traceId, named("work").traceId)
      assert.strictEqual(parentOf(task)?.spanId, named("Pool.Square").spanId)
      // The calls of the task are within its span.
      assert.strictEqual(parentOf(worker.named("Ref.get")), task)
      assert.isTrue(worker.spans.every(({ status }) => status._tag === "Ended"))
      const before = worker.spans.length
      yield* pool.execute(Square, 3)
      assert.strictEqual(worker.spans.length, before)
    }).pipe(Effect.provide(layer), Effect.scoped)
  })

  it.effect("of a process's task have the span of the caller as their parent", () => {
    const { layer, worker } = withWorkers()
    return Effect.gen(function*() {
      const { named, tracer } = recording()
      const squared = Process.run(Tasks, Square, 3)
      yield* squared.pipe(Effect.withSpan("work"), Effect.provideService(Tracer.Tracer, tracer))
      assert.strictEqual(parentOf(worker.named("Task.Square"))?.spanId, named("work").spanId)
      const before = worker.spans.length
      yield* squared
      assert.strictEqual(worker.spans.length, before)
    }).pipe(Effect.provide(layer))
  })

  it.effect("have no key, no secret of a session and no value in them", () =>
    Effect.gen(function*() {
      const { spans, tracer } = recording()
      const secret = "a-value-of-a-user"
      const ref = yield* SharedRef.make({ name: "ref", schema: Schema.String, initial: "" })
      const manager = yield* Manager.Manager
      yield* Effect.gen(function*() {
        yield* ref.set(secret)
        yield* ref.get
        yield* manager.remove(ref)
        yield* Effect.flip(ref.set(secret))
      }).pipe(Effect.withSpan("work"), Effect.provideService(Tracer.Tracer, tracer))
      const told = JSON.stringify(
        spans.map(({ attributes, events, name, status }) => ({ name, status, events, attributes: [...attributes] })),
        (_, value: unknown) => typeof value === "bigint" ? String(value) : value
      )
      assert.include(told, "Ref.set")
      assert.notInclude(told, secret)
      assert.notInclude(told, "the-key-of-this-test")
    }).pipe(Effect.provide(Manager.layerMemoryWith({ key: Redacted.make("the-key-of-this-test") })), Effect.scoped))

  /** A manager with a tracer, and a client of it. */
  const traced = Effect.gen(function*() {
    const its = recording()
    const memory = yield* Effect.provideService(Memory.make(), Tracer.Tracer, its.tracer)
    const connected = yield* memory.connect({ reconnect: { grace: "1 minute" } })
    const ours = recording()
    const work = <A, E>(effect: Effect.Effect<A, E, Manager.Manager>) =>
      effect.pipe(
        Effect.withSpan("work"),
        Effect.provideService(Tracer.Tracer, ours.tracer),
        Effect.provideService(Manager.Manager, connected.manager)
      )
    return { its, memory, connected, ours, work }
  })

  it.effect("of a manager with a tracer are children of the calls, from their arrival to their reply", () =>
    Effect.gen(function*() {
      const { connected, its, memory, ours, work } = yield* traced
      const { manager } = connected
      const ref = yield* Effect.provideService(
        SharedRef.make({ name: "ref", schema: Schema.Int, initial: 0 }),
        Manager.Manager,
        manager
      )
      yield* ref.set(1)
      const waiting = yield* Effect.forkChild(work(ref.untilEquals(9)))
      yield* Memory.until("it waits", () => memory.server.engine.state.counts.waiters === 1)
      assert.deepStrictEqual(its.spans.map(({ name, status }) => [name, status._tag]), [["Ref.untilEquals", "Started"]])
      yield* Fiber.interrupt(waiting)
      yield* work(ref.set(2))
      yield* manager.remove(ref)
      yield* Effect.flip(work(ref.get))
      assert.deepStrictEqual(its.spans.map((span) => [span.name, span.kind, ...failureOf(span)]), [
        ["Ref.untilEquals", "server", "Failure", undefined],
        ["Ref.set", "server", "Success", undefined],
        ["call", "server", "Failure", "ObjectNotFound"]
      ])
      const calls = ours.spans.filter(({ name }) => name !== "work")
      assert.deepStrictEqual(
        its.spans.map((span) => [span.traceId, parentOf(span)?.spanId]),
        calls.map(({ spanId, traceId }) => [traceId, spanId])
      )
      assert.strictEqual(its.spans[1]!.attributes.get("multiprocessing.object"), "Ref \"ref\"")
      assert.strictEqual(calls[1]!.attributes.get("multiprocessing.object"), "Ref \"ref\"")
    }).pipe(Effect.scoped))

  it.effect("of a manager end with the link, and begin anew over the next one", () =>
    Effect.gen(function*() {
      const { connected, its, memory, work } = yield* traced
      const queue = yield* Effect.provideService(
        SharedQueue.make({ item: Schema.Int }),
        Manager.Manager,
        connected.manager
      )
      const taking = yield* Effect.forkChild(work(queue.take))
      yield* Memory.until("it waits", () => memory.server.engine.state.counts.waiters === 1)
      connected.cut("pulled")
      yield* Memory.until("it was sent again", () => its.spans.length === 2)
      yield* queue.offer(1)
      yield* Fiber.join(taking)
      assert.deepStrictEqual(its.spans.map((span) => failureOf(span)[0]), ["Failure", "Success"])
      assert.strictEqual(parentOf(its.spans[0]!)?.spanId, parentOf(its.spans[1]!)?.spanId)
    }).pipe(Effect.scoped))

  it.effect("of a manager are not made of what is no span, or of another request", () =>
    Effect.gen(function*() {
      const { its, memory } = yield* traced
      const { client } = yield* memory.dial()
      const heard: Array<FromServer> = []
      yield* raw.session(client, (message) => heard.push(message))
      const counts = memory.server.engine.operationTable.Directory!.findIndex(([name]) => name === "counts")
      const span = `${"a".repeat(32)} ${"b".repeat(16)}`
      const tells = [[1, "no span"], [2, `${span}${"c".repeat(1_000)}`], [9, span], [4, span.toUpperCase()], [5, span]]
      for (const [i, [sequence, text]] of tells.entries()) {
        const writer = new ClientWriter()
        writer.traced(Number(sequence), String(text))
        writer.request(i + 1, 0, counts, [], 0, [], Infinity)
        client.send(writer.take())
      }
      yield* Memory.until("all have their replies", () => heard.length === tells.length)
      assert.deepStrictEqual(its.names(), ["Directory.counts"])
      assert.strictEqual(parentOf(its.spans[0]!)?.spanId, "b".repeat(16))
    }).pipe(Effect.scoped))

  it.effect("of an actor's handler have the span of its caller as their parent, and its calls are within them", () =>
    Effect.gen(function*() {
      const [ours, its] = [recording(), recording()]
      const ref = yield* SharedRef.make({ schema: Schema.Int, initial: 1 })
      const actor = yield* Actor.make({ methods: { get: Actor.method({ success: Schema.Int }) } })
      yield* Effect.forkScoped(
        Effect.provideService(Actor.serve(actor, { get: () => Effect.orDie(ref.get) }), Tracer.Tracer, its.tracer)
      )
      yield* actor.get
      yield* actor.get.pipe(Effect.withSpan("work"), Effect.provideService(Tracer.Tracer, ours.tracer))
      const [handler, call, ...more] = its.spans
      assert.deepStrictEqual([handler?.name, handler?.kind, call?.name, more], ["Actor.get", "server", "Ref.get", []])
      assert.strictEqual(handler?.traceId, ours.named("work").traceId)
      assert.strictEqual(parentOf(handler!)?.spanId, ours.named("work").spanId)
      assert.strictEqual(parentOf(call!), handler)
    }).pipe(Effect.provide(Manager.layerMemory), Effect.scoped))
})
