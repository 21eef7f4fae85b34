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
import type { ManagerError } from "./ManagerError.ts"
import { Manager } from "./proxy/Manager.ts"
import type { PreparedCall } from "./proxy/Remote.ts"
import { end, gate as openGate, pass, reserve } from "./proxy/transactionGate.ts"
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

/** The first ones of them compete: a reservation after each conflict would hold up all others while there are few. */
const competingMax = 2

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
 * Reads that fibers of the body begin in one turn of the event loop are one request. A run after a conflict, or after a
 * wait, begins with one request for all values that the run before has read.
 *
 * **Fairness** From its second conflict in a row on a transaction waits, in FIFO order, for the only reservation of the
 * manager: no other transaction commits writes while it is held, so each of n contending transactions needs at most three
 * runs. Changes without a transaction ignore the reservation; a transaction that they make run 1,000 times fails with
 * `TransactionConflict`.
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
      : Manager.use(({ connection }) => run(body, new TransactionLog(connection)))
  )

/**
 * Runs the second part if the first one gives up with `txRetry`. What the first one was to write is dropped then. If both
 * give up, the transaction runs again when something has changed that either has read.
 */
export const orElse = <A, E, R, B, E2, R2>(
  first: Effect.Effect<A, E, R>,
  second: Effect.Effect<B, E2, R2>
): Effect.Effect<A | B, E | E2, R | R2 | Transaction> =>
  Transaction.use((log) => {
    const restore = log.save()
    return Effect.flatMap(Effect.exit(first), (exit): Effect.Effect<A | B, E | E2, R2> => {
      if (log.state !== "retry" || Exit.isSuccess(exit)) return exit
      restore()
      log.state = "running"
      return second
    })
  })

// internals

/** How a run has ended: with the exit of the transaction, or so that it runs again, now or after a change. */
type Next<A, E> =
  | { readonly _tag: "Ended"; readonly exit: Exit.Exit<A, E>; readonly isCommitted: boolean }
  | { readonly _tag: Exclude<Committed, "Committed"> }

type Run<A, E, R> = Effect.Effect<A, E | TransactionConflict | ManagerError, Exclude<R, Transaction> | Manager>

type Step<A, E, R> = Effect.Effect<Next<A, E>, ManagerError, Exclude<R, Transaction> | Manager>

/** Runs a body until its transaction has ended. `conflicts`: in the runs before, in a row. */
const run = <A, E, R>(body: Effect.Effect<A, E, R>, log: TransactionLog, conflicts = 0): Run<A, E, R> =>
  Effect.flatMap(
    conflicts < competingMax ? competing(body, log) : reserved(body, log),
    (next): Run<A, E, R> => {
      switch (next._tag) {
        case "Ended":
          return next.exit
        case "Wait":
          return Effect.flatMap(log.changed, () => run(body, log.next()))
        case "Again":
          return run(body, log.next())
        case "Conflict":
          return conflicts + 1 < runsMax
            ? run(body, log.next(), conflicts + 1)
            : Effect.fail(new TransactionConflict({ runs: conflicts + 1 }))
      }
    }
  )

/** Runs a body once. Its commit waits while another transaction has the reservation. */
const competing = <A, E, R>(body: Effect.Effect<A, E, R>, log: TransactionLog): Step<A, E, R> =>
  Effect.flatMapEager(log.begin(), () => once(body, log, Effect.map(openGate, pass)))

/** Runs a body once, under the reservation. */
const reserved = <A, E, R>(body: Effect.Effect<A, E, R>, log: TransactionLog): Step<A, E, R> =>
  Effect.flatMap(openGate, (gate) =>
    Effect.suspend(() => {
      let reservation = 0
      const begun = log.begin(reserve(gate), ([id]) => {
        reservation = Number(id)
      })
      const ended = once(body, log, Effect.sync(() => end(gate, reservation)))
      return Effect.onExit(Effect.andThen(begun, ended), (exit) => {
        const isCommitted = Exit.isSuccess(exit) && exit.value._tag === "Ended" && exit.value.isCommitted
        if (reservation !== 0 && !isCommitted) gate.tell("endReservation", [reservation])
        return Effect.void
      })
    }))

/** Runs a body once. `pass`: the call of its commit that has to do with the reservation. */
const once = <A, E, R>(
  body: Effect.Effect<A, E, R>,
  log: TransactionLog,
  pass: Effect.Effect<PreparedCall, ManagerError, Manager>
): Step<A, E, R> =>
  Effect.flatMap(Effect.exit(Effect.provideService(body, Transaction, log)), (exit): Step<A, E, never> => {
    if (log.state === "conflict") return Effect.succeed({ _tag: "Conflict" })
    if (log.state === "retry") return Effect.succeed({ _tag: "Wait" })
    if (log.refusal !== undefined) return log.refusal
    const writes = Exit.isSuccess(exit) ? log.writes : []
    // The last read has found that all reads were true together, so what follows from them alone is true, too.
    if (writes.length === 0) return Effect.succeed({ _tag: "Ended", exit, isCommitted: false })
    return Effect.map(
      Effect.flatMap(pass, (call) => log.commit(call, writes)),
      (ended) => ended === "Committed" ? { _tag: "Ended", exit, isCommitted: true } : { _tag: ended }
    )
  })
