/**
 * The program's end of a pool: calls that wait, and links to the workers. Who runs what is decided by the `Scheduler`; what
 * a worker says is read in the turn in which it arrives, and resumes the fibers then and there.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { SchedulerDispatcher } from "effect/Scheduler"
import type * as Schema from "effect/Schema"
import { type Cell, cell } from "../engine/Value.ts"
import { ManagerError, ValueNotEncoded } from "../ManagerError.ts"
import { Reader } from "../protocol/Bytes.ts"
import type { Manager } from "../proxy/Manager.ts"
import type { Link } from "../transport/Link.ts"
import { Call } from "./Call.ts"
import type { Codecs } from "./Codecs.ts"
import * as HandleCarrier from "./HandleCarrier.ts"
import {
  flushBytes,
  type FromWorker,
  MessageWriter,
  type Outcome,
  type Parcel,
  readFromWorker,
  textLengthMax
} from "./Message.ts"
import { PoolStopped, TooLarge, WorkerCrashed } from "./PoolError.ts"
import type { PoolStats } from "./PoolStats.ts"
import { type EndedWithoutResult, Scheduler, Worker } from "./Scheduler.ts"
import { TaskTimes } from "./TaskTimes.ts"

/** How a worker ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: string | null
  readonly lastLines: ReadonlyArray<string>
}

/** A worker with its link. */
export class WorkerProcess extends Worker {
  readonly name: string
  readonly pid: number
  readonly link: Link
  readonly kill: Effect.Effect<void>
  readonly writer = new MessageWriter()
  ending: Ending | undefined = undefined
  onReady: () => void = () => {}

  constructor(name: string, pid: number, link: Link, kill: Effect.Effect<void>) {
    super()
    this.name = name
    this.pid = pid
    this.link = link
    this.kill = kill
  }
}

/** A task of a pool's group. */
export interface PooledTask {
  readonly tag: string
  readonly codecs: Codecs
}

/** What a dispatcher needs, and where it reports to. */
export interface DispatcherOptions {
  readonly name: string
  readonly tasks: ReadonlyArray<PooledTask>
  readonly graceMs: number
  readonly context: Context.Context<Manager>
  readonly clock: Clock.Clock
  readonly eventLoop: SchedulerDispatcher
  readonly stats: PoolStats
}

/** The calls and workers of a pool. */
export class Dispatcher {
  readonly taskTimes = new TaskTimes()
  readonly #options: DispatcherOptions
  readonly #scheduler: Scheduler<Call, WorkerProcess>
  readonly #written = new Set<WorkerProcess>()
  #scheduled = false
  #ids = 0
  #stopped: string | undefined

  constructor(options: DispatcherOptions) {
    this.#options = options
    const { clock, context, graceMs } = options
    const fork = Effect.runForkWith(context)
    this.#scheduler = new Scheduler(this.taskTimes, {
      run: (worker, call) => {
        worker.writer.run(call.id, call.position, call.attempt, call.parcel)
        this.#wrote(worker)
      },
      withdraw: (worker, call, interrupt) => {
        worker.writer.withdraw(call.id, interrupt)
        this.#wrote(worker)
      },
      startGrace: (call) => {
        call.grace?.interruptUnsafe()
        call.grace = fork(
          Effect.sleep(graceMs).pipe(
            // What the worker has said while this process was busy is heard before it counts as silent.
            Effect.andThen(Effect.repeat(Effect.yieldNow, { times: 4 })),
            Effect.andThen(Effect.sync(() => this.#scheduler.expired(call)))
          )
        )
      },
      kill: (worker, { task }) => {
        const { name, pid } = worker
        options.stats.publish({ _tag: "WorkerKilled", worker: name, pid, task })
        fork(worker.kill)
      },
      end: (call, how, worker) => this.#end(call, how, worker),
      nowMs: () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    })
  }

  /** Why it takes no more calls; undefined: it does. */
  get stopped(): string | undefined {
    return this.#stopped
  }

