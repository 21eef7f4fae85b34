/**
 * The log of one run of a transaction: what its body has read of each object, and what it is to write.
 *
 * ```text
 *   read   ─► request: check what was read of each object, read ─► refused? the run is given up
 *   write  ─► kept here; later reads of the body see it
 *   commit ─► request: check each object, pass the reservation, write each object ─► refused? the run is given up
 *   again  ─► request: read what the run before has read
 * ```
 *
 * The manager decides all calls of a request before it applies the first. So a body never sees two reads that were not
 * true together, and a commit has an effect only on what the body has read.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Connection } from "../client/Connection.ts"
import { guardFor } from "../client/Guard.ts"
import { jointCall, membership } from "../client/Joint.ts"
import type { Outcome } from "../engine/Inputs.ts"
import type { GrantId, Reply } from "../engine/Operation.ts"
import type { ObjectId } from "../engine/Value.ts"
import { CrossSpace, InvalidRequest, ManagerError } from "../ManagerError.ts"
import { refusalOf, resultsOf } from "../protocol/JointReply.ts"
import type { PreparedCall, Refusals, Remote } from "./Remote.ts"

/** One object in a run: its reads and writes. */
export interface Part {
  /** The call that is refused if something has changed that was read; empty: nothing was read. */
  readonly checks: () => ReadonlyArray<PreparedCall>
  /** The call that writes; empty: nothing is to be written. */
  readonly writes: () => ReadonlyArray<PreparedCall>
  /** Effects that end when something has changed that was read. */
  readonly waits: () => ReadonlyArray<Effect.Effect<void, ManagerError>>
  /** Keeps what is to be written as it is now; returns a function that restores it. */
  readonly save: () => () => void
  /** The commit was refused with this error. Returns whether to run again now, or when something has changed. */
  readonly refused?: (error: string) => "Again" | "Wait" | undefined
  /** The object at the beginning of the next run, whose log is given. Absent or `undefined`: as if it had not been used. */
  readonly again?: (log: TransactionLog) => Again | undefined
}

/** An object that the run before has read. */
export interface Again {
  readonly part: Part
  /** The calls that read the same, at least one. */
  readonly reads: ReadonlyArray<PreparedCall>
  readonly take: (replies: ReadonlyArray<Reply>) => void
}

/** What a fiber of the body reads in one step. */
interface Reading {
  readonly reads: ReadonlyArray<PreparedCall>
  /** Keeps the replies, before any fiber goes on. */
  readonly take: (replies: ReadonlyArray<Reply>) => unknown
  readonly resume: (exit: Exit.Exit<unknown, ManagerError>) => void
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly guard: ReadonlyArray<GrantId>
}

/** The reads of one run. Each request of reads checks those before it, so the cost of all grows with their square. */
const readsMax = 1_000

/** The fibers of a body whose reads are one request. */
const togetherMax = 64

/**
 * How a commit ended. *Conflict*: something that was read has changed. *Again*: the log knows why, and so will the next run.
 * *Wait*: a write would have to wait.
 */
export type Committed = "Committed" | "Conflict" | "Again" | "Wait"

/** The reads and writes of one run of a transaction. */
export class TransactionLog {
  readonly #connection: Connection
  readonly #parts = new Map<ObjectId, Part>()
  /** Restores each part to where nothing was written. */
  readonly #unwritten = new Map<Part, () => void>()
  /** What fibers of the body are about to read. */
  #readings: Array<Reading> = []
  /** Whether a request of reads has no reply, or leaves with this turn. */
  #isReading = false
  #reads = 0
  /** Objects that the run before has read. */
  #again: ReadonlyArray<Again>
  /** Why the run is given up. */
  state: "running" | "conflict" | "retry" | "refused" = "running"
  /** How the transaction ends when a read was refused: no check of a later read or of the commit would repeat that. */
  refusal: Exit.Exit<never, ManagerError> | undefined

