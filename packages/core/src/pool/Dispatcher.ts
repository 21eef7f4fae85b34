/**
 * The program's end of a pool: the calls that wait, and the worker processes. It tells the `Scheduler` what happens, and
 * carries out its commands. It reads a worker's message in the turn of the event loop in which it arrives, and resumes
 * the call's fiber in that turn.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type { SchedulerDispatcher } from "effect/Scheduler"
import type * as Schema from "effect/Schema"
import { HandleOwner } from "../client/Received.ts"
import { type Cell, cell, type ObjectId } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import { Reader } from "../protocol/Bytes.ts"
import type { Manager } from "../proxy/Manager.ts"
import { unsent } from "../proxy/unsent.ts"
import * as Span from "../tracing/Span.ts"
import { Call } from "./Call.ts"
import type { Codecs } from "./Codecs.ts"
import * as HandleCarrier from "./HandleCarrier.ts"
import { flushBytes, type FromWorker, type Parcel, readFromWorker, textLengthMax } from "./Message.ts"
import { PoolStopped, TooLarge, WorkerCrashed } from "./PoolError.ts"
import type { PoolStats } from "./PoolStats.ts"
import { type Command, type Ending, type Event, Scheduler } from "./Scheduler.ts"
import { type Job, type JobId, makeJob, type WorkerId } from "./SchedulerState.ts"
import type { TaskTimes } from "./TaskTimes.ts"
import type { ProcessEnd, WorkerProcess } from "./WorkerProcess.ts"

/** A task of a pool's group. */
export interface PooledTask {
  readonly tag: string
  readonly codecs: Codecs
}

/** What a dispatcher is made with. */
export interface DispatcherOptions {
  /** The pool's name. */
  readonly name: string
  readonly tasks: ReadonlyArray<PooledTask>
  readonly graceMs: number
  readonly context: Context.Context<Manager>
  readonly clock: Clock.Clock
  readonly eventLoop: SchedulerDispatcher
  readonly stats: PoolStats
}

