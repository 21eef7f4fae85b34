/**
 * A shared queue: Effect's bounded `Queue`, whose deliveries survive the death of their consumer (S-17 to S-19).
 *
 * Use `process` for work that must finish: the item is removed only when the work has succeeded, and returns to the
 * queue with a higher attempt when its worker dies. A plain `take` removes the item on delivery.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { queue } from "./engine/kinds/queue.ts"
import type { ManagerError } from "./ManagerError.ts"
import {
  acknowledged,
  type Delivery,
  type Lease,
  type Leased,
  type LeaseLost,
  process,
  processAll,
  takeLease,
  whenNotHeld
} from "./proxy/deliveries.ts"
import { encoded } from "./proxy/exits.ts"
import { type HoldFor, holdForOption } from "./proxy/holdFor.ts"
import { type DeadLetter, deadLetter, letters } from "./proxy/letters.ts"
import type { Manager } from "./proxy/Manager.ts"
import { offer, offerAll, type OfferedInPart, type QueueClosed, type QueueRemote, whenClosed } from "./proxy/offers.ts"
import { acknowledge, type TransactionQueue, transactionQueue } from "./proxy/queueTransaction.ts"
import * as Shared from "./proxy/Shared.ts"
import * as ValueCodec from "./proxy/ValueCodec.ts"
import { whileOpen } from "./proxy/whileOpen.ts"
import * as Transaction from "./Transaction.ts"

export { type Delivery, type Lease, LeaseLost } from "./proxy/deliveries.ts"
export type { DeadLetter } from "./proxy/letters.ts"
export { OfferedInPart, QueueClosed } from "./proxy/offers.ts"
export type { TransactionQueue } from "./proxy/queueTransaction.ts"

/** How many dead letters a queue has and had. */
export interface DeadLetterCounts {
  /** Dead letters that the queue has. */
  readonly kept: number
  /** Dead letters that were discarded because there were more than `deadLetterCapacity`. */
  readonly discarded: number
}

/**
 * A shared queue.
 *
 * Methods without the paragraphs **Fairness**, **Cancellation** and **On disconnect** are one call, which never waits
 * for other processes: an interrupted one took effect once or not at all, and after a disconnect the reason of
 * `ManagerError` says whether it did.
 */
