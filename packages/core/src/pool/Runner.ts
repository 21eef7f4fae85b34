/**
 * The worker's end of a pool: it runs one job at a time, in the order in which they arrive.
 *
 * The dispatcher receives `Started` before the job runs. So it knows of each job of a dead worker whether the job may
 * have run. A job that waits can be withdrawn whenever the running job lets go of the thread.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { SchedulerDispatcher } from "effect/Scheduler"
import * as Scope from "effect/Scope"
import { type Cell, cell } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import { Reader } from "../protocol/Bytes.ts"
import type { Manager } from "../proxy/Manager.ts"
import type { Runnable } from "../TaskGroup.ts"
import * as Span from "../tracing/Span.ts"
import type { Link } from "../transport/Link.ts"
import { type Codecs, encode, type Encoded, type Mismatch, tooLarge } from "./Codecs.ts"
import * as HandleCarrier from "./HandleCarrier.ts"
import {
  type FromDispatcher,
  MessageWriter,
  type Outcome,
  type Parcel,
  readFromDispatcher,
  textLengthMax
} from "./Message.ts"
import type { JobId } from "./SchedulerState.ts"

/** A task that a worker can run. */
export interface Served extends Runnable {
  readonly codecs: Codecs
}

type Run = Extract<FromDispatcher, { readonly _tag: "Run" }>

/** Short jobs run one after the other for this long, then messages are read. */
const turnNanos = 1_000_000n

const nothing: Parcel = { _tag: "Text", text: "" }

/** Runs the jobs of a dispatcher. */
export class Runner {
  readonly #served: ReadonlyArray<Served>
  readonly #link: Link
  readonly #context: Context.Context<Manager>
  readonly #clock: Clock.Clock
  readonly #eventLoop: SchedulerDispatcher
  readonly #writer = new MessageWriter()
  /** The jobs that have not started, in order. */
  readonly #waiting = new Map<JobId, Run>()
  /** The carriers of results, until the dispatcher has read them. */
  readonly #carriers = new Map<JobId, Scope.Closeable>()
  #running: { readonly job: JobId; readonly fiber: Fiber.Fiber<Outcome> } | undefined
  #turnEnds = 0n
  #isTurnScheduled = false
  #isClosing = false

  constructor(
    served: ReadonlyArray<Served>,
    link: Link,
    context: Context.Context<Manager>,
    clock: Clock.Clock,
    eventLoop: SchedulerDispatcher
  ) {
    this.#served = served
    this.#link = link
    this.#context = context
    this.#clock = clock
    this.#eventLoop = eventLoop
  }

  /** Tells the dispatcher that it can send jobs. */
  ready(): void {
    this.#writer.ready()
    this.#flush()
  }

  /** Reads one frame. False: it is not of this protocol. */
  readonly onFrame = (frame: Uint8Array): boolean => {
    const reader = new Reader(frame)
    while (!reader.done) {
      const message = readFromDispatcher(reader)
      if (message === undefined || reader.malformed) return false
      this.#receive(message)
    }
    return true
  }

  /** Every frame that arrived in this turn has been read. */
  readonly onTurnEnd = (): void => {
    this.#turn()
  }

  /** Every message has left this process: the next job may start. */
  readonly onDrain = (): void => {
    this.#turn()
  }