/** The calls and the workers of a pool. */
export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #fork: <A, E>(effect: Effect.Effect<A, E, Manager>) => Fiber.Fiber<A, E>
  readonly #scheduler = new Scheduler<Call>()
  /** The workers that are ready. */
  readonly #workers = new Map<WorkerId, WorkerProcess>()
  /** The workers that have messages to be sent. */
  readonly #written = new Set<WorkerProcess>()
  #lastJob: JobId = 0
  #lastWorker: WorkerId = 0
  #isCarryingOut = false
  /** A step has thrown: the state can no longer be trusted. */
  #isBroken = false
  #isFlushScheduled = false
  #stopped: string | undefined

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#fork = Effect.runForkWith(options.context)
  }

  /** Why it takes no more calls. Undefined: it takes calls. */
  get stopped(): string | undefined {
    return this.#stopped
  }

  /** The run times of the tasks. */
  get taskTimes(): TaskTimes {
    return this.#scheduler.state.taskTimes
  }

  // ---------------------------------------------------------------------------------------------------------------
  // calls
  // ---------------------------------------------------------------------------------------------------------------

  /**
   * Runs a task on payloads, one after the other, in one worker. Interruption ends when the task has ended: the task is
   * interrupted, and its worker is killed when the grace is over.
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
    return Exit.mapError(Exit.failCause(cause), (error) => unsent({ object: this.#options.name, operation }, error))
  }

  /** Returns the effect of an interruption. */
  #submit(
    position: number,
    payloads: number,
    attempt: number,
    parcel: Parcel,
    resume: (effect: Effect.Effect<ReadonlyArray<unknown>, unknown>) => void
  ): Effect.Effect<void> | undefined {
    const { stats, tasks } = this.#options
    const { tag: task } = tasks[position]!
    if (this.#stopped !== undefined) {
      resume(Exit.fail(this.#poolStopped(task, false)))
      return undefined
    }
    const bytes = parcel._tag === "Text" ? parcel.text.length : 0
    const job = makeJob(++this.#lastJob, task, payloads, bytes, new Call(task, position, attempt, parcel, resume))
    stats.accepted(payloads, attempt, task)
    this.#step({ _tag: "Submitted", job })
    return this.#cancel(job)
  }

  #cancel(job: Job<Call>): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      // The fiber of a call that ended as interrupted comes here, too.
      if (job.call.isEnded) return resume(Effect.void)
      job.call.onEnded = () => resume(Effect.void)
      this.#step({ _tag: "Cancelled", job })
    })
  }

  #poolStopped(task: string, started: boolean): PoolStopped {
    return new PoolStopped({ pool: this.#options.name, task, why: this.#stopped ?? "", started })
  }

  /**
   * Stops because of a defect of its own: it is logged once, and every call fails. `event` is the one that was being
   * worked on.
   */
  fail(defect: unknown, event?: Event<Call>): void {
    if (this.#isBroken) return
    this.#isBroken = true
    this.#stopped = `a defect of this pool has ended it (${defect}); the log has its stack`
    this.#fork(Effect.logError(`a defect of the pool ${this.#options.name}: all its calls fail`, Cause.die(defect)))
    const { commands, state: { queue, workers } } = this.#scheduler
    const jobs = new Set<Job<Call>>()
    if (event !== undefined && "job" in event) jobs.add(event.job)
    for (const { job } of commands) jobs.add(job)
    for (const list of [queue, ...Array.from(workers.values(), ({ jobs }) => jobs)]) {
      for (let job = list.head; job !== undefined; job = job.next) jobs.add(job)
    }
    for (const { call, started, task } of jobs) {
      call.grace?.interruptUnsafe()
      if (!call.isEnded) call.end(Exit.fail(this.#poolStopped(task, started)))
    }
  }

  /** Takes no more calls. Those that no worker has end now, the others with their workers. */
  stop(why: string): void {
    if (this.#stopped !== undefined) return
    this.#stopped = why
    this.#step({ _tag: "Stopped" })
  }

  // ---------------------------------------------------------------------------------------------------------------
  // workers
  // ---------------------------------------------------------------------------------------------------------------

  /** Reads one frame of a worker. False: it is not of this protocol. */
  receive(worker: WorkerProcess, frame: Uint8Array): boolean {
    const reader = new Reader(frame)
    while (!reader.done) {
      const message = readFromWorker(reader)
      if (message === undefined || reader.malformed) return false
      this.#receive(worker, message)
    }
    return true
  }

  #receive(worker: WorkerProcess, message: FromWorker): void {
    if (message._tag === "Ready") {
      worker.id = ++this.#lastWorker
      this.#workers.set(worker.id, worker)
      worker.onReady()
      return this.#step({ _tag: "WorkerReady", worker: worker.id })
    }
    const job = this.#scheduler.find(worker.id, message.job)
    if (job === undefined) return
    switch (message._tag) {
      case "Started":
      case "Returned":
        return this.#step({ _tag: message._tag, job })
      case "Done": {
        const { micros, outcome: { _tag, parcel } } = message
        job.call.outcome = _tag
        return parcel._tag === "Text"
          ? this.#finished(job, micros, Exit.succeed(cell(parcel.text)))
          : this.#fetch(worker, job, micros, parcel.object)
      }
    }
  }

  /**
   * Fetches a result that a carrier holds. To the scheduler the job finishes after that. The handles in it belong to the
   * scope that the call's fiber has named for them.
   */
  #fetch(worker: WorkerProcess, job: Job<Call>, micros: number, object: ObjectId): void {
    const read = HandleCarrier.read(object, `the result of ${job.task}`)
    const owner = job.call.fiber?.getRef(HandleOwner)
    this.#fork(Effect.provideService(read, HandleOwner, owner)).addObserver((encoded) => {
      worker.writer.forget(job.id)
      this.#wrote(worker)
      this.#finished(job, micros, encoded)
    })
  }

  #finished(job: Job<Call>, micros: number, encoded: Exit.Exit<Cell, ManagerError>): void {
    job.call.encoded = encoded
    this.#step({ _tag: "Finished", job, micros })
  }

  /** A worker's process has ended. Every message of it was received. */
  ended(worker: WorkerProcess, end: ProcessEnd): void {
    worker.end = end
    this.#written.delete(worker)
    this.#workers.delete(worker.id)
    this.#step({ _tag: "WorkerEnded", worker: worker.id })
    this.turnEnded()
  }

  // ---------------------------------------------------------------------------------------------------------------
  // decisions
  // ---------------------------------------------------------------------------------------------------------------

  /**
   * The end of a call resumes its fiber, which may call the pool while commands are being carried out. The commands of
   * that step follow those before them, so that a worker gets its jobs in the order in which they were decided (P5).
   */
  #step(event: Event<Call>): void {
    if (this.#isBroken) return
    const stepped = Result.try(() => this.#decide(event))
    if (Result.isFailure(stepped)) this.fail(stepped.failure, event)
  }

  #decide(event: Event<Call>): void {
    const { commands } = this.#scheduler
    this.#scheduler.step(event, Number(this.#options.clock.monotonicTimeNanosUnsafe()) / 1e6)
    if (this.#isCarryingOut || commands.length === 0) return
    this.#isCarryingOut = true
    for (const command of commands) this.#carryOut(command)
    commands.length = 0
    this.#isCarryingOut = false
  }

  #carryOut(command: Command<Call>): void {
    const { job } = command
    switch (command._tag) {
      case "Run":
        return this.#run(command.worker, job)
      case "Withdraw": {
        const worker = this.#workers.get(command.worker)
        if (worker === undefined) return
        worker.writer.withdraw(job.id, command.interrupt)
        return this.#wrote(worker)
      }
      case "StartGrace":
        return this.#startGrace(job, command.sinceMs)
      case "StopGrace":
        return job.call.grace?.interruptUnsafe()
      case "Kill":
        return this.#kill(command.worker, job)
      case "End":
        return this.#end(job, command.how)
    }
  }

  #run(id: WorkerId, { call, id: job }: Job<Call>): void {
    const worker = this.#workers.get(id)
    // It has ended since: the scheduler has decided anew.
    if (worker === undefined) return
    call.worker = worker
    worker.writer.run(job, call.position, call.attempt, call.parcel, call.span && Span.idsOf(call.span))
    this.#wrote(worker)
  }

  #startGrace(job: Job<Call>, sinceMs: number): void {
    job.call.grace?.interruptUnsafe()
    job.call.grace = this.#fork(
      Effect.sleep(this.#options.graceMs).pipe(
        // A worker counts as silent only after this process, which may have been busy, has read what has arrived.
        Effect.andThen(Effect.repeat(Effect.yieldNow, { times: 4 })),
        Effect.andThen(Effect.sync(() => this.#step({ _tag: "GraceExpired", job, sinceMs })))
      )
    )
  }

  #kill(id: WorkerId, { task }: Job<Call>): void {
    const worker = this.#workers.get(id)
    if (worker === undefined) return
    this.#options.stats.publish({ _tag: "WorkerKilled", worker: worker.name, pid: worker.pid, task })
    this.#fork(worker.kill)
  }

  #end(job: Job<Call>, how: Ending): void {
    const exit = this.#exit(job, how)
    const isRun = how === "Finished" || how === "Crashed"
    this.#options.stats.ended(job.payloads, !isRun ? "cancelled" : Exit.isSuccess(exit) ? "done" : "failed", job.task)
    this.#scheduleFlush()
    job.call.end(exit)
  }

  #exit({ call, started, task }: Job<Call>, how: Ending): Exit.Exit<ReadonlyArray<unknown>, unknown> {
    switch (how) {
      case "Finished":
        return Exit.isSuccess(call.encoded)
          ? this.#decode(call, task, call.encoded.value)
          : Exit.failCause(call.encoded.cause)
      case "Crashed": {
        const { end, name: worker, pid } = call.worker!
        return Exit.fail(new WorkerCrashed({ task, worker, pid, ...end!, attempt: call.attempt }))
      }
      // The fiber of a cancelled call is being interrupted: nothing reads this exit.
      case "Cancelled":
      case "Stopped":
        return Exit.fail(this.#poolStopped(task, started))
    }
  }

  #decode({ outcome, position }: Call, task: string, encoded: Cell): Exit.Exit<ReadonlyArray<unknown>, unknown> {
    const { codecs } = this.#options.tasks[position]!
    switch (outcome) {
      // The worker has the same schemas: a value that does not decode is a mistake of the program.
      case "Values":
        return orDie(codecs.values.decode(encoded))
      case "Failure":
        return flatten(orDie(codecs.failure.decode(encoded)))
      case "Interrupted":
        return Exit.failCause(Cause.interrupt())
      case "TooLarge":
        return Exit.fail(new TooLarge({ task, what: "result", length: Number(encoded.text), max: textLengthMax }))
    }
  }

  // ---------------------------------------------------------------------------------------------------------------
  // sending
  // ---------------------------------------------------------------------------------------------------------------

  #wrote(worker: WorkerProcess): void {
    if (worker.writer.bytes >= flushBytes) return worker.link.send(worker.writer.take())
    this.#written.add(worker)
    this.#scheduleFlush()
  }

  /** At the end of this turn of the event loop. */
  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return
    this.#isFlushScheduled = true
    this.#options.eventLoop.scheduleTask(() => {
      this.#isFlushScheduled = false
      this.turnEnded()
    }, 0)
  }

  /** Sends the messages that were written in this turn, and publishes the progress. */
  turnEnded(): void {
    const sent = Result.try(() => {
      for (const { link, writer } of this.#written) if (!writer.isEmpty) link.send(writer.take())
      this.#written.clear()
      this.#options.stats.publishProgress()
    })
    if (Result.isFailure(sent)) this.fail(sent.failure)
  }
}

const orDie = <A>(exit: Exit.Exit<A, unknown>): Exit.Exit<A> =>
  Exit.isSuccess(exit) ? Exit.succeed(exit.value) : Exit.die(Cause.squash(exit.cause))

const flatten = (exit: Exit.Exit<Cause.Cause<unknown>>): Exit.Exit<never, unknown> =>
  Exit.failCause(Exit.isSuccess(exit) ? exit.value : exit.cause)
