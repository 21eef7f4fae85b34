/**
 * Metrics of shared objects, managers and pools, as Effect's `Metric`s. Any exporter of Effect reads them: OTLP,
 * Prometheus, or `Metric.snapshot`.
 *
 * Names, units and attributes follow OpenTelemetry. No attribute has a value of an object, a key or an address.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { describe } from "./client/Target.ts"
import type { Counts, ObjectInfo } from "./engine/Inspection.ts"
import type { queue } from "./engine/kinds/queue.ts"
import type { ManagerError } from "./ManagerError.ts"
import { type CallOutcome, type OperationMeter, type PoolMeter, Recorder, type TurnMeter } from "./metrics/Recorder.ts"
import { millisecondsOf } from "./proxy/duration.ts"
import { Manager } from "./proxy/Manager.ts"
import * as Remote from "./proxy/Remote.ts"
import { unguarded } from "./SharedLock.ts"

/**
 * Records calls, waits, reconnections, turns and pools, for the connections, managers and pools whose layers are built
 * with it:
 *
 * ```ts
 * const program = main.pipe(Effect.provide(NodeManager.layerClient({ path })), Effect.provide(Metrics.layer))
 * ```
 *
 * The metrics belong to the registry (`Metric.MetricRegistry`) of the layer, and have the attributes of its
 * `Metric.CurrentMetricAttributes`. Without this layer nothing is recorded.
 */
export const layer: Layer.Layer<never> = Layer.effect(
  Recorder,
  Effect.map(Effect.context<never>(), (context) => recorderIn(context))
)

/** Options of `layerManager`. */
export interface ManagerMetricsOptions {
  /** The time between two readings. Default: 10 seconds. */
  readonly interval?: Duration.Input | undefined
}

/**
 * Reads the numbers of sessions, objects, waiting calls and grants of a manager, and the lengths of its first 100 named
 * queues, at each interval, and shows them as gauges. The layer is built when they were read once. The manager may be in
 * any process, on any machine. One program per manager is enough.
 *
 * **Fairness** A reading is one call, one per queue, and one per page of objects. **Cancellation** The end of the scope
 * removes the gauges. **On disconnect** The gauges are removed, and come back with the next reading that succeeds.
 */
export const layerManager = ({ interval = "10 seconds" }: ManagerMetricsOptions = {}): Layer.Layer<
  never,
  never,
  Manager
> =>
  Layer.effectDiscard(
    Effect.gen(function*() {
      if (!(millisecondsOf(interval) > 0)) {
        return yield* Effect.die(new Error("layerManager: interval must be a time above 0"))
      }
      const gauges = new Gauges(yield* Effect.context<never>())
      const read = Effect.matchEffect(readManager, {
        onSuccess: (reading) => Effect.sync(() => gauges.show(reading)),
        onFailure: (error) =>
          Effect.andThen(
            Effect.sync(() => gauges.show(new Map())),
            Effect.logDebug("The metrics of a manager could not be read.", error)
          )
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => gauges.show(new Map())))
      yield* read
      yield* Effect.forkScoped(Effect.repeat(Effect.andThen(Effect.sleep(interval), read), Schedule.forever))
    }).pipe(unguarded)
  )

// internals

const prefix = "multiprocessing"

const seconds = { unit: "seconds" }

/** From 1 ms to 17 minutes. */
const waitBoundaries = Metric.exponentialBoundaries({ start: 0.001, factor: 4, count: 11 })

/** From 10 µs to 10 s. */
const turnBoundaries = Metric.exponentialBoundaries({ start: 0.00001, factor: 4, count: 11 })

const recorderIn = (context: Context.Context<never>): Recorder => {
  const clock = Context.get(context, Clock.Clock)
  const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e9
  const reconnects = counter("client.reconnects", "Sessions that went on over another connection.", {
    unit: "{reconnect}"
  })
  return {
    operation: (kind, operation) => new Operation(context, now, kind, operation),
    turns: new Turns(context, now),
    pool: (name) => new Pool(context, name),
    reconnected: () => reconnects.updateUnsafe(1, context)
  }
}

const counter = (name: string, description: string, attributes: Metric.Metric.AttributeSet): Metric.Counter<number> =>
  Metric.counter(`${prefix}.${name}`, { description, attributes, incremental: true })

const gauge = (name: string, description: string, attributes: Metric.Metric.AttributeSet): Metric.Gauge<number> =>
  Metric.gauge(`${prefix}.${name}`, { description, attributes })

/** Counters that differ in some attributes. */
class Counters {
  readonly #context: Context.Context<never>
  readonly #make: (attributes: Metric.Metric.AttributeSet) => Metric.Counter<number>
  readonly #counters = new Map<string, Metric.Counter<number>>()

  constructor(
    context: Context.Context<never>,
    name: string,
    description: string,
    attributes: Metric.Metric.AttributeSet
  ) {
    this.#context = context
    this.#make = (others) => counter(name, description, { ...attributes, ...others })
  }

  /** Adds to the counter of a key, which is made with the attributes that the key stands for. */
  add(amount: number, key: string, attributes: () => Metric.Metric.AttributeSet): void {
    let counter = this.#counters.get(key)
    if (counter === undefined) this.#counters.set(key, counter = this.#make(attributes()))
    counter.updateUnsafe(amount, this.#context)
  }
}

/** The calls of one operation. */
class Operation implements OperationMeter {
  readonly now: () => number
  readonly #context: Context.Context<never>
  readonly #calls: Counters
  readonly #waits: Metric.Histogram<number>

