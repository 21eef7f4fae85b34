/**
 * Transactions: reads and writes of several shared objects of one manager in one step, or not at all. What Effect's `tx` is
 * within a process, this is between processes.
 *
 * ```ts
 * const transfer = Transaction.tx(Effect.gen(function*() {
 *   const balance = yield* from.tx.get
 *   if (balance < amount) return yield* Transaction.txRetry
 *   yield* from.tx.set(balance - amount)
 *   yield* to.tx.update((balance) => balance + amount)
 * }))
 * ```
 *
 * The body runs in this process, and again when something that it has read has changed. So it does nothing but read,
 * write and decide.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type { GrantId } from "./engine/Operation.ts"
import type { ManagerError } from "./ManagerError.ts"
import { Manager } from "./proxy/Manager.ts"
import { gate as openGate, pass, reserved, untilUnreserved } from "./proxy/transactionGate.ts"
import { type Committed, Transaction, TransactionLog } from "./proxy/TransactionLog.ts"

export { Transaction, txRetry } from "./proxy/TransactionLog.ts"

/**
 * The transaction has run many times, and each time something that it had read was changed before it could commit. It had
 * no effect. Transactions do not do that to each other: programs change the same objects without a transaction.
 */
export class TransactionConflict extends Schema.TaggedError<TransactionConflict>()("TransactionConflict", {
  runs: Schema.Number
}) {
  override get message(): string {
    return `a transaction was given up after ${this.runs} runs, because each time something that it had read was changed ` +
      "before it could commit. It had no effect. Change these objects in transactions only, or less often"
  }
}

/** The runs that may meet a conflict, one after the other. */
const runsMax = 1_000

/**
 * Runs a body as a transaction: all that it writes takes effect in one step, if nothing that it has read has changed by
 * then. Otherwise the body runs again. Each read of the body sees the state of one moment, together with all reads before
 * it. Its writes are seen by its own reads only, until they take effect. When the body fails, nothing is written. Inside of
 * another transaction it is a part of that one.
 *
 * An offer to a full queue, and an operation of an own kind that waits, make the transaction wait until something has
 * changed that it has read. It holds nothing meanwhile, and no other call waits for it.
 *
 * A read that the manager refuses, as of an object that was removed, ends the transaction: its body goes no further, and
 * cannot handle the `ManagerError`.
 *
 * Calls that are not of `tx` are made at once, and again when the body runs again. Locks are held around a transaction,
 * not inside.
 *
 * **Fairness** From its first conflict on a transaction waits, in FIFO order, for the only reservation of the manager: no
 * other transaction commits writes while it is held, so n contending transactions need two runs each. Changes without a
 * transaction ignore the reservation; a transaction that they make run 1,000 times fails with `TransactionConflict`.
 * **Cancellation** Interruptible at any point; the writes then took effect all together or not at all. **On disconnect**
 * `ManagerError`, whose reason says whether they did.
 */
export const tx = <A, E, R>(
  body: Effect.Effect<A, E, R>
): Effect.Effect<A, E | TransactionConflict | ManagerError, Exclude<R, Transaction> | Manager> =>
  Effect.contextWith((context: Context.Context<never>): Run<A, E, R> =>
    // The context of a body has it, whatever the type of the context says.
    Context.getOption(context as Context.Context<Transaction>, Transaction)._tag === "Some"
      ? body as Effect.Effect<A, E, Exclude<R, Transaction>>
      : run(body)
  )

/**
 * Runs the second part if the first one gives up with `txRetry`. What the first one was to write is dropped then. If both
 * give up, the transaction runs again when something has changed that either has read.
 */
export const orElse = <A, E, R, B, E2, R2>(
  first: Effect.Effect<A, E, R>,
  second: Effect.Effect<B, E2, R2>
): Effect.Effect<A | B, E | E2, R | R2 | Transaction> =>
  Effect.flatMap(Transaction, (log) =>
    Effect.suspend(() => {
      const restore = log.save()
      return Effect.flatMap(Effect.exit(first), (exit): Effect.Effect<A | B, E | E2, R2> => {
        if (log.state !== "retry" || Exit.isSuccess(exit)) return exit
        restore()
        log.state = "running"
        return second
      })
    }))