export interface SharedQueue<in out A> extends Shared.Shared {
  /**
   * Adds an item at the end; waits while the queue is full.
   *
   * Work that offers to its own queue (`process`, `processAll`, `takeLease`) may fill it. When each item that is being
   * processed waits in `offer`, nothing makes room: the offer then fails with `ManagerError` of reason `Deadlock`, at once,
   * or after two seconds without a change if items are queued that another process might take.
   *
   * **Fairness** FIFO. **Cancellation** Interruptible while it waits; nothing was added then. **On disconnect**
   * `ManagerError`, whose reason says whether the item was added.
   */
  readonly offer: (value: A) => Effect.Effect<void, QueueClosed | ManagerError>
  /**
   * Adds items in order; waits for room. Returns the items that were not added because the queue was closed. The items
   * that fit are sent in one call; of the others at most 1,000 wait at the same time, each as an offer of its own, in
   * order. If one item does not encode, the call fails before any was added.
   *
   * **Fairness** FIFO. **Cancellation** Interruptible while it waits; items that were added by then stay.
   * **On disconnect** `OfferedInPart`, which has the number of added items, if there are any; otherwise `ManagerError`.
   */
  readonly offerAll: (values: Iterable<A>) => Effect.Effect<Array<A>, OfferedInPart | ManagerError>
  /** Adds an item if there is room, and returns whether it did (Python's `put_nowait`). */
  readonly offerIfRoom: (value: A) => Effect.Effect<boolean, QueueClosed | ManagerError>
  /**
   * Waits for the first item and runs `f` on it. The item is removed when `f` has succeeded. It returns to its old
   * place with one more attempt when `f` fails or the process dies, and with the same attempt when `f` is interrupted. If
   * `f` takes longer than the queue's `holdFor`, it is interrupted, and this fails with `LeaseLost`.
   *
   * **Fairness** FIFO. **Cancellation** Interruptible at any point; the item returns to its old place.
   * **On disconnect** `ManagerError`; the manager puts the item back.
   */
  readonly process: <B, E, R>(
    f: (value: A, delivery: Delivery) => Effect.Effect<B, E, R>
  ) => Effect.Effect<B, E | QueueClosed | LeaseLost | ManagerError, Exclude<R, Scope.Scope>>
  /**
   * Processes one item after another until the queue is closed and drained. The first failure of `f` ends it, and so
   * does a `QueueClosed` of another queue. To process several items at a time, run it several times.
   *
   * **Fairness**, **Cancellation** and **On disconnect** as `process`.
   */
  readonly processAll: <B, E, R>(
    f: (value: A, delivery: Delivery) => Effect.Effect<B, E, R>
  ) => Effect.Effect<void, E | LeaseLost | ManagerError, Exclude<R, Scope.Scope>>
  /**
   * As `process`, where `f` is the body of a transaction (`Transaction.tx`): what it writes takes effect in the step that
   * removes the item, or not at all. So what `f` does to objects of this manager by `tx` is done exactly once for each
   * item, whenever a process dies. `f` may run several times.
   *
   * **Fairness**, **Cancellation** and **On disconnect** as `process`, and as `Transaction.tx`.
   */
  readonly processTx: <B, E, R>(
    f: (value: A, delivery: Delivery) => Effect.Effect<B, E, R>
  ) => Effect.Effect<
    B,
    E | QueueClosed | LeaseLost | Transaction.TransactionConflict | ManagerError,
    Exclude<Exclude<R, Scope.Scope>, Transaction.Transaction> | Manager
  >
  /**
   * As `processAll`, where `f` is the body of a transaction for each item, as in `processTx`.
   *
   * **Fairness**, **Cancellation** and **On disconnect** as `processTx`.
   */
  readonly processAllTx: <B, E, R>(
    f: (value: A, delivery: Delivery) => Effect.Effect<B, E, R>
  ) => Effect.Effect<
    void,
    E | LeaseLost | Transaction.TransactionConflict | ManagerError,
    Exclude<Exclude<R, Scope.Scope>, Transaction.Transaction> | Manager
  >
  /**
   * Waits for the first item, removes it and returns it. Once this effect has succeeded the item is gone from the
   * manager: if the process then dies, the item is lost.
   *
   * **Fairness** FIFO. **Cancellation** Interruptible while it waits; an item that was on its way returns to its old
   * place. **On disconnect** `ManagerError`; an item that was on its way returns to its old place.
   */
  readonly take: Effect.Effect<A, QueueClosed | ManagerError>
  /** The queue in a transaction (`Transaction.tx`), the only place where this compiles. */
  readonly tx: TransactionQueue<A>
  /** As `take`, but returns `None` where `take` would wait or fail with `QueueClosed` (Python's `get_nowait`). */
  readonly poll: Effect.Effect<Option.Option<A>, ManagerError>
  /**
   * Streams items by repeated `take`, one for each that is pulled. The stream ends when the queue is closed and
   * drained, and fails with `ManagerError` of reason `ProducerLost` if a `producer` was lost.
   *
   * **Fairness**, **Cancellation** and **On disconnect** as `take`.
   */
  readonly stream: Stream.Stream<A, ManagerError>
  /**
   * Waits for the first item and leases it: it must be settled, by `ack` or `nack`, before the scope ends. An unsettled
   * item returns to its old place when the scope ends.
   *
   * **Fairness**, **Cancellation** and **On disconnect** as `process`.
   */
  readonly takeLease: Effect.Effect<Lease<A>, QueueClosed | ManagerError, Scope.Scope>
  /**
   * Makes this process a producer for the life of the scope. When the last producer has ended, the queue is closed, as by
   * `close`. So a reader does not wait for items that nobody will offer (Go's `close(ch)`, the drop of the last `Sender`
   * of Tokio's channel).
   *
   * A producer is lost when its process dies or is disconnected, or its scope ends with a failure or an interruption. If
   * one is lost, and no later one has taken its place when the last producer ends, takers still drain the queue, and then
   * fail with `ManagerError` of reason `ProducerLost` instead of `QueueClosed`: so a reader never takes a part of the
   * items for all of them. A program that starts lost producers again is a producer itself, so that one is always left.
   *
   * Other processes may offer, too: the queue does not wait for them.
   *
   * **Fairness** Never waits. **Cancellation** Interruptible; then this process was no producer. **On disconnect**
   * `ManagerError`; the producer is lost.
   */
  readonly producer: Effect.Effect<void, QueueClosed | ManagerError, Scope.Scope>
  /** Closes the queue: waiting and later offers fail with `QueueClosed`, and takers drain the remaining items. */
  readonly close: Effect.Effect<void, ManagerError>
  /** Drops all queued items, and returns how many there were. Items that are leased are not queued. */
  readonly clear: Effect.Effect<number, ManagerError>
  /** Returns the number of queued items. Items that are leased are not queued. */
  readonly size: Effect.Effect<number, ManagerError>
  /** Whether no item is queued. */
  readonly isEmpty: Effect.Effect<boolean, ManagerError>
  /** Whether `offer` would wait. */
  readonly isFull: Effect.Effect<boolean, ManagerError>
  /**
   * Waits until no item is queued. The manager checks after every change and sends one message, so a moment is enough
   * (S-29).
   *
   * **Fairness** A waiter delays nobody; all that wait for this are released in one step. **Cancellation**
   * Interruptible; the manager forgets the call. **On disconnect** `ManagerError`.
   */
  readonly untilEmpty: Effect.Effect<void, ManagerError>
  /**
   * Waits until every accepted item is settled: removed by `take`, processed with success, dropped by `clear`, or a
   * dead letter that is not retried (Python's `join`). An item of a dead worker comes back, so if no other process takes
   * it, this waits for ever. It says nothing about items that are still to be offered: those are over when a stream of a
   * queue with a `producer` ends. **Fairness**, **Cancellation** and **On disconnect** as `untilEmpty`.
   */
  readonly untilSettled: Effect.Effect<void, ManagerError>
  /**
   * Returns the dead letters, oldest first: all of `deadLetterStream`. **Fairness**, **Cancellation** and
   * **On disconnect** as `deadLetterStream`.
   */
  readonly deadLetters: Effect.Effect<ReadonlyArray<DeadLetter<A>>, ManagerError>
  /**
   * Streams the dead letters that the queue has when the stream begins, oldest first. Each page of 192 KiB is requested
   * when it is pulled. A letter that is gone before its page is read is not in the stream.
   *
   * **Fairness** A reader delays nobody. **Cancellation** Interruptible at any point; the manager keeps nothing for a
   * reader. **On disconnect** The stream fails with `ManagerError`.
   */
  readonly deadLetterStream: Stream.Stream<DeadLetter<A>, ManagerError>
  /** Returns how many dead letters there are, and how many were discarded. */
  readonly deadLetterCounts: Effect.Effect<DeadLetterCounts, ManagerError>
}

