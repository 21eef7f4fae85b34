/**
 * The owner's end of a pool: calls that wait, and links to the workers. Who runs what is decided by the `Board`; what
 * a worker says is read in the turn in which it arrives, and resumes the fibers then and there.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scheduler from "effect/Scheduler"
import type * as Schema from "effect/Schema"
import { cell } from "../engine/Value.ts"
import { ManagerError, ValueNotEncoded } from "../ManagerError.ts"
import { Reader } from "../protocol/Bytes.ts"
import type { Manager } from "../proxy/Manager.ts"
import type { Link } from "../transport/Link.ts"
import { Call } from "./Call.ts"
import type { Codecs } from "./Codecs.ts"
import * as Loan from "./HandleCarrier.ts"
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
import type { Tally } from "./PoolStats.ts"
import { Board, type EndedWithoutResult, Worker } from "./Scheduler.ts"
import { Pace } from "./TaskTimes.ts"

/** How a worker ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: string | null
  readonly lastLines: ReadonlyArray<string>
}

/** A worker with its link. */
export class Member extends Worker {
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

/** What an owner needs to know and whom it tells. */
export interface OwnerOptions {
  readonly name: string
  readonly tasks: ReadonlyArray<PooledTask>
  readonly graceMs: number
  readonly context: Context.Context<Manager>
  readonly clock: Clock.Clock
  readonly dispatcher: Scheduler.SchedulerDispatcher
  readonly tally: Tally
}

/** The calls and workers of a pool. */
export class Owner {
  readonly pace = new Pace()
  readonly #options: OwnerOptions
  readonly #board: Board<Call, Member>
  readonly #written = new Set<Member>()
  #scheduled = false
  #ids = 0
  #stopped: string | undefined