// internals

/** How a run has ended: with the exit of the transaction, or so that it runs again, now or after a change. */
type Next<A, E> =
  | { readonly _tag: "Ended"; readonly exit: Exit.Exit<A, E> }
  | { readonly _tag: "Conflict" | "Again" }
  | { readonly _tag: "Wait"; readonly changed: Effect.Effect<void, ManagerError> }

type Run<A, E, R> = Effect.Effect<A, E | TransactionConflict | ManagerError, Exclude<R, Transaction> | Manager>

/** Runs a body once. `reservation`: the one that this transaction has, or 0. */
const once = <A, E, R>(
  body: Effect.Effect<A, E, R>,
  reservation: GrantId
): Effect.Effect<Next<A, E>, ManagerError, Exclude<R, Transaction> | Manager> =>
  Effect.flatMap(Manager, ({ connection }) => {
    const log = new TransactionLog(connection)
    const next = (exit: Exit.Exit<A, E>): Effect.Effect<Next<A, E>, ManagerError, Manager> => {
      if (log.state === "conflict") return Effect.succeed({ _tag: "Conflict" })
      if (log.state === "retry") return Effect.succeed({ _tag: "Wait", changed: log.changed })
      if (log.refusal !== undefined) return log.refusal
      // The last read has found that all reads were true together, so what follows from them alone is true, too.
      if (Exit.isFailure(exit) || !log.hasWrites) return Effect.succeed({ _tag: "Ended", exit })
      return Effect.map(commit(log, reservation), (ended): Next<A, E> => {
        if (ended === "Committed") return { _tag: "Ended", exit }
        return ended === "Wait" ? { _tag: "Wait", changed: log.changed } : { _tag: ended }
      })
    }
    return Effect.flatMap(Effect.exit(Effect.provideService(body, Transaction, log)), next)
  })

/** Commits. Of another transaction that has the reservation it waits for the end, once: then it needs its own. */
const commit = (
  log: TransactionLog,
  reservation: GrantId
): Effect.Effect<Exclude<Committed, "Reserved">, ManagerError, Manager> =>
  Effect.gen(function*() {
    const gate = yield* openGate
    const call = pass(gate, reservation)
    const first = yield* log.commit(call)
    if (first !== "Reserved") return first
    yield* untilUnreserved(gate)
    const second = yield* log.commit(call)
    return second === "Reserved" ? "Conflict" : second
  })

/** Runs a body until its transaction has ended. `conflicts`: in the runs before, in a row. */
const run = <A, E, R>(body: Effect.Effect<A, E, R>, conflicts = 0): Run<A, E, R> =>
  Effect.flatMap(
    once(body, 0),
    (next): Run<A, E, R> => next._tag === "Conflict" ? runReserved(body, conflicts + 1) : follow(body, next)
  )

/** Runs a body under the reservation, until it has met no conflict. */
const runReserved = <A, E, R>(body: Effect.Effect<A, E, R>, conflicts: number): Run<A, E, R> => {
  type Step = Effect.Effect<Next<A, E>, TransactionConflict | ManagerError, Exclude<R, Transaction> | Manager>
  const again = (reservation: GrantId, conflicts: number): Step =>
    Effect.flatMap(once(body, reservation), (next): Step => {
      if (next._tag !== "Conflict") return Effect.succeed(next)
      return conflicts < runsMax
        ? again(reservation, conflicts + 1)
        : Effect.fail(new TransactionConflict({ runs: conflicts }))
    })
  return Effect.flatMap(reserved((reservation) => again(reservation, conflicts + 1)), (next) => follow(body, next))
}

/** What follows a run without a conflict. */
const follow = <A, E, R>(body: Effect.Effect<A, E, R>, next: Next<A, E>): Run<A, E, R> => {
  switch (next._tag) {
    case "Ended":
      return next.exit
    case "Wait":
      return Effect.flatMap(next.changed, () => run(body))
    default:
      return run(body)
  }
}
