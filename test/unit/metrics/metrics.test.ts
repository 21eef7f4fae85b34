/** What the library counts (`Metrics`), as exporters read it. */
import {
  Manager,
  Metrics,
  Pool,
  SharedLock,
  SharedQueue,
  SharedRef,
  Task,
  TaskGroup
} from "@effect-multiprocessing/core"
import { layerProgram } from "@effect-multiprocessing/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Metric, Option, Redacted, Schema } from "effect"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { TestClock } from "effect/testing"
import * as Memory from "../../support/Memory.ts"

/** With a registry of its own. */
const fresh = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map()))

const unitOf = ({ attributes = {} }: Metric.Metric.Snapshot) => attributes["unit"]

/** The states of a metric by its attributes, without its unit. */
const series = (name: string) =>
  Effect.map(Metric.snapshot, (snapshot) =>
    Object.fromEntries(
      snapshot.filter(({ id }) => id === `multiprocessing.${name}`).map(({ attributes = {}, state }) => {
        const labels = Object.entries(attributes).filter(([key]) => key !== "unit")
        return [labels.map(([key, value]) => `${key}=${value}`).sort().join(" "), state]
      })
    ))

const counts = (name: string) =>
  Effect.map(
    series(name),
    (all) => Object.fromEntries(Object.entries(all).map(([key, state]) => [key, "count" in state && state.count]))
  )

const values = (name: string) =>
  Effect.map(
    series(name),
    (all) => Object.fromEntries(Object.entries(all).map(([key, state]) => [key, "value" in state && state.value]))
  )

const memory = (limits: Manager.ManagerOptions["limits"] = {}) =>
  Layer.provide(Manager.layerMemoryWith({ limits }), Metrics.layer)

