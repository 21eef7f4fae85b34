/**
 * The log of one run of a transaction: what its body has read of each object, and what it is to write.
 *
 * ```text
 *   read   ─► request: check what was read of each object, read ─► refused? the run is given up
 *   write  ─► kept here; later reads of the body see it
 *   commit ─► request: check each object, pass the reservation, write each object ─► refused? the run is given up
 * ```
 *
 * The manager decides all calls of a request before it applies the first. So a body never sees two reads that were not
 * true together, and a commit has an effect only on what the body has read.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Semaphore from "effect/Semaphore"
import type { Connection } from "../client/Connection.ts"
import type { Outcome } from "../engine/Inputs.ts"
import type { Reply } from "../engine/Operation.ts"
import type { ObjectId } from "../engine/Value.ts"
import { ForeignHandle, InvalidRequest, ManagerError } from "../ManagerError.ts"
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
}

/** The reads of one run. Each read checks those before it, so the cost of all grows with their square. */
const readsMax = 1_000

/**
 * How a commit ended. *Conflict*: something that was read has changed. *Again*: the log knows why, and so will the next run.
 * *Wait*: a write would have to wait. *Reserved*: another transaction has the reservation.
 */
export type Committed = "Committed" | "Conflict" | "Again" | "Wait" | "Reserved"

/** The reads and writes of one run of a transaction. */
export class TransactionLog {
  readonly #connection: Connection
  readonly #parts = new Map<ObjectId, Part>()
  /** Restores each part to where nothing was written. */
  readonly #unwritten = new Map<Part, () => void>()
  /** Fibers of one body read one after the other. */
  readonly #reading = Semaphore.makeUnsafe(1)
  #reads = 0
  /** Why the run is given up. */
  state: "running" | "conflict" | "retry" | "refused" = "running"
  /** How the transaction ends when a read was refused: no check of a later read or of the commit would repeat that. */
  refusal: Exit.Exit<never, ManagerError> | undefined

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** The part of an object, made when it is used first. */
  part<P extends Part>(remote: Remote<unknown>, make: () => P): Effect.Effect<P, ManagerError> {
    const { connection, target: { description, id } } = remote
    if (connection !== this.#connection) {
      return Effect.fail(new ManagerError({ reason: new ForeignHandle({ object: description, operation: "tx" }) }))
    }
    let part = this.#parts.get(id)
    if (part === undefined) {
      this.#parts.set(id, part = make())
      this.#unwritten.set(part, part.save())
    }
    // An object has one kind, and a kind has one class of parts.
    return Effect.succeed(part as P)
  }

  /** Makes reads in one step, if nothing has changed that was read before; otherwise gives the run up. */
  read(...reads: ReadonlyArray<PreparedCall>): Effect.Effect<ReadonlyArray<Reply>, ManagerError> {
    return this.#reading.withPermits(1)(Effect.suspend(() => {
      if (this.state !== "running") return Effect.interrupt
      if (++this.#reads > readsMax) {
        return Effect.fail(
          invalid(reads[0]!.target.description, "tx", `a transaction reads at most ${readsMax} times`)
        )
      }
      const checks = this.#checks()
      return Effect.flatMap(request(this.#connection, [...checks, ...reads]), (answer) => {
        if ("replies" in answer) return Effect.succeed(answer.replies.slice(checks.length))
        if (isConflict(answer)) return this.giveUp("conflict")
        const exit = refused(answer)
        if (isDeclared(answer)) return exit
        this.refusal = exit
        return this.giveUp("refused")
      })
    }))
  }

  /** Gives the run up: its body goes no further. */
  giveUp(state: "conflict" | "retry" | "refused"): Effect.Effect<never> {
    this.state = state
    return Effect.interrupt
  }

  /** Whether anything is to be written. */
  get hasWrites(): boolean {
    return this.#all((part) => part.writes()).length > 0
  }

  /** Writes all, if the reservation of the manager lets it pass and nothing has changed that was read. */
  commit(pass: PreparedCall): Effect.Effect<Committed, ManagerError> {
    const calls = [...this.#checks(), pass, ...this.#all((part) => part.writes())]
    return Effect.flatMap(request(this.#connection, calls), (answer): Effect.Effect<Committed, ManagerError> => {
      if ("replies" in answer) return Effect.succeed("Committed")
      if (isConflict(answer)) return Effect.succeed("Conflict")
      if (answer.outcome.error === "Reserved") return Effect.succeed("Reserved")
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
    return [...this.#parts.values()].flatMap(of)
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
export const txRetry: Effect.Effect<never, never, Transaction> = Effect.flatMap(
  Transaction,
  (log) => log.giveUp("retry")
)

/** Uses the part of an object in the transaction of a body. */
export const withPart = <P extends Part, A, E>(
  remote: Remote<unknown>,
  make: (log: TransactionLog) => P,
  use: (part: P) => Effect.Effect<A, E>
): Effect.Effect<A, E | ManagerError, Transaction> =>
  Effect.flatMap(Transaction, (log) => Effect.flatMap(log.part(remote, () => make(log)), use))

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

/** Makes calls as one request. */
const request = (
  connection: Connection,
  calls: ReadonlyArray<PreparedCall>
): Effect.Effect<Answer, ManagerError> => {
  const unfit = calls.find(({ issue }) => issue !== undefined)
  if (unfit !== undefined) return unfit.remote.invalid(unfit.operation.name, unfit.issue!)
  return Effect.withFiber((fiber) =>
    connection.callJoint(calls, (outcome) => {
      if (outcome._tag === "Success") {
        if (calls.length > 1) connection.received.own(outcome.reply, fiber)
        const replies = calls.length === 1
          ? [outcome.reply]
          : resultsOf(outcome.reply).map(({ outcome }) => outcome.reply)
        return Exit.succeed<Answer>({ replies })
      }
      if (calls.length === 1) return Exit.succeed<Answer>({ call: calls[0]!, outcome })
      const { call, outcome: failure } = refusalOf(outcome)
      return Exit.succeed<Answer>({ call: calls[call]!, outcome: failure })
    })
  )
}

const invalid = (object: string, operation: string, issue: string): ManagerError =>
  new ManagerError({ reason: new InvalidRequest({ object, operation, issue }) })