/** Options of a queue. All programs that open a name must agree on them. */
export interface Options<S extends Schema.Top> extends HoldFor {
  /** The schema of the items. */
  readonly item: S
  /** How many items may be queued or leased before `offer` waits. Default 1024; `Infinity` for no bound. */
  readonly capacity?: number | undefined
  /** How many deliveries of an item may fail before it becomes a dead letter. Default 5. */
  readonly attempts?: number | undefined
  /** How many dead letters are kept. Default 10,000; `Infinity` for no bound but the manager's `memoryBytesMax`. */
  readonly deadLetterCapacity?: number | undefined
  /**
   * What happens when `deadLetterCapacity` is reached. *sliding*, the default: for each new dead letter the oldest is
   * discarded, and counted by `deadLetterCounts`. *suspend*: none is discarded. Takers wait until a dead letter is
   * dropped or retried, and so do offers once the queue is full. Items that are delivered by then may exceed the bound.
   */
  readonly deadLetterStrategy?: "sliding" | "suspend" | undefined
}

const kind = "Queue"

type Services<S extends Schema.Top> = S["DecodingServices"] | S["EncodingServices"]

const facade = <S extends Schema.Top>(
  item: S
): Shared.Facade<SharedQueue<S["Type"]>, typeof queue, ValueCodec.ValueCodec<S["Type"]>, Services<S>> => ({
  kind,
  values: { schemas: [item], codecs: ValueCodec.make(item) },
  proxy
})

const creation = <S extends Schema.Top>(
  { attempts = 5, capacity = 1_024, deadLetterCapacity = 10_000, deadLetterStrategy = "sliding", holdFor }: Options<S>
) => ({ options: { capacity, attempts, deadLetterCapacity, deadLetterStrategy, ...holdForOption({ holdFor }) } })

/**
 * Declares a named queue as a service: `class Jobs extends SharedQueue.Service<Jobs>()("app/Jobs", { item: Job }) {}`.
 */
export const Service = <Self>() => <const Id extends string, S extends Schema.Top>(id: Id, options: Options<S>) =>
  Shared.service<Self>()(id, facade(options.item), creation(options))