describe("metrics", () => {
  it.effect("of calls are counted by kind, operation and outcome", () =>
    Effect.gen(function*() {
      const ref = yield* SharedRef.make({ name: "ref", schema: Schema.String, initial: "a" })
      yield* ref.set("b")
      yield* ref.set("c")
      yield* ref.get
      yield* Effect.flip(ref.set("x".repeat(9_000)))
      const lock = yield* SharedLock.make({ name: "lock" })
      yield* lock.withLock(Effect.void)
      const manager = yield* Manager.Manager
      yield* manager.remove(ref)
      yield* Effect.flip(ref.get)
      const calls = yield* counts("client.calls")
      assert.strictEqual(calls["kind=Ref operation=set outcome=success"], 2)
      assert.strictEqual(calls["kind=Ref operation=get outcome=success"], 1)
      assert.strictEqual(calls["error.type=ObjectNotFound kind=Ref operation=get outcome=refused"], 1)
      assert.strictEqual(calls["error.type=LimitExceeded kind=Ref operation=set outcome=refused"], 1)
      assert.strictEqual(calls["kind=Lock operation=acquire outcome=success"], 1)
    }).pipe(Effect.provide(memory({ frameBytesMax: 8_192 })), Effect.scoped, fresh))

  it.effect("of calls count one that its fiber gave up, and the time for which calls waited", () =>
    Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ name: "queue", item: Schema.Int })
      const { counts: managerCounts } = yield* Manager.Manager
      const waiting = (wanted: number) => Effect.repeat(managerCounts, { until: ({ waiters }) => waiters === wanted })
      const taken = yield* Effect.forkChild(queue.take)
      yield* waiting(1)
      const given = yield* Effect.forkChild(queue.take)
      yield* waiting(2)
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.interrupt(given)
      yield* queue.offer(1)
      yield* Fiber.join(taken)
      const calls = yield* counts("client.calls")
      assert.strictEqual(calls["kind=Queue operation=take outcome=cancelled"], 1)
      assert.strictEqual(calls["kind=Queue operation=take outcome=success"], 1)
      const { "kind=Queue operation=take": waits } = yield* series("client.wait.duration")
      assert.deepInclude(waits, { count: 2, sum: 6 })
      assert.deepStrictEqual(Object.keys(yield* series("client.wait.duration")), ["kind=Queue operation=take"])
    }).pipe(Effect.provide(memory()), Effect.scoped, fresh))

  it.effect("of turns are of the managers in this process", () =>
    Effect.gen(function*() {
      const before = (yield* counts("manager.turn.duration"))[""]
      const { counts: read } = yield* Manager.Manager
      yield* read
      yield* read
      const after = (yield* counts("manager.turn.duration"))[""]
      assert.isAtLeast(Number(after) - Number(before), 2)
    }).pipe(Effect.provide(memory()), Effect.scoped, fresh))

  it.effect("of a manager are its counts and the lengths of its queues, until the layer ends", () =>
    Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ name: "jobs", item: Schema.Int })
      yield* SharedQueue.make({ item: Schema.Int })
      yield* queue.offerAll([1, 2, 3])
      yield* Effect.gen(function*() {
        assert.deepStrictEqual(yield* values("manager.queue.length"), { "queue=jobs": 3 })
        assert.deepStrictEqual(yield* values("manager.sessions"), { "": 1 })
        assert.deepStrictEqual(yield* values("manager.objects"), { "": 2 })
        assert.deepStrictEqual(yield* values("manager.waiters"), { "": 0 })
        assert.deepStrictEqual(yield* values("manager.grants"), { "": 0 })
        yield* queue.take
        const manager = yield* Manager.Manager
        yield* manager.remove(queue)
        yield* TestClock.adjust("10 seconds")
        yield* Effect.repeat(values("manager.objects"), { until: ({ "": objects }) => objects === 1 })
        assert.deepStrictEqual(yield* values("manager.queue.length"), {})
      }).pipe(Effect.provide(Metrics.layerManager()))
      assert.deepStrictEqual(yield* values("manager.objects"), {})
    }).pipe(Effect.provide(memory()), Effect.scoped, fresh))

  it.effect("of a manager go on when the lock is given back under which the layer was built", () =>
    Effect.gen(function*() {
      const queue = yield* SharedQueue.make({ name: "jobs", item: Schema.Int })
      const lock = yield* SharedLock.make()
      yield* lock.withLock(Layer.build(Metrics.layerManager()))
      yield* queue.offer(1)
      yield* TestClock.adjust("10 seconds")
      yield* Effect.repeat(values("manager.queue.length"), { until: ({ "queue=jobs": length }) => length === 1 })
    }).pipe(Effect.provide(memory()), Effect.scoped, fresh))

  it.effect("of a manager that is lost show nothing, instead of what was", () =>
    Effect.gen(function*() {
      const { connect } = yield* Memory.make()
      const { cut, manager } = yield* connect()
      yield* Effect.gen(function*() {
        assert.deepStrictEqual(yield* values("manager.sessions"), { "": 1 })
        cut("pulled")
        yield* TestClock.adjust("10 seconds")
        yield* Effect.repeat(values("manager.sessions"), { until: ({ "": sessions }) => sessions === undefined })
      }).pipe(Effect.provide(Metrics.layerManager()), Effect.provideService(Manager.Manager, manager))
    }).pipe(Effect.scoped, fresh))

  it.effect("of sessions count each reconnection", () =>
    Effect.gen(function*() {
      const { connect } = yield* Memory.make()
      const { cut, manager } = yield* Effect.provide(connect({ reconnect: { grace: 8_000 } }), Metrics.layer)
      cut("pulled")
      const read = yield* Effect.forkChild(manager.counts)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(read)
      assert.deepStrictEqual(yield* counts("client.reconnects"), { "": 1 })
    }).pipe(Effect.scoped, fresh))

  const Square = Task.make("Square", { payload: Schema.Int, success: Schema.Int, error: Schema.String })
  const Tasks = TaskGroup.make("tasks", { tasks: [Square] })
  const handlers = Tasks.toLayer({ Square: (n) => n < 0 ? Effect.fail("negative") : Effect.succeed(n * n) })

  it.effect("of pools are their attempts, their payloads by outcome, and their workers", () =>
    Effect.gen(function*() {
      const pool = yield* Pool.make(Tasks, { size: 2, name: "squares" })
      yield* pool.map(Square, [1, 2, 3], { chunk: 2 })
      yield* Effect.flip(pool.execute(Square, -1))
      assert.deepStrictEqual(yield* counts("pool.attempts"), { "pool=squares task=Square": 4 })
      assert.deepStrictEqual(yield* counts("pool.payloads"), {
        "outcome=done pool=squares task=Square": 3,
        "outcome=failed pool=squares task=Square": 1
      })
      assert.deepStrictEqual(yield* counts("pool.worker.starts"), { "pool=squares": 2 })
      assert.deepStrictEqual(yield* values("pool.workers"), { "pool=squares": 2 })
      yield* pool.shutdown
      assert.deepStrictEqual(yield* values("pool.workers"), { "pool=squares": 0 })
    }).pipe(Effect.provide(Layer.merge(Metrics.layer, layerProgram({ tasks: handlers }))), Effect.scoped, fresh))

  it.effect("are not there without the layer", () =>
    Effect.gen(function*() {
      const ref = yield* SharedRef.make({ schema: Schema.Int, initial: 0 })
      yield* ref.get
      assert.deepStrictEqual(yield* Metric.snapshot, [])
    }).pipe(Effect.provide(Manager.layerMemory), Effect.scoped, fresh))

  it.effect("have no key and no value in them, and units that exporters know", () =>
    Effect.gen(function*() {
      const secret = "a-value-of-a-user"
      const map = yield* SharedRef.make({ name: "ref", schema: Schema.Option(Schema.String), initial: Option.none() })
      yield* map.set(Option.some(secret))
      const text = yield* Effect.provide(PrometheusMetrics.format(), Metrics.layerManager())
      assert.include(text, "multiprocessing_client_calls{kind=\"Ref\",operation=\"set\",outcome=\"success\"} 1")
      assert.notInclude(text, "the-key-of-this-test")
      assert.notInclude(text, secret)
      for (const metric of yield* Metric.snapshot) {
        assert.match(String(unitOf(metric)), /^(seconds|\{[a-z]+\})$/, metric.id)
        assert.isDefined(metric.description)
      }
    }).pipe(
      Effect.provide(
        Layer.provide(Manager.layerMemoryWith({ key: Redacted.make("the-key-of-this-test") }), Metrics.layer)
      ),
      Effect.scoped,
      fresh
    ))
})
