/**
 * The host's side of an actor: it receives calls, and runs the handler of each in a fiber of its own.
 *
 * ```text
 *   receive ─► waiting ─► running ─► answerAndReceive       at most concurrency are running
 * ```
 *
 * `concurrency` + `prefetch` calls are received and not answered, or are being received. No fiber waits for a call: a
 * reply begins a handler, and the end of a handler the next one. So the answers of short handlers leave in one frame, and
 * each is the request for another call.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Guard } from "../client/Guard.ts"
import { kept } from "../client/reason.ts"
import type { GrantId } from "../engine/Operation.ts"
import type { Cell } from "../engine/Value.ts"
import { LimitExceeded, ManagerError } from "../ManagerError.ts"
import { beginningOf, dieOfUndeclared, noEffect } from "../proxy/infrastructure.ts"
import type { Refusals, ReplyOf } from "../proxy/Remote.ts"
import { whileOpen } from "../proxy/whileOpen.ts"
import * as Span from "../tracing/Span.ts"
import type { ActorKind, ActorRemote } from "./calls.ts"
import { AlreadyServed } from "./errors.ts"
import type { Codecs, Methods, Streaming } from "./Method.ts"

/** How an actor is hosted. */
export interface ServeOptions {
  /** How many handlers run at a time. Default 1: one call after the other. */
  readonly concurrency?: number | undefined
  /**
   * How many calls this process receives before it can run their handlers. Default 16. They save the time of a round trip
   * between two handlers. If the process dies, they fail with `ActorDied`, too; with 0 they are kept for the next host. The
   * answer to a call requests another one, so while finalizers of an answered handler run there may be one more.
   */
  readonly prefetch?: number | undefined
  /** Whether to wait for the end of the present host instead of failing with `AlreadyServed`. Default false. */
  readonly standby?: boolean | undefined
}

/** A handler of whatever method, whose services the serving fiber has. */
export type Handler = (payload: unknown) => Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>

/** Handlers by the names of their methods. */
export type Handlers = Readonly<Record<string, Handler>>

/** What is known of a hosted actor. */
export interface Hosted {
  readonly methods: Methods
  readonly remote: ActorRemote
  readonly codecsOf: (name: string) => Codecs
  readonly handlers: Handlers
}

/** A call as the host receives it. */
type Received = ReplyOf<ActorKind, "receive">

/** The elements of a stream that travel together, at most. */
const groupMax = 64

/** Hosts an actor until it is interrupted, or the connection or the actor ends. */
export const serve = (
  hosted: Hosted,
  { concurrency = 1, prefetch = 16, standby = false }: ServeOptions
): Effect.Effect<never, AlreadyServed | ManagerError> =>
  Effect.gen(function*() {
    const { remote } = hosted
    const actor = remote.target.description
    const missing = Object.keys(hosted.methods).find((name) => typeof hosted.handlers[name] !== "function")
    const issue = missing !== undefined
      ? `the method ${missing} has no handler`
      : !isCount(concurrency, 1)
      ? "concurrency is no number of calls"
      : isCount(prefetch, 0)
      ? undefined
      : "prefetch is no number of calls"
    if (issue !== undefined) return yield* Effect.die(new Error(`serve of ${actor}: ${issue}`))
    const refusals: Refusals<"AlreadyServed", AlreadyServed> = { AlreadyServed: () => new AlreadyServed({ actor }) }
    const id = yield* whileOpen(
      (restore) => remote.callOwned(restore, "serve", [standby ? 1 : 0], ([id]) => Exit.succeed(id), refusals),
      (id) => remote.tell("end", [id])
    )
    const host = new Host(hosted, id, concurrency, prefetch, yield* Effect.context<never>())
    yield* Effect.addFinalizer(() => host.close)
    return yield* host.open
  }).pipe(
    Effect.scoped,
    // Handlers do not stand under the holds of the fiber that serves.
    Effect.provideService(Guard, [])
  )

const isCount = (n: number, least: number): boolean => Number.isSafeInteger(n) && n >= least

/** The host of an actor, while it serves. */
class Host {
  readonly hosted: Hosted
  readonly #id: GrantId
  readonly #concurrency: number
  readonly #prefetch: number
  readonly #context: Context.Context<never>
  readonly #failed = Deferred.makeUnsafe<never, ManagerError>()
  /** Received calls whose handlers have not begun, in order. */
  readonly #waiting = new Set<Delivery>()
  readonly #running = new Set<Delivery>()
  #isStarting = false
  /** Called when the last handler has ended; set while this host closes. */
  #closed: (() => void) | undefined

  constructor(hosted: Hosted, id: GrantId, concurrency: number, prefetch: number, context: Context.Context<never>) {
    this.hosted = hosted
    this.#id = id
    this.#concurrency = concurrency
    this.#prefetch = prefetch
    this.#context = context
  }