/** Opens a named queue, or makes an unnamed one, for the life of the scope. */
export const make = <S extends Schema.Top>(
  options: Options<S> & { readonly name?: string | undefined }
): Effect.Effect<SharedQueue<S["Type"]>, Shared.OpenError, Manager | Scope.Scope | Services<S>> =>
  Shared.open(facade(options.item), creation(options), options.name)

/**
 * The schema of a queue's handle, for queues inside payloads, items and values. Takes the options of `make`,
 * or the schema in them.
 */
export const schema: {
  <S extends Schema.Top>(item: S): Shared.HandleSchema<SharedQueue<S["Type"]>, Services<S>>
  <S extends Schema.Top>(
    options: Shared.SchemaOptions<Options<S>, "item">
  ): Shared.HandleSchema<SharedQueue<S["Type"]>, Services<S>>
} = <S extends Schema.Top>(given: S | Shared.SchemaOptions<Options<S>, "item">) =>
  Shared.handleSchema(facade(Schema.isSchema(given) ? given : given.item))

/** Whether a value is a `SharedQueue`. */
export const isSharedQueue = (u: unknown): u is SharedQueue<unknown> => Shared.isShared(kind)(u)

// internals

const proxy = <A>(remote: QueueRemote, codec: ValueCodec.ValueCodec<A>): SharedQueue<A> => {
  const take = Effect.uninterruptibleMask((restore) =>
    remote.callOwned(restore, "take", [], ([cell]) => remote.decode("take", codec, cell), whenClosed, "reject")
  )
  return {
    [Shared.TypeId]: remote,
    offer: (value) => encoded(() => remote.encode("offer", codec, value), (cell) => offer(remote, cell)),
    offerAll: (values) => Effect.suspend(() => offerAll(remote, codec, Array.from(values))),
    offerIfRoom: (value) =>
      encoded(
        () => remote.encode("offerIfRoom", codec, value),
        (cell) => remote.call("offerAll", [cell], ([accepted]) => Exit.succeed(accepted === 1), whenClosed)
      ),
    process: (f) => process(remote, codec, whenClosed, f, acknowledged),
    processAll: (f) => processAll(remote, codec, f, acknowledged),
    processTx: (f) => process(remote, codec, whenClosed, f, committed),
    processAllTx: (f) => processAll(remote, codec, f, committed),
    // Made when it is read: most handles are not used in a transaction.
    get tx() {
      return transactionQueue(remote, codec)
    },
    take,
    // A stream costs more than the rest of a proxy, and most proxies that come with a payload are not read as one.
    get stream() {
      return Stream.fromEffectRepeat(Effect.catchTag(take, "QueueClosed", () => Cause.done()))
    },
    poll: Effect.uninterruptibleMask((restore) =>
      remote.callOwned(
        restore,
        "poll",
        [],
        ([cell]) =>
          cell === undefined
            ? Exit.succeed(Option.none<A>())
            : Exit.map(remote.decode("poll", codec, cell), Option.some),
        undefined,
        "reject"
      )
    ),
    takeLease: takeLease(remote, codec),
    clear: remote.call("clear", [], ([dropped]) => Exit.succeed(dropped)),
    producer: whileOpen(
      (restore) => remote.callOwned(restore, "addProducer", [], ([producer]) => Exit.succeed(producer), whenClosed),
      (producer, isLost) => remote.tell("endProducer", [producer, isLost])
    ),
    close: remote.call("close", [], () => Exit.void),
    size: remote.call("size", [], ([queued]) => Exit.succeed(queued)),
    isEmpty: remote.call("size", [], ([queued]) => Exit.succeed(queued === 0)),
    isFull: remote.call("isFull", [], ([isFull]) => Exit.succeed(isFull === 1)),
    untilEmpty: remote.call("untilEmpty", [], () => Exit.void),
    untilSettled: remote.call("untilSettled", [], () => Exit.void),
    get deadLetters() {
      return Stream.runCollect(this.deadLetterStream)
    },
    get deadLetterStream() {
      return Stream.map(letters(remote), (letter) => deadLetter(remote, codec, letter))
    },
    deadLetterCounts: remote.call("deadLetterCounts", [], ([kept, discarded]) => Exit.succeed({ kept, discarded }))
  }
}

/** Removes the item in the step in which all that the work writes takes effect. */
const committed = <A, B, E, R>(work: Effect.Effect<B, E, R>, remote: QueueRemote, { id }: Leased<A>) =>
  Transaction.tx(Effect.tap(work, () => acknowledge(remote, id, whenNotHeld)))
