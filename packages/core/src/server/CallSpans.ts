/**
 * The spans of the calls of one session, as its manager sees them: from when a request arrives until its reply, waiting
 * included. There is one only for a request whose client has told a span of its own, and only where the manager has a
 * tracer.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"
import type { Output, RequestInput } from "../engine/Inputs.ts"
import type { FromClient } from "../protocol/Message.ts"
import * as Span from "../tracing/Span.ts"

/** What a span says of a call. */
export interface Described {
  /** Its kind and operation: `Queue.take`. */
  readonly operation: string
  readonly object: string
}

/** The spans of the calls over one link. */
export class CallSpans {
  readonly #context: Context.Context<never>
  readonly #describe: (call: RequestInput["calls"][number]) => Described
  /** The span of the request that comes next. */
  #told: Extract<FromClient, { readonly _tag: "Traced" }> | undefined
  readonly #open = new Map<number, Tracer.Span>()

  constructor(context: Context.Context<never>, describe: (call: RequestInput["calls"][number]) => Described) {
    this.#context = context
    this.#describe = describe
  }

  tell(traced: Extract<FromClient, { readonly _tag: "Traced" }>): void {
    this.#told = traced
  }

  /** A request has arrived. */
  begin({ calls: [call], sequence }: RequestInput): void {
    const told = this.#told
    if (told === undefined) return
    this.#told = undefined
    const caller = told.sequence === sequence ? Span.fromText(told.span) : undefined
    if (caller === undefined || call === undefined) return
    const { object, operation } = this.#describe(call)
    const span = Effect.makeSpan(operation, {
      kind: "server",
      parent: Tracer.externalSpan(caller),
      attributes: { "multiprocessing.object": object }
    })
    this.#open.set(sequence, Effect.runSyncWith(this.#context)(span))
  }

  /** A request has its reply, or was cancelled. */
  end(output: Output): void {
    if (output._tag === "Cancelled") this.cancel(output.sequence)
    else if (output._tag === "Reply") {
      const error = output.outcome._tag === "Failure" ? output.outcome.error : undefined
      this.#end(output.sequence, error === undefined ? "success" : "refused", error)
    }
  }

  cancel(sequence: number): void {
    this.#end(sequence, "cancelled", undefined)
  }

  /** The link is lost, or the session has ended. */
  endAll(): void {
    for (const sequence of this.#open.keys()) this.cancel(sequence)
  }

  #end(sequence: number, outcome: Parameters<typeof Span.end>[2], error: string | undefined): void {
    const span = this.#open.get(sequence)
    if (span === undefined) return
    this.#open.delete(sequence)
    Span.end(span, this.#context, outcome, error)
  }
}

/** Makes the spans of each link, if this manager has a tracer. */
export const make: Effect.Effect<
  ((describe: (call: RequestInput["calls"][number]) => Described) => CallSpans) | undefined
> = Effect.withFiber(({ cache, context }) =>
  Effect.succeed(
    cache.tracer !== undefined && cache.tracerEnabled
      ? (describe: (call: RequestInput["calls"][number]) => Described) => new CallSpans(context, describe)
      : undefined
  )
)