  /**
   * Interrupts the running job, and removes the carriers. A job that is interrupted so reports no outcome: the
   * dispatcher knows why its worker ends, and the task does not.
   */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.#isClosing = true
    this.#waiting.clear()
    const ended = this.#running === undefined ? Effect.void : Fiber.interrupt(this.#running.fiber)
    const carriers = [...this.#carriers.values()]
    return Effect.andThen(ended, Effect.forEach(carriers, (scope) => Scope.close(scope, Exit.void), { discard: true }))
  })

  #receive(message: FromDispatcher): void {
    switch (message._tag) {
      case "Run":
        this.#waiting.set(message.job, message)
        return
      case "Withdraw":
        if (this.#waiting.delete(message.job)) this.#writer.returned(message.job)
        else if (message.interrupt && this.#running?.job === message.job) this.#running.fiber.interruptUnsafe()
        return
      case "Forget":
        if (this.#carriers.has(message.job)) this.#fork(this.#forget(message.job))
    }
  }

  /** Removes the carrier of a job's result, if it has one. */
  #forget(job: JobId): Effect.Effect<void> {
    return Effect.suspend(() => {
      const scope = this.#carriers.get(job)
      this.#carriers.delete(job)
      return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
    })
  }

  #turn(): void {
    this.#turnEnds = this.#clock.monotonicTimeNanosUnsafe() + turnNanos
    while (this.#running === undefined && this.#waiting.size > 0) {
      // `Started` and the results before it must have left this process before the next job starts.
      if (this.#link.pendingBytes() > 0) return
      if (this.#clock.monotonicTimeNanosUnsafe() > this.#turnEnds) {
        this.#flush()
        return this.#scheduleTurn()
      }
      for (const run of this.#waiting.values()) {
        this.#waiting.delete(run.job)
        this.#start(run)
        break
      }
    }
    this.#flush()
  }

  /** Continues after what the event loop has received meanwhile. */
  #scheduleTurn(): void {
    if (this.#isTurnScheduled) return
    this.#isTurnScheduled = true
    this.#eventLoop.scheduleTask(() => {
      this.#isTurnScheduled = false
      this.#turn()
    }, 0)
  }

  #start(run: Run): void {
    const { job, task } = run
    this.#writer.started(job)
    this.#flush()
    const began = this.#clock.monotonicTimeNanosUnsafe()
    const fiber = this.#fork(this.#outcome(run))
    const end = (exit: Exit.Exit<Outcome>): void => {
      const micros = Number(this.#clock.monotonicTimeNanosUnsafe() - began) / 1_000
      this.#writer.done(job, micros, Exit.isSuccess(exit) ? exit.value : this.#ended(task, exit.cause))
    }
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return end(exit)
    this.#running = { job, fiber }
    fiber.addObserver((exit) => {
      this.#running = undefined
      if (!this.#isClosing || Exit.isSuccess(exit)) end(exit)
      this.#turn()
    })
  }

  /** What ends a fiber without an outcome: an interruption, or what no effect can catch. */
  #ended(task: number, cause: Cause.Cause<never>): Outcome {
    const { codecs, task: { tag } } = this.#served[task]!
    const encoded = Cause.hasDies(cause) ? encode(codecs, tag, Exit.die(Cause.squash(cause))) : undefined
    return encoded === undefined || Exit.isFailure(encoded)
      ? { _tag: "Interrupted", parcel: nothing }
      : { _tag: "Failure", parcel: { _tag: "Text", text: encoded.value.cell.text } }
  }

  #fork<A>(effect: Effect.Effect<A, never, Manager>): Fiber.Fiber<A> {
    return Effect.runForkWith(this.#context)(effect)
  }

  /** Runs a job in a scope of its own, which ends when its results are packed. Every failure is an outcome. */
  #outcome({ attempt, caller, job, parcel, task }: Run): Effect.Effect<Outcome, never, Manager> {
    const { codecs, run, task: { tag } } = this.#served[task]!
    const perform = (encoded: Cell) =>
      Effect.flatMap(
        Effect.orDie(codecs.payloads.decode(encoded)),
        (payloads) =>
          payloads.length === 1
            ? Effect.map(run(payloads[0], { attempt }), (value) => [value])
            : Effect.forEach(payloads, (payload) => run(payload, { attempt }))
      )
    const values = parcel._tag === "Text"
      ? perform(cell(parcel.text))
      : Effect.acquireUseRelease(
        Effect.orDie(HandleCarrier.read(parcel.object, `the payload of ${tag}`)),
        perform,
        HandleCarrier.dropHandles
      )
    const pack = (
      exit: Exit.Exit<ReadonlyArray<unknown>, unknown>
    ): Effect.Effect<Outcome, Mismatch | ManagerError, Manager> =>
      Effect.flatMap(
        encode(codecs, tag, exit),
        (encoded) =>
          Exit.isFailure(exit) && encoded.cell.text.length > textLengthMax
            ? pack(Exit.die(tooLarge(tag, `${textLengthMax} characters`, exit.cause)))
            : this.#pack(job, encoded)
      )
    const packDefect = (defect: unknown) => Effect.andThen(this.#forget(job), pack(Exit.die(defect)))
    return Effect.scoped(Effect.flatMap(Effect.exit(Span.within(values, caller)), pack)).pipe(
      // It does not match its schema, the manager took no carrier, or a finalizer has failed. A defect always encodes.
      Effect.catch(packDefect),
      Effect.catchDefect(packDefect),
      Effect.orDie
    )
  }

  /** Packs encoded results or failures into an outcome. */
  #pack(job: JobId, { _tag, cell }: Encoded): Effect.Effect<Outcome, ManagerError, Manager> {
    if (cell.text.length > textLengthMax) {
      return Exit.succeed({ _tag: "TooLarge", parcel: { _tag: "Text", text: String(cell.text.length) } })
    }
    if (cell.handles.length === 0) return Exit.succeed({ _tag, parcel: { _tag: "Text", text: cell.text } })
    const scope = Scope.makeUnsafe()
    this.#carriers.set(job, scope)
    return Effect.map(Scope.provide(HandleCarrier.make(cell), scope), (object) => ({
      _tag,
      parcel: { _tag: "Carrier", object }
    }))
  }

  #flush(): void {
    if (!this.#writer.isEmpty) this.#link.send(this.#writer.take())
  }
}