  constructor(context: Context.Context<never>, now: () => number, kind: string, operation: string) {
    this.now = now
    this.#context = context
    const attributes = { kind, operation }
    this.#calls = new Counters(context, "client.calls", "Calls to shared objects that have ended.", {
      ...attributes,
      unit: "{call}"
    })
    this.#waits = Metric.histogram(`${prefix}.client.wait.duration`, {
      description: "How long calls waited in the manager.",
      attributes: { ...attributes, ...seconds },
      boundaries: waitBoundaries
    })
  }

  ended(outcome: CallOutcome, error: string | undefined, waitsSince: number | undefined): void {
    this.#calls.add(1, error ?? outcome, () => error === undefined ? { outcome } : { outcome, "error.type": error })
    if (waitsSince !== undefined) this.#waits.updateUnsafe(this.now() - waitsSince, this.#context)
  }
}

/** The turns of the managers in this process. */
class Turns implements TurnMeter {
  readonly now: () => number
  readonly #context: Context.Context<never>
  readonly #durations = Metric.histogram(`${prefix}.manager.turn.duration`, {
    description: "How long the turns of managers in this process took.",
    attributes: seconds,
    boundaries: turnBoundaries
  })

  constructor(context: Context.Context<never>, now: () => number) {
    this.now = now
    this.#context = context
  }

  ended(since: number): void {
    this.#durations.updateUnsafe(this.now() - since, this.#context)
  }
}

/** One pool. */
class Pool implements PoolMeter {
  readonly #context: Context.Context<never>
  readonly #attempts: Counters
  readonly #payloads: Counters
  readonly #starts: Metric.Counter<number>
  readonly #workers: Metric.Gauge<number>

  constructor(context: Context.Context<never>, pool: string) {
    this.#context = context
    this.#attempts = new Counters(
      context,
      "pool.attempts",
      "Payloads that were given to a pool, repetitions included.",
      {
        pool,
        unit: "{attempt}"
      }
    )
    this.#payloads = new Counters(context, "pool.payloads", "Payloads whose runs have ended.", {
      pool,
      unit: "{payload}"
    })
    this.#starts = counter("pool.worker.starts", "Workers that became ready.", { pool, unit: "{worker}" })
    this.#workers = gauge("pool.workers", "Workers that are ready.", { pool, unit: "{worker}" })
  }

  accepted(task: string, payloads: number): void {
    this.#attempts.add(payloads, task, () => ({ task }))
  }

  ended(task: string, payloads: number, outcome: string): void {
    this.#payloads.add(payloads, `${outcome} ${task}`, () => ({ task, outcome }))
  }

  workerStarted(): void {
    this.#starts.updateUnsafe(1, this.#context)
  }

  workers(ready: number): void {
    this.#workers.updateUnsafe(ready, this.#context)
  }
}

/** Gauges with the values of a reading. */
type Reading = ReadonlyMap<Metric.Gauge<number>, number>

/** The gauges of a manager. */
class Gauges {
  readonly #context: Context.Context<never>
  #shown: Reading = new Map()

  constructor(context: Context.Context<never>) {
    this.#context = context
  }

  /** Shows a reading instead of the one before it. */
  show(reading: Reading): void {
    for (const shown of this.#shown.keys()) Metric.removeUnsafe(shown, this.#context)
    for (const [gauge, value] of reading) gauge.updateUnsafe(value, this.#context)
    this.#shown = reading
  }
}

/** The most queues whose lengths are read: each is a series of its own. */
const queuesMax = 100

const readManager: Effect.Effect<Reading, ManagerError, Manager> = Effect.gen(function*() {
  const { connection, counts, objects } = yield* Manager
  const reading = new Map(gaugesOf(yield* counts))
  const queues = objects.pipe(
    Stream.filter(({ kind, name }) => kind === "Queue" && name !== null),
    Stream.take(queuesMax)
  )
  yield* Stream.runForEach(queues, ({ id, name }) => {
    const target = { id, name: name ?? undefined, description: describe("Queue", name ?? id) }
    const size = new Remote.Remote<typeof queue>(connection, "Queue", target, "")
      .call("size", [], ([size]) => Exit.succeed(size))
    return size.pipe(
      Effect.map((size) => reading.set(queueGauge(name), size)),
      // It was removed meanwhile.
      Effect.catchReasons("ManagerError", { ObjectNotFound: () => Effect.void, ObjectDeleted: () => Effect.void })
    )
  })
  return reading
})

const queueGauge = (name: ObjectInfo["name"]): Metric.Gauge<number> =>
  gauge("manager.queue.length", "Items of a named queue.", { queue: String(name), unit: "{item}" })

const gaugesOf = ({ holders, objects, sessions, waiters }: Counts): ReadonlyArray<[Metric.Gauge<number>, number]> => [
  [gauge("manager.sessions", "Sessions of a manager.", { unit: "{session}" }), sessions],
  [gauge("manager.objects", "Shared objects.", { unit: "{object}" }), objects],
  [gauge("manager.waiters", "Calls that wait in a manager.", { unit: "{call}" }), waiters],
  [gauge("manager.grants", "Holds, deliveries and leases that are not given back.", { unit: "{grant}" }), holders]
]
