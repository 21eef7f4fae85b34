/**
 * A worker's end of a pool: runs one job at a time, in the order in which they came.
 *
 * That a job starts is in the dispatcher's hands before it does: so the dispatcher knows of each job of a worker that has died
 * whether it may have run. What was sent and has not started can be withdrawn whenever the running job lets go of the
 * thread.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { SchedulerDispatcher } from "effect/Scheduler"
import type * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { type Cell, cell, type TextCell } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import { Reader } from "../protocol/Bytes.ts"
import type { Manager } from "../proxy/Manager.ts"
import type { Runnable } from "../TaskGroup.ts"
import type { Link } from "../transport/Link.ts"
import type { Codecs } from "./Codecs.ts"
import * as HandleCarrier from "./HandleCarrier.ts"
import {
  type FromDispatcher,
  MessageWriter,
  type Outcome,
  type Parcel,
  readFromDispatcher,
  textLengthMax
} from "./Message.ts"

/** A task that a worker can run. */
export interface Served extends Runnable {
  readonly codecs: Codecs
}

type Run = Extract<FromDispatcher, { readonly _tag: "Run" }>

/** Short jobs are run one after the other for this long before the dispatcher is listened to again. */
const turnNanos = 1_000_000n

const nothing: Parcel = { _tag: "Text", text: "" }

/** Runs what a dispatcher sends. */
export class Runner {
  readonly #served: ReadonlyArray<Served>
  readonly #link: Link
  readonly #context: Context.Context<Manager>
  readonly #clock: Clock.Clock
  readonly #eventLoop: SchedulerDispatcher
  readonly #writer = new MessageWriter()
  readonly #waiting = new Map<number, Run>()
  /** Results by reference, until the dispatcher has fetched them. */
  readonly #carriers = new Map<number, Scope.Closeable>()
  #running: { readonly job: number; readonly fiber: Fiber.Fiber<Outcome> } | undefined
  #turnEnds = 0n
  #scheduled = false
  #closing = false

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

  /** Tells the dispatcher that jobs may come. */
  ready(): void {
    this.#writer.ready()
    this.#flush()
  }

  /** Reads one frame; false if it is not of this protocol. */
  readonly onFrame = (frame: Uint8Array): boolean => {
    const reader = new Reader(frame)
    while (!reader.done) {
      const message = readFromDispatcher(reader)
      if (message === undefined || reader.malformed) return false
      this.#hear(message)
    }
    return true
  }

  /** Every frame that arrived in this turn has been read. */
  readonly onTurnEnd = (): void => {
    this.#turn()
  }

  /** What was said is in the owner's hands: the next job may start. */
  readonly onDrain = (): void => {
    this.#turn()
  }

  /**
   * Interrupts what runs, and takes back what is lent. The dispatcher is told results only: that a task was interrupted is
   * not its own doing, and the dispatcher knows better why its worker ends.
   */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.#closing = true
    this.#waiting.clear()
    const ended = this.#running === undefined ? Effect.void : Fiber.interrupt(this.#running.fiber)
    const carriers = [...this.#carriers.values()]
    return Effect.andThen(ended, Effect.forEach(carriers, (scope) => Scope.close(scope, Exit.void), { discard: true }))
  })

  #hear(message: FromDispatcher): void {
    switch (message._tag) {
      case "Run":
        this.#waiting.set(message.job, message)
        return
      case "Withdraw":
        if (this.#waiting.delete(message.job)) this.#writer.returned(message.job)
        else if (message.interrupt && this.#running?.job === message.job) this.#running.fiber.interruptUnsafe()
        return
      case "Forget": {
        const scope = this.#carriers.get(message.job)
        this.#carriers.delete(message.job)
        if (scope !== undefined) this.#fork(Scope.close(scope, Exit.void))
      }
    }
  }

  #turn(): void {
    this.#turnEnds = this.#clock.monotonicTimeNanosUnsafe() + turnNanos
    while (this.#running === undefined && this.#waiting.size > 0) {
      // What has been said must be in the dispatcher's hands before the next one starts.
      if (this.#link.pendingBytes() > 0) return
      if (this.#clock.monotonicTimeNanosUnsafe() > this.#turnEnds) {
        this.#flush()
        return this.#later()
      }
      for (const run of this.#waiting.values()) {
        this.#waiting.delete(run.job)
        this.#start(run)
        break
      }
    }
    this.#flush()
  }

  #later(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#eventLoop.scheduleTask(() => {
      this.#scheduled = false
      this.#turn()
    }, 0)
  }

  #start(run: Run): void {
    const { job } = run
    this.#writer.started(job)
    this.#flush()
    const began = this.#clock.monotonicTimeNanosUnsafe()
    const fiber = this.#fork(this.#outcome(run))
    const end = (exit: Exit.Exit<Outcome>): void => {
      const micros = Number(this.#clock.monotonicTimeNanosUnsafe() - began) / 1_000
      this.#writer.done(job, micros, Exit.isSuccess(exit) ? exit.value : { _tag: "Interrupted", parcel: nothing })
    }
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return end(exit)
    this.#running = { job, fiber }
    fiber.addObserver((exit) => {
      this.#running = undefined
      if (!this.#closing || Exit.isSuccess(exit)) end(exit)
      this.#turn()
    })
  }

  #fork<A>(effect: Effect.Effect<A, never, Manager>): Fiber.Fiber<A> {
    return Effect.runForkWith(this.#context)(effect)
  }

  /** Runs a job: everything that can go wrong is an outcome. */
  #outcome({ attempt, job, parcel, task }: Run): Effect.Effect<Outcome, never, Manager> {
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
    return values.pipe(
      Effect.flatMap((values) =>
        this.#pack(job, "Values", unlessMismatch("result", tag, codecs.values.encode(values)))
      ),
      Effect.catchCause((cause) => {
        const encoded = unlessMismatch("error", tag, codecs.failure.encode(cause))
        // A defect is always encoded, in some way.
        return this.#pack(job, "Failure", Exit.isFailure(encoded) ? codecs.failure.encode(encoded.cause) : encoded)
      }),
      Effect.orDie
    )
  }

  /** What came of a job, as it travels. */
  #pack<E>(
    job: number,
    tag: "Values" | "Failure",
    encoded: Exit.Exit<TextCell, E>
  ): Effect.Effect<Outcome, E | ManagerError, Manager> {
    return Effect.flatMapEager(encoded, (cell): Effect.Effect<Outcome, ManagerError, Manager> => {
      if (cell.text.length > textLengthMax) {
        return Exit.succeed({ _tag: "TooLarge", parcel: { _tag: "Text", text: String(cell.text.length) } })
      }
      if (cell.handles.length === 0) return Exit.succeed({ _tag: tag, parcel: { _tag: "Text", text: cell.text } })
      const scope = Scope.makeUnsafe()
      this.#carriers.set(job, scope)
      return Effect.map(Scope.provide(HandleCarrier.make(cell), scope), (object) => ({
        _tag: tag,
        parcel: { _tag: "Carrier", object }
      }))
    })
  }

  #flush(): void {
    if (!this.#writer.isEmpty) this.#link.send(this.#writer.take())
  }
}

/** A value that does not match its schema is a mistake of the program. */
const unlessMismatch = (
  what: "result" | "error",
  task: string,
  encoded: Exit.Exit<TextCell, Schema.SchemaError>
): Exit.Exit<TextCell> =>
  Exit.isSuccess(encoded)
    ? Exit.succeed(encoded.value)
    : Exit.die(new Error(`the ${what} of ${task} does not match its schema: ${Cause.pretty(encoded.cause)}`))
