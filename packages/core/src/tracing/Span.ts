/**
 * Spans of what crosses a border of processes: calls to shared objects, jobs of pools, and runs of tasks.
 *
 * There is a span only where somebody reads it: within a sampled span, under a tracer that the program has provided. Only
 * the ids of a span travel. No span has a value, a key or the message of an error: errors are told by their tags.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Predicate from "effect/Predicate"
import * as Tracer from "effect/Tracer"
import type { CallOutcome } from "../metrics/Recorder.ts"

/** What other processes know of a span. */
export interface SpanIds {
  readonly traceId: string
  readonly spanId: string
}

/** The span within which a fiber runs, if it is recorded. */
const recorded = ({ cache }: Fiber.Fiber<unknown, unknown>): Tracer.AnySpan | undefined =>
  // Effect's own tracer, which records for nobody, is not in the cache.
  cache.tracer !== undefined && cache.tracerEnabled && cache.span?.sampled === true ? cache.span : undefined

/** The ids of the span within which a fiber runs, if it is recorded. */
export const idsWithin = (fiber: Fiber.Fiber<unknown, unknown>): SpanIds | undefined => {
  const span = recorded(fiber)
  return span && idsOf(span)
}

/** The ids of a span as one text, for those who pass them on and do not read them. */
export const textOf = ({ spanId, traceId }: SpanIds): string => `${traceId} ${spanId}`

/** What `textOf` has written, of a tracer with the ids of W3C; undefined: another text. */
export const fromText = (text: string): SpanIds | undefined => {
  const [, traceId, spanId] = /^([\da-f]{32}) ([\da-f]{16})$/.exec(text) ?? []
  return traceId === undefined || spanId === undefined ? undefined : { traceId, spanId }
}

/** The span within which a fiber runs as a text; null: it is not recorded. */
export const textWithin = (fiber: Fiber.Fiber<unknown, unknown>): string | null => {
  const span = recorded(fiber)
  return span === undefined ? null : textOf(span)
}

export const idsOf = ({ spanId, traceId }: SpanIds): SpanIds => ({ traceId, spanId })

/** Begins a span within that of a fiber, if that is recorded. */
export const begin = (
  fiber: Fiber.Fiber<unknown, unknown> | undefined,
  describe: () => { readonly name: string; readonly attributes: Record<string, unknown> }
): Tracer.Span | undefined => {
  if (fiber === undefined || recorded(fiber) === undefined) return undefined
  const { attributes, name } = describe()
  return Effect.runSyncWith(fiber.context)(Effect.makeSpan(name, { kind: "client", attributes }))
}

/** Ends a span, by the clock of a context. `error`: the tag of the error. */
export const end = (
  span: Tracer.Span,
  context: Context.Context<never>,
  outcome: CallOutcome,
  error: string | undefined
): void => {
  if (error !== undefined) span.attribute("error.type", error)
  const exit = outcome === "success" ? Exit.void : outcome === "cancelled" ? Exit.interrupt() : Exit.fail(error)
  span.end(Context.get(context, Clock.Clock).currentTimeNanosUnsafe(), exit)
}

/** The tag of the first error of a cause, for `end`. */
export const tagOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return Predicate.hasProperty(error, "_tag") ? String(error._tag) : error instanceof Error ? error.name : typeof error
}

/** Runs an effect within a span of another process, if there is one. */
export const within = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  caller: SpanIds | undefined
): Effect.Effect<A, E, R> =>
  caller === undefined ? effect : Effect.provideService(effect, Tracer.ParentSpan, Tracer.externalSpan(caller))

/** Makes a run a span, if it runs within one of another process. */
export const ofRun = <A, E, R>(name: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber(({ cache }) =>
    cache.span?._tag === "ExternalSpan"
      // It leaves no requirement: its parent is there.
      ? Effect.useSpan(
        name,
        { kind: "server" },
        (span) => Effect.provideService(effect, Tracer.ParentSpan, span)
      )
      : effect
  )