  constructor(options: OwnerOptions) {
    this.#options = options
    const { clock, context, graceMs } = options
    const fork = Effect.runForkWith(context)
    this.#board = new Board(this.pace, {
      run: (member, call) => {
        member.writer.run(call.id, call.position, call.attempt, call.parcel)
        this.#wrote(member)
      },
      withdraw: (member, call, interrupt) => {
        member.writer.withdraw(call.id, interrupt)
        this.#wrote(member)
      },
      startGrace: (call) => {
        call.grace?.interruptUnsafe()
        call.grace = fork(
          Effect.sleep(graceMs).pipe(
            // What the worker has said while this process was busy is heard before it counts as silent.
            Effect.andThen(Effect.repeat(Effect.yieldNow, { times: 4 })),
            Effect.andThen(Effect.sync(() => this.#board.expired(call)))
          )
        )
      },
      kill: (member, { task }) => {
        const { name: worker, pid } = member
        options.tally.publish({ _tag: "WorkerKilled", worker, pid, task })
        fork(member.kill)
      },
      end: (call, how, member) => this.#end(call, how, member),
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
      const lent = Effect.flatMap(
        Loan.lend(encoded.value),
        (object) =>
          Effect.callback<ReadonlyArray<unknown>, unknown>((resume) =>
            this.#submit(position, payloads.length, attempt, { _tag: "Loan", object }, resume)
          )
      )
      resume(Effect.provideContext(Effect.scoped(lent), this.#options.context))
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
    const { tally, tasks } = this.#options
    const { tag } = tasks[position]!
    if (this.#stopped !== undefined) {
      resume(Exit.fail(this.#poolStopped(tag, false)))
      return undefined
    }
    const call = new Call(++this.#ids, position, tag, payloads, attempt, parcel, resume)
    tally.accepted(payloads, attempt, tag)
    this.#board.submit(call)
    return this.#cancel(call)
  }

  #cancel(call: Call): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      call.onSettled = () => resume(Effect.void)
      this.#board.cancel(call)
      if (!call.cancelled) resume(Effect.void)
    })
  }

  #end(call: Call, how: EndedWithoutResult, member: Member | undefined): void {
    const { tally } = this.#options
    const { attempt, payloads, task } = call
    this.#soon()
    if (how === "Crashed") {
      const { code, lastLines, signal } = member!.ending!
      const { name: worker, pid } = member!
      tally.ended(payloads, "failed")
      return call.settle(Exit.fail(new WorkerCrashed({ task, worker, pid, code, signal, attempt, lastLines })))
    }
    tally.ended(payloads, "cancelled")
    call.settle(Exit.fail(this.#poolStopped(task, member !== undefined)))
  }

  #poolStopped(task: string, started: boolean): PoolStopped {
    return new PoolStopped({ pool: this.#options.name, task, why: this.#stopped ?? "", started })
  }

  /** No more calls: those that no worker has end now, the others with their workers. */
  stop(why: string): void {
    if (this.#stopped !== undefined) return
    this.#stopped = why
    this.#board.stop()
  }

  // ---------------------------------------------------------------------------------------------------------------
  // workers
  // ---------------------------------------------------------------------------------------------------------------

  /** A worker has ended, and all that it had said has been heard. */
  gone(member: Member, ending: Ending): void {
    member.ending = ending
    this.#written.delete(member)
    this.#board.gone(member)
    this.turnEnded()
  }

  /** Reads one frame of a worker; false if it is not of this protocol. */
  heard(member: Member, frame: Uint8Array): boolean {
    const reader = new Reader(frame)
    while (!reader.done) {
      const message = readFromWorker(reader)
      if (message === undefined || reader.malformed) return false
      this.#hear(member, message)
    }
    return true
  }

  /** Sends what the fibers that were resumed in this turn have asked for. */
  turnEnded(): void {
    this.#flush()
    this.#options.tally.tell()
  }

  #hear(member: Member, message: FromWorker): void {
    if (message._tag === "Ready") {
      member.onReady()
      return this.#board.add(member)
    }
    const call = callOf(member, message.job)
    if (call === undefined) return
    switch (message._tag) {
      case "Started":
        return this.#board.started(member, call)
      case "Returned":
        return this.#board.returned(member, call)
      case "Done":
        return message.outcome.parcel._tag === "Text"
          ? this.#done(member, call, message.micros, message.outcome, cell(message.outcome.parcel.text))
          : this.#fetch(member, call, message.micros, message.outcome, message.outcome.parcel.object)
    }
  }

  /** Fetches a result that the worker lends; the call has not ended before that. */
  #fetch(member: Member, call: Call, micros: number, outcome: Outcome, object: number): void {
    Effect.runForkWith(this.#options.context)(Loan.borrow(object, `the result of ${call.task}`))
      .addObserver((lent) => {
        member.writer.forget(call.id)
        this.#wrote(member)
        // Its worker has died: the call has ended with it.
        if (call.worker !== member) return
        if (Exit.isSuccess(lent)) this.#done(member, call, micros, outcome, lent.value)
        else this.#settle(member, call, micros, Exit.failCause(lent.cause))
      })
  }

  #done(
    member: Member,
    call: Call,
    micros: number,
    { _tag }: Outcome,
    { handles, text }: ReturnType<typeof cell>
  ): void {
    const { codecs } = this.#options.tasks[call.position]!
    const exit = (): Exit.Exit<ReadonlyArray<unknown>, unknown> => {
      switch (_tag) {
        case "Values":
          // The worker has the same schemas: what does not decode is a mistake of the program.
          return orDie(codecs.values.decode({ text, handles }))
        case "Failure":
          return flatten(orDie(codecs.failure.decode({ text, handles })))
        case "Interrupted":
          return Exit.failCause(Cause.interrupt())
        case "TooLarge":
          return Exit.fail(
            new TooLarge({ task: call.task, what: "result", length: Number(text), max: textLengthMax })
          )
      }
    }
    this.#settle(member, call, micros, call.cancelled ? Exit.succeed([]) : exit())
  }

  #settle(member: Member, call: Call, micros: number, exit: Exit.Exit<ReadonlyArray<unknown>, unknown>): void {
    if (!this.#board.done(member, call, micros)) return
    this.#options.tally.ended(call.payloads, call.cancelled ? "cancelled" : Exit.isSuccess(exit) ? "done" : "failed")
    call.settle(exit)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // sending
  // ---------------------------------------------------------------------------------------------------------------

  #wrote(member: Member): void {
    if (member.writer.bytes >= flushBytes) return member.link.send(member.writer.take())
    this.#written.add(member)
    this.#soon()
  }

  /** At the end of this turn. */
  #soon(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#options.dispatcher.scheduleTask(() => {
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

/** A call that a worker has, by its id. Members are given calls only. */
const callOf = (member: Member, id: number): Call | undefined =>
  member.jobs.find((job) => (job as Call).id === id) as Call | undefined
