/**
 * Spans and metrics of a program and its workers, by Effect's own modules: spans go out by OTLP, and metrics are text as
 * Prometheus reads it. A small collector in this program shows what arrives.
 *
 *     $ npm run example examples/31_observability.ts
 *     main: thumbnails
 *     main:   Ref.set
 *     main:   Pool.Shrink
 *     worker:     Task.Shrink
 *     worker:       Ref.add
 *     multiprocessing_client_calls{kind="Ref",operation="set",outcome="success"} 1
 *     multiprocessing_pool_payloads{pool="images",task="Shrink",outcome="done"} 1
 *     multiprocessing_manager_sessions 2
 *
 * Your program gets the address of your collector in the environment, and serves its metrics by
 * `PrometheusMetrics.layerHttp` (docs/observability.md).
 */
import { Metrics, Pool, SharedRef, Task, TaskGroup } from "@effect-multiprocessing/core"
import { NodeManager } from "@effect-multiprocessing/node"
import { Console, Effect, Layer, Schema } from "effect"
import { FetchHttpClient } from "effect/http"
import { OtlpSerialization, OtlpTracer, PrometheusMetrics } from "effect/observability"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { json } from "node:stream/consumers"

// The collector: it has the spans that arrive, by their ids.

interface Arrived {
  readonly process: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly name: string
  readonly startTimeUnixNano: string
}

const arrived: Array<Arrived> = []

const collector = createServer(async (request, response) => {
  const { resourceSpans } = await json(request) as OtlpTracer.TraceData
  for (const { resource, scopeSpans } of resourceSpans) {
    const process = resource.attributes.find(({ key }) => key === "service.name")?.value.stringValue ?? ""
    for (const { spans } of scopeSpans) for (const span of spans) arrived.push({ ...span, process })
  }
  response.end("{}")
})

// Workers inherit the environment, and with it the address.
const isMain = process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] === undefined
if (isMain) {
  await once(collector.listen(0, "127.0.0.1").unref(), "listening")
  process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`
  process.env["OTEL_TRACES_EXPORTER"] = "otlp"
  process.env["OTEL_BSP_SCHEDULE_DELAY"] = "100"
}

const childrenOf = (parent: string | undefined, depth: string): ReadonlyArray<string> =>
  arrived.filter(({ parentSpanId }) => parentSpanId === parent)
    .toSorted((a, b) => Number(a.startTimeUnixNano) - Number(b.startTimeUnixNano))
    .flatMap(({ name, process, spanId }) => [`${process}: ${depth}${name}`, ...childrenOf(spanId, `${depth}  `)])

// The program.

class Done extends SharedRef.Service<Done>()("images/Done", { schema: Schema.Int, initial: 0 }) {}

const Shrink = Task.make("Shrink", { payload: Schema.Int, success: Schema.Int })
const Tasks = TaskGroup.make("images", { tasks: [Shrink] })

const tasks = Tasks.toLayer({
  Shrink: (width) =>
    Effect.gen(function*() {
      yield* Effect.orDie((yield* Done).increment)
      return width / 10
    })
}).pipe(Layer.provide(Done.layer))

const main = Effect.gen(function*() {
  const done = yield* Done
  const pool = yield* Pool.make(Tasks, { size: 1 })
  yield* Effect.withSpan(Effect.andThen(done.set(0), pool.execute(Shrink, 1_920)), "thumbnails")
  const metrics = yield* Effect.provide(PrometheusMetrics.format(), Metrics.layerManager())
  yield* Effect.repeat(Effect.sleep("10 millis"), { while: () => arrived.length < 5 })
  yield* Effect.forEach(childrenOf(undefined, ""), (line) => Console.log(line))
  for (const name of ["client_calls{kind=\"Ref\",operation=\"set\"", "pool_payloads{", "manager_sessions "]) {
    yield* Console.log(metrics.split("\n").find((line) => line.startsWith(`multiprocessing_${name}`)))
  }
}).pipe(Effect.provide(Done.layer))

const tracer = OtlpTracer.layerFromConfig({ resource: { serviceName: isMain ? "main" : "worker" } }).pipe(
  Layer.provide(Layer.merge(OtlpSerialization.layerJson, FetchHttpClient.layer))
)

NodeManager.runMain(main, { tasks, observability: Layer.merge(Metrics.layer, tracer) })