  /**
   * Runs a task on payloads, one after the other, in one worker. An interruption ends when the task has: it is
   * interrupted, and after the grace its worker is killed.
   */
  run(
    position: number,
    payloads: ReadonlyArray<unknown>,
    attempt: number
  ): Effect.Effect<ReadonlyArray<unknown>, unknown> {
    return Effect.callback<ReadonlyArray<unknown>, unknown>((resume) => {
      const { codecs, tag } = this.#options.tasks[position]!
      const encoded = codecs.payloads.encode(payloads)
      if (Exit.isFailure(encoded)) return resume(this.#notEncoded(tag, encoded.cause))
      const { handles, text } = encoded.value
      if (text.length > textLengthMax) {
        return resume(Exit.fail(new TooLarge({ task: tag, what: "payload", length: text.length, max: textLengthMax })))
      }
      if (handles.length === 0) {
        return this.#submit(position, payloads.length, attempt, { _tag: "Text", text }, resume)
      }
      const carried = Effect.flatMap(
        HandleCarrier.make(encoded.value),
        (object) =>
          Effect.callback<ReadonlyArray<unknown>, unknown>((resume) =>
            this.#submit(position, payloads.length, attempt, { _tag: "Carrier", object }, resume)
          )
      )
      resume(Effect.provideContext(Effect.scoped(carried), this.#options.context))
    })
  }

  #notEncoded(operation: string, cause: Cause.Cause<Schema.SchemaError>): Exit.Exit<never, ManagerError> {
    return Exit.mapError(
      Exit.failCause(cause),
      ({ message: issue }) =>
        new ManagerError({ reason: new ValueNotEncoded({ object: this.#options.name, operation, issue }) })
    )
  }

  /** Answers what its interruption does. */
  #submit(
    position: number,
    payloads: number,
    attempt: number,
    parcel: Parcel,
    resume: (effect: Effect.Effect<ReadonlyArray<unknown>, unknown>) => void
  ): Effect.Effect<void> | undefined {
    const { stats, tasks } = this.#options
    const { tag } = tasks[position]!
    if (this.#stopped !== undefined) {
      resume(Exit.fail(this.#poolStopped(tag, false)))
      return undefined
    }
    const call = new Call(++this.#ids, position, tag, payloads, attempt, parcel, resume)
    stats.accepted(payloads, attempt, tag)
    this.#scheduler.submit(call)
    return this.#cancel(call)
  }

  #cancel(call: Call): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      call.onSettled = () => resume(Effect.void)
      this.#scheduler.cancel(call)
      if (!call.cancelled) resume(Effect.void)
    })
  }

  #end(call: Call, how: EndedWithoutResult, worker: WorkerProcess | undefined): void {
    const { stats } = this.#options
    const { attempt, payloads, task } = call
    this.#soon()
    if (how === "Crashed") {
      const { ending, name, pid } = worker!
      const { code, lastLines, signal } = ending!
      stats.ended(payloads, "failed")
      return call.settle(Exit.fail(new WorkerCrashed({ task, worker: name, pid, code, signal, attempt, lastLines })))
    }
    stats.ended(payloads, "cancelled")
    call.settle(Exit.fail(this.#poolStopped(task, worker !== undefined)))
  }

  #poolStopped(task: string, started: boolean): PoolStopped {
    return new PoolStopped({ pool: this.#options.name, task, why: this.#stopped ?? "", started })
  }

  /** No more calls: those that no worker has end now, the others with their workers. */
  stop(why: string): void {
    if (this.#stopped !== undefined) return
    this.#stopped = why
    this.#scheduler.stop()
  }

  // ---------------------------------------------------------------------------------------------------------------
  // workers
  // ---------------------------------------------------------------------------------------------------------------

  /** A worker has ended, and all that it had said has been heard. */
  gone(worker: WorkerProcess, ending: Ending): void {
    worker.ending = ending
    this.#written.delete(worker)
    this.#scheduler.gone(worker)
    this.turnEnded()
  }

  /** Reads one frame of a worker; false if it is not of this protocol. */
  heard(worker: WorkerProcess, frame: Uint8Array): boolean {
    const reader = new Reader(frame)
    while (!reader.done) {
      const message = readFromWorker(reader)
      if (message === undefined || reader.malformed) return false
      this.#hear(worker, message)
    }
    return true
  }

  /** Sends what the fibers that were resumed in this turn have asked for. */
  turnEnded(): void {
    this.#flush()
    this.#options.stats.tell()
  }

  #hear(worker: WorkerProcess, message: FromWorker): void {
    if (message._tag === "Ready") {
      worker.onReady()
      return this.#scheduler.add(worker)
    }
    const call = callOf(worker, message.job)
    if (call === undefined) return
    switch (message._tag) {
      case "Started":
        return this.#scheduler.started(worker, call)
      case "Returned":
        return this.#scheduler.returned(worker, call)
      case "Done":
        return message.outcome.parcel._tag === "Text"
          ? this.#done(worker, call, message.micros, message.outcome, cell(message.outcome.parcel.text))
          : this.#fetch(worker, call, message.micros, message.outcome, message.outcome.parcel.object)
    }
  }

  /** Fetches a result that is in a carrier; the call has not ended before that. */
  #fetch(worker: WorkerProcess, call: Call, micros: number, outcome: Outcome, object: number): void {
    Effect.runForkWith(this.#options.context)(HandleCarrier.read(object, `the result of ${call.task}`))
      .addObserver((read) => {
        worker.writer.forget(call.id)
        this.#wrote(worker)
        // Its worker has died: the call has ended with it.
        if (call.worker !== worker) return
        if (Exit.isSuccess(read)) this.#done(worker, call, micros, outcome, read.value)
        else this.#settle(worker, call, micros, Exit.failCause(read.cause))
      })
  }

  #done(
    worker: WorkerProcess,
    call: Call,
    micros: number,
    { _tag }: Outcome,
    result: Cell
  ): void {
    const { codecs } = this.#options.tasks[call.position]!
    const exit = (): Exit.Exit<ReadonlyArray<unknown>, unknown> => {
      switch (_tag) {
        case "Values":
          // The worker has the same schemas: what does not decode is a mistake of the program.
          return orDie(codecs.values.decode(result))
        case "Failure":
          return flatten(orDie(codecs.failure.decode(result)))
        case "Interrupted":
          return Exit.failCause(Cause.interrupt())
        case "TooLarge":
          return Exit.fail(
            new TooLarge({ task: call.task, what: "result", length: Number(result.text), max: textLengthMax })
          )
      }
    }
    this.#settle(worker, call, micros, call.cancelled ? Exit.succeed([]) : exit())
  }

  #settle(worker: WorkerProcess, call: Call, micros: number, exit: Exit.Exit<ReadonlyArray<unknown>, unknown>): void {
    if (!this.#scheduler.done(worker, call, micros)) return
    this.#options.stats.ended(call.payloads, call.cancelled ? "cancelled" : Exit.isSuccess(exit) ? "done" : "failed")
    call.settle(exit)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // sending
  // ---------------------------------------------------------------------------------------------------------------

  #wrote(worker: WorkerProcess): void {
    if (worker.writer.bytes >= flushBytes) return worker.link.send(worker.writer.take())
    this.#written.add(worker)
    this.#soon()
  }

  /** At the end of this turn. */
  #soon(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#options.eventLoop.scheduleTask(() => {
      this.#scheduled = false
      this.turnEnded()
    }, 0)
  }

  #flush(): void {
    for (const { link, writer } of this.#written) if (!writer.isEmpty) link.send(writer.take())
    this.#written.clear()
  }
}

const orDie = <A>(exit: Exit.Exit<A, unknown>): Exit.Exit<A> =>
  Exit.isSuccess(exit) ? Exit.succeed(exit.value) : Exit.die(Cause.squash(exit.cause))

const flatten = (exit: Exit.Exit<Cause.Cause<unknown>>): Exit.Exit<never, unknown> =>
  Exit.failCause(Exit.isSuccess(exit) ? exit.value : exit.cause)

/** A call that a worker has, by its id. Workers are given calls only. */
const callOf = (worker: WorkerProcess, id: number): Call | undefined =>
  worker.jobs.find((job) => (job as Call).id === id) as Call | undefined