  /** `before`: the log of the run before. */
  constructor(connection: Connection, before?: TransactionLog) {
    this.#connection = connection
    this.#again = before === undefined ? [] : [...before.#parts.values()].flatMap((part) => part.again?.(this) ?? [])
  }

  /** The log of the next run. */
  next(): TransactionLog {
    return new TransactionLog(this.#connection, this)
  }

  /**
   * Reads in one step what the run before has read, so that the body need not. `first` is a call in the same step; `heard`
   * is told of the reply to it in the turn in which that is read.
   */
  begin(first?: PreparedCall, heard?: (reply: Reply) => void): Effect.Effect<void, ManagerError> {
    const again = this.#again
    const reads = again.flatMap(({ reads }) => reads)
    if (first === undefined && reads.length === 0) return Effect.void
    const calls = first === undefined ? reads : [first, ...reads]
    const answered = request(this.#connection, calls, (answer) => {
      if (first !== undefined && "replies" in answer) heard?.(answer.replies[0]!)
    })
    return Effect.flatMap(answered, (answer) => {
      if ("replies" in answer) return Effect.sync(() => this.#begun(answer.replies.slice(calls.length - reads.length)))
      if (answer.call === first) return refused(answer)
      // The body finds out by itself.
      this.#again = []
      return this.begin(first, heard)
    })
  }

  #begun(replies: ReadonlyArray<Reply>): void {
    let at = 0
    for (const { part, reads, take } of this.#again) {
      take(replies.slice(at, at += reads.length))
      this.#add(reads[0]!.target.id, part)
    }
  }

  /** The part of an object, made when it is used first. */
  part<P extends Part>(remote: Remote<unknown>, make: () => P): Effect.Effect<P, ManagerError> {
    const { connection, target: { description, id } } = remote
    if (connection !== this.#connection) {
      return Effect.fail(new ManagerError({ reason: new CrossSpace({ object: description, operation: "tx" }) }))
    }
    // An object has one kind, and a kind has one class of parts.
    return Effect.succeed(this.#parts.get(id) as P | undefined ?? this.#add(id, make()))
  }

  #add<P extends Part>(id: ObjectId, part: P): P {
    this.#parts.set(id, part)
    this.#unwritten.set(part, part.save())
    return part
  }

  /**
   * Makes reads in one step, if nothing has changed that was read before; otherwise gives the run up. The reads that
   * fibers of the body begin in one turn of the event loop are one request.
   */
  read<A>(
    reads: ReadonlyArray<PreparedCall>,
    take: (replies: ReadonlyArray<Reply>) => A
  ): Effect.Effect<A, ManagerError> {
    return Effect.callback((resume) => {
      const fiber = Fiber.getCurrent()!
      const issue = this.#issueOf(reads, fiber)
      if (issue !== undefined) return resume(issue)
      const reading: Reading = {
        reads,
        take,
        resume: resume as Reading["resume"],
        fiber,
        guard: guardFor(fiber, this.#connection)
      }
      this.#readings.push(reading)
      this.#gather()
      // Once it is sent its reply is kept: so much was read.
      return Effect.sync(() => {
        this.#readings = this.#readings.filter((other) => other !== reading)
      })
    })
  }

  /** Why reads cannot be made. */
  #issueOf(
    reads: ReadonlyArray<PreparedCall>,
    fiber: Fiber.Fiber<unknown, unknown>
  ): Effect.Effect<never, ManagerError> | undefined {
    if (this.state !== "running") return Effect.interrupt
    const unfit = reads.find(({ issue }) => issue !== undefined)
    if (unfit !== undefined) return unfit.remote.invalid(unfit.operation.name, unfit.issue!)
    const { description } = reads[0]!.target
    if (membership(fiber) !== undefined) {
      return Effect.fail(invalid(description, "tx", "calls together are no transactions"))
    }
    if (++this.#reads <= readsMax) return undefined
    return Effect.fail(invalid(description, "tx", `a transaction reads at most ${readsMax} times`))
  }

  #gather(): void {
    if (this.#isReading || this.#readings.length === 0) return
    this.#isReading = true
    this.#connection.outbox.beforeSending(() => this.#send())
  }

  #send(): void {
    const readings = this.#readings.splice(0, togetherMax)
    const [first] = readings
    if (first === undefined || this.state !== "running") return this.#answer(readings, () => Exit.interrupt())
    const checks = this.#checks()
    const calls = [...checks, ...readings.flatMap(({ reads }) => reads)]
    const call = jointCall(
      calls,
      first.guard,
      (outcome) => Exit.succeed(answerOf(calls, outcome)),
      (exit: Exit.Exit<Answer, ManagerError>) => this.#hear(readings, checks.length, exit),
      first.fiber
    )
    this.#connection.tell(call, calls.flatMap(({ args }) => args))
  }