  /** Receives calls. Fails when no further one can be received. */
  get open(): Effect.Effect<never, ManagerError> {
    return Effect.suspend(() => {
      for (let i = 0; i < this.#concurrency + this.#prefetch; i++) this.#receive()
      return Deferred.await(this.#failed)
    })
  }

  /** Interrupts the running handlers, and waits for their end. The manager keeps what has not begun for the next host. */
  get close(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      this.#closed = () => resume(Effect.void)
      for (const delivery of this.#waiting) delivery.end()
      for (const delivery of this.#running) delivery.interrupt()
      if (this.#running.size === 0) this.#closed()
    })
  }

  /**
   * Answers a delivery, and receives a call in its place. Returns whether it does: a host that receives no call before it
   * can run its handler answers first. `refused` is told why the result was not sent.
   */
  answer(delivery: GrantId, how: "done" | "failed", result: Cell, refused: (issue: string) => void): boolean {
    const { remote } = this.hosted
    const answer = () => remote.tell("answer", [delivery, how, result], ({ message }) => refused(message))
    if (this.#closed !== undefined || this.#prefetch === 0) {
      answer()
      return false
    }
    remote.request("answerAndReceive", [this.#id, delivery, how, result], (exit) => {
      if (Exit.isSuccess(exit)) return this.#received(exit)
      answer()
      this.#receive()
    })
    return true
  }

  #receive(): void {
    this.hosted.remote.request("receive", [this.#id], this.#received)
  }

  readonly #received = (exit: Exit.Exit<Received, ManagerError>): void => {
    if (Exit.isFailure(exit)) return void Deferred.doneUnsafe(this.#failed, Exit.failCause(exit.cause))
    const delivery = new Delivery(this, ...exit.value)
    // It came after the end of this host: the manager puts it back.
    if (this.#closed !== undefined) return delivery.end()
    this.#waiting.add(delivery)
    this.#start()
  }

  /** Begins with what waits. A handler may end at once, or end this host: this is no recursion. */
  #start(): void {
    if (this.#isStarting) return
    this.#isStarting = true
    for (const delivery of this.#waiting) {
      if (this.#closed !== undefined || this.#running.size >= this.#concurrency) break
      this.#waiting.delete(delivery)
      this.#running.add(delivery)
      delivery.begin(Effect.runForkWith(this.#context)(delivery.handled), () => this.#ended(delivery))
    }
    this.#isStarting = false
  }

  #ended(delivery: Delivery): void {
    this.#running.delete(delivery)
    if (this.#closed !== undefined) {
      if (this.#running.size === 0) this.#closed()
      return
    }
    if (!delivery.isReplaced) this.#receive()
    this.#start()
  }
}

/** A call that this process has received. */
class Delivery {
  readonly #host: Host
  readonly #id: GrantId
  readonly #method: string
  readonly #payload: Cell
  readonly #span: string | null
  readonly #unregister: () => void
  #fiber: Fiber.Fiber<void> | undefined
  #isInterrupted = false
  /** Whether the caller does not wait any more. */
  #isLost = false
  #isAnswered = false
  /** Whether another call is being received in its place. */
  isReplaced = false

  /** Make it in the turn in which the delivery is read: the next message may revoke it. */
  constructor(host: Host, ...[id, method, payload, span]: Received) {
    this.#host = host
    this.#id = id
    this.#method = method
    this.#payload = payload
    this.#span = span
    this.#unregister = host.hosted.remote.connection.onLost(id, () => {
      this.#isLost = true
      this.interrupt()
    })
  }

  /** Its handler runs in this fiber, or has ended already. */
  begin(fiber: Fiber.Fiber<void>, ended: () => void): void {
    this.#fiber = fiber
    fiber.addObserver((exit) => {
      // What no effect can catch, such as a value in the place of an effect, has ended the fiber without an answer.
      if (!this.#isAnswered && Exit.hasDies(exit)) {
        this.#answer(exit)
        this.end()
      }
      ended()
    })
    if (this.#isInterrupted) fiber.interruptUnsafe()
  }

  /** Interrupts its handler, also one that is not known to run yet. */
  interrupt(): void {
    this.#isInterrupted = true
    this.#fiber?.interruptUnsafe()
  }

  /** Runs the handler and answers. The scope of the handler ends after that: the result may hold handles. */
  get handled(): Effect.Effect<void> {
    return Effect.suspend(() => this.#isLost ? Effect.void : Effect.scoped(this.#answered)).pipe(
      Effect.catchDefect((defect) =>
        Effect.logError(`a finalizer of ${this.#shown} has failed after the answer`, Cause.die(defect))
      ),
      Effect.ensuring(Effect.sync(() => this.end()))
    )
  }

  /** Whoever waits for the call waits no longer, or it is put back. */
  end(): void {
    this.#unregister()
    this.#host.hosted.remote.connection.received.giveBack([this.#payload], `the scope of the handler of ${this.#shown}`)
  }

  get #answered(): Effect.Effect<void, never, Scope.Scope> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.exit(restore(this.#traced)), (exit) => Effect.sync(() => this.#answer(exit)))
    )
  }

  /** Within the span of its caller, if there is one. */
  get #traced(): Effect.Effect<unknown, unknown, Scope.Scope> {
    if (this.#span === null) return this.#performed
    return Span.within(Span.ofRun(`Actor.${this.#method}`, this.#performed), Span.fromText(this.#span))
  }

  get #performed(): Effect.Effect<unknown, unknown, Scope.Scope> {
    const { codecsOf, handlers, methods } = this.#host.hosted
    return Effect.suspend(() =>
      Effect.flatMap(Effect.orDie(codecsOf(this.#method).payload.decode(this.#payload)), (payload) => {
        const [handler, method] = [handlers[this.#method]!, methods[this.#method]!]
        if (!method.streams) {
          const effect = handler(payload)
          return Effect.isEffect(effect) ? dieOfUndeclared(effect, method) : noEffect(this.#shown, effect, "an Effect")
        }
        // The contract of the method types the codec of its payload.
        const { out, payload: given } = payload as Streaming
        const elements = handler(given)
        if (!Stream.isStream(elements)) return noEffect(this.#shown, elements, "a Stream")
        return dieOfUndeclared(Stream.runForEachArray(elements, (elements) => this.#send(out, elements)), method)
      })
    )
  }

  /** Sends elements of a stream. The queue that they go through is known to nobody. */
  #send(
    out: Streaming["out"],
    elements: Arr.NonEmptyReadonlyArray<unknown>
  ): Effect.Effect<void, ManagerError> {
    const object = this.#host.hosted.remote.target.description
    return Effect.catchReasons(offer(out, elements), "ManagerError", {
      ValueNotEncoded: ({ issue }) =>
        Effect.die(new Error(`an element of ${this.#shown} was refused: it does not match its schema: ${issue}`)),
      LimitExceeded: ({ limit, max }) =>
        Effect.fail(new ManagerError({ reason: new LimitExceeded({ object, operation: this.#method, limit, max }) }))
    })
  }

  #answer(exit: Exit.Exit<unknown, unknown>): void {
    const { codecsOf, remote } = this.#host.hosted
    this.#isAnswered = true
    if (this.#isLost) return
    if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) {
      return remote.tell("answer", [this.#id, "died", null])
    }
    const { failure, success } = codecsOf(this.#method)
    const encoded = Exit.isSuccess(exit) ? success.encode(exit.value) : failure.encode(exit.cause)
    if (Exit.isFailure(encoded)) return this.#refuse(refusal(mismatch(encoded.cause), exit))
    const how = Exit.isSuccess(exit) ? "done" : "failed"
    // It may be too large, or there is no caller any more.
    this.isReplaced = this.#host.answer(this.#id, how, encoded.value, (issue) => this.#refuse(refusal(issue, exit)))
  }

  /** Ends the call with a defect. Frames may be so small that not all of the issue fits into one. */
  #refuse(issue: string): void {
    const { remote } = this.#host.hosted
    remote.tell("answer", [this.#id, "refused", issue], () => remote.tell("answer", [this.#id, "refused", kept(issue)]))
  }

  get #shown(): string {
    return `${this.#method} of ${this.#host.hosted.remote.target.description}`
  }
}

/** Why a result, or an error, is not sent; with the error, of which else nobody would hear. */
const refusal = (issue: string, exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit) ? issue : `${issue}\nThe handler has failed with: ${beginningOf(exit.cause)}`

const mismatch = (cause: Cause.Cause<Schema.SchemaError>): string =>
  `it does not match its schema: ${beginningOf(cause)}`

/** Sends elements of a stream in groups. */
const offer = (
  out: Streaming["out"],
  elements: Arr.NonEmptyReadonlyArray<unknown>
): Effect.Effect<void, ManagerError> =>
  elements.length <= groupMax
    ? offerGroup(out, elements)
    : Effect.forEach(Arr.chunksOf(elements, groupMax), (group) => offerGroup(out, group), { discard: true })

/** Elements that are too large to travel together are sent one by one. */
const offerGroup = (out: Streaming["out"], group: ReadonlyArray<unknown>): Effect.Effect<void, ManagerError> =>
  out.offer(group).pipe(
    // The reader has gone, and the interruption of this handler is on its way.
    Effect.catchTag("QueueClosed", () => Effect.interrupt),
    Effect.catchReason("ManagerError", "LimitExceeded", (_, error) =>
      group.length === 1
        ? Effect.fail(error)
        : Effect.forEach(group, (element) => offerGroup(out, [element]), { discard: true }))
  )