  #hear(readings: ReadonlyArray<Reading>, checks: number, exit: Exit.Exit<Answer, ManagerError>): void {
    if (Exit.isFailure(exit)) return this.#answer(readings, () => exit)
    const answer = exit.value
    if ("replies" in answer) {
      let at = checks
      const exits = readings.map(({ fiber, reads, take }) => {
        const replies = answer.replies.slice(at, at += reads.length)
        if (answer.replies.length > 1) { for (const reply of replies) this.#connection.received.own(reply, fiber) }
        return Exit.succeed(take(replies))
      })
      return this.#answer(readings, (i) => exits[i]!)
    }
    const of = isDeclared(answer) ? readings.findIndex(({ reads }) => reads.includes(answer.call)) : -1
    if (of >= 0) {
      // The others are made again, without the one that was refused.
      this.#readings.unshift(...readings.toSpliced(of, 1))
      return this.#answer([readings[of]!], () => refused(answer))
    }
    if (isConflict(answer)) this.state = "conflict"
    else {
      this.state = "refused"
      this.refusal = refused(answer)
    }
    this.#answer(readings, () => Exit.interrupt())
  }

  #answer(readings: ReadonlyArray<Reading>, exitOf: (i: number) => Exit.Exit<unknown, ManagerError>): void {
    this.#isReading = false
    this.#gather()
    for (const [i, { resume }] of readings.entries()) resume(exitOf(i))
  }

  /** Gives the run up: its body goes no further. */
  giveUp(state: "retry"): Effect.Effect<never> {
    this.state = state
    return Effect.interrupt
  }

  /** The calls that write; empty: nothing is to be written. */
  get writes(): ReadonlyArray<PreparedCall> {
    return this.#all((part) => part.writes())
  }

  /** Writes in one step with a call to the gate, if that is not refused and nothing has changed that was read. */
  commit(pass: PreparedCall, writes: ReadonlyArray<PreparedCall>): Effect.Effect<Committed, ManagerError> {
    const calls = [...this.#checks(), pass, ...writes]
    return Effect.flatMap(request(this.#connection, calls), (answer): Effect.Effect<Committed, ManagerError> => {
      if ("replies" in answer) return Effect.succeed("Committed")
      // A reservation that has ended is as good as none.
      if (isConflict(answer) || answer.call === pass && answer.outcome.error === "NotHeld") {
        return Effect.succeed("Conflict")
      }
      const next = this.#parts.get(answer.call.target.id)?.refused?.(answer.outcome.error)
      return next === undefined ? refused(answer) : Effect.succeed(next)
    })
  }

  /** Waits until something has changed that was read. */
  get changed(): Effect.Effect<void, ManagerError> {
    const waits = this.#all((part) => part.waits())
    return waits.length > 0 ? Effect.raceAllFirst(waits) : Effect.fail(
      invalid("a transaction", "txRetry", "nothing was read, so nothing can change for which it waits")
    )
  }

  /** Keeps the writes as they are now; returns a function that restores them. */
  save(): () => void {
    const saved = new Map(Array.from(this.#parts.values(), (part) => [part, part.save()]))
    return () => {
      // Parts that are new since then had nothing to be written.
      for (const [part, restore] of this.#unwritten) (saved.get(part) ?? restore)()
    }
  }

  #checks(): ReadonlyArray<PreparedCall> {
    return this.#all((part) => part.checks())
  }

  #all<A>(of: (part: Part) => ReadonlyArray<A>): ReadonlyArray<A> {
    const all: Array<A> = []
    for (const part of this.#parts.values()) {
      for (const one of of(part)) all.push(one)
    }
    return all
  }
}

/** The transaction that a body belongs to: `.tx` outside of one does not compile. */
export class Transaction
  extends Context.Service<Transaction, TransactionLog>()("@effect-multiprocessing/core/Transaction")
{}

/**
 * Gives the run of a transaction up: the transaction runs again when something has changed that it has read. It fails if
 * it has read nothing.
 *
 * **Fairness** Delays no other call; all transactions that wait for a change run again. **Cancellation** Interruptible;
 * nothing was written. **On disconnect** `ManagerError`.
 */
export const txRetry: Effect.Effect<never, never, Transaction> = Transaction.use((log) => log.giveUp("retry"))

/** Uses the part of an object in the transaction of a body. */
export const withPart = <P extends Part, A, E>(
  remote: Remote<unknown>,
  make: (log: TransactionLog) => P,
  use: (part: P) => Effect.Effect<A, E>
): Effect.Effect<A, E | ManagerError, Transaction> =>
  Transaction.use((log) => Effect.flatMapEager(log.part(remote, () => make(log)), use))

/** The replies to all calls, or the refusal of one. */
type Answer = { readonly replies: ReadonlyArray<Reply> } | Refused

interface Refused {
  readonly call: PreparedCall
  readonly outcome: Extract<Outcome, { readonly _tag: "Failure" }>
}

const isConflict = ({ outcome }: Refused): boolean => outcome.error === "Conflict"

/** Whether the call declares the error, which is then one that lasts: a body may handle it. */
const isDeclared = ({ call: { refusals }, outcome }: Refused): boolean => refusals?.[outcome.error] !== undefined

/** The failure of a run. What makes a call declares the errors that the call may have. */
const refused = ({ call: { operation, refusals, remote }, outcome }: Refused): Exit.Exit<never, ManagerError> =>
  remote.refused(operation.name, outcome, refusals as Refusals<string, never> | undefined)

/** Makes calls as one request. `heard` is told of the answer in the turn in which it is read. */
const request = (
  connection: Connection,
  calls: ReadonlyArray<PreparedCall>,
  heard?: (answer: Answer) => void
): Effect.Effect<Answer, ManagerError> => {
  const unfit = calls.find(({ issue }) => issue !== undefined)
  if (unfit !== undefined) return unfit.remote.invalid(unfit.operation.name, unfit.issue!)
  return Effect.withFiber((fiber) =>
    connection.callJoint(calls, (outcome) => {
      const answer = answerOf(calls, outcome)
      if (outcome._tag === "Success" && calls.length > 1) connection.received.own(outcome.reply, fiber)
      heard?.(answer)
      return Exit.succeed(answer)
    })
  )
}

const answerOf = (calls: ReadonlyArray<PreparedCall>, outcome: Outcome): Answer => {
  if (outcome._tag === "Success") {
    const replies = calls.length === 1 ? [outcome.reply] : resultsOf(outcome.reply).map(({ outcome }) => outcome.reply)
    return { replies }
  }
  if (calls.length === 1) return { call: calls[0]!, outcome }
  const { call, outcome: failure } = refusalOf(outcome)
  return { call: calls[call]!, outcome: failure }
}

const invalid = (object: string, operation: string, issue: string): ManagerError =>
  new ManagerError({ reason: new InvalidRequest({ object, operation, issue }) })
