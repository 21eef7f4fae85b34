/**
 * A queue in a transaction: its first items are read one by one, and its commit takes them, offers others, and acknowledges
 * the lease of the item that is being processed.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import type { Connection } from "../client/Connection.ts"
import type { GrantId } from "../engine/Operation.ts"
import type { Argument, Cell, ObjectId } from "../engine/Value.ts"
import { InvalidRequest, ManagerError } from "../ManagerError.ts"
import { encoded } from "./exits.ts"
import { QueueClosed, type QueueRemote, whenClosed } from "./offers.ts"
import type { Refusals } from "./Remote.ts"
import { type Part, type Transaction, type TransactionLog, txRetry, withPart } from "./TransactionLog.ts"
import type { ValueCodec } from "./ValueCodec.ts"

/** Queues that were found closed, as they stay: an offer in the next run of a transaction fails at once. */
const closedQueues = new WeakMap<Connection, Set<ObjectId>>()

class QueuePart implements Part {
  readonly #remote: QueueRemote
  readonly #log: TransactionLog
  /** The first items that were read, and whether there are no others. */
  readonly #items: Array<{ readonly place: number; readonly cell: Cell }> = []
  #isWhole = false
  /** How many of them are taken. */
  #taken = 0
  #offered: ReadonlyArray<Cell> = []
  #lease: { readonly id: GrantId; readonly refusals: Refusals<"NotHeld", unknown> } | undefined
  /** The commit was refused because there was no room. */
  #isFull = false
  /** Each fiber that takes reads the item behind those of the others. */
  readonly #serially = Semaphore.makeUnsafe(1)

  constructor(remote: QueueRemote, log: TransactionLog) {
    this.#remote = remote
    this.#log = log
  }

  /** Takes the first item, or one that this transaction has offered. */
  take(): Effect.Effect<Option.Option<Cell>, ManagerError> {
    const taken = Effect.suspend((): Effect.Effect<Option.Option<Cell>, ManagerError> => {
      const known = this.#items[this.#taken]
      if (known !== undefined) {
        this.#taken++
        return Effect.succeedSome(known.cell)
      }
      if (!this.#isWhole) return Effect.andThen(this.#read(), taken)
      const [own, ...others] = this.#offered
      if (own === undefined) return Effect.succeedNone
      this.#offered = others
      return Effect.succeedSome(own)
    })
    return this.#serially.withPermits(1)(taken)
  }

  #read(): Effect.Effect<void, ManagerError> {
    const peek = this.#remote.prepared("peek", [this.#items.length], whenClosed)
    return this.#log.read([peek], ([reply]) => {
      // The reply of `peek`.
      const [place, cell] = reply as readonly [] | readonly [number, Cell]
      if (place === undefined || cell === undefined) this.#isWhole = true
      else this.#items.push({ place, cell })
    })
  }

  offer(cell: Cell): Effect.Effect<void, QueueClosed> {
    const { connection, target } = this.#remote
    if (closedQueues.get(connection)?.has(target.id) === true) {
      return Effect.fail(new QueueClosed({ queue: target.description }))
    }
    this.#offered = [...this.#offered, cell]
    return Effect.void
  }

  acknowledge(id: GrantId, refusals: Refusals<"NotHeld", unknown>): void {
    this.#lease = { id, refusals }
  }

  checks() {
    const places = this.#places
    return places.length === 0 ? [] : [this.#remote.prepared("check", places)]
  }

  writes() {
    const { id = 0, refusals } = this.#lease ?? {}
    if (this.#offered.length > 0) {
      return [
        this.#remote.prepared("commitOffers", [id, this.#taken, ...this.#offered], {
          ...refusals,
          OverCapacity: overCapacity(this.#offered.length)
        })
      ]
    }
    return id === 0 && this.#taken === 0 ? [] : [this.#remote.prepared("commit", [id, this.#taken], refusals)]
  }

  waits() {
    const places = this.#places
    const changed = places.length === 0 ? [] : [this.#remote.call("untilChanged", places, () => Exit.void)]
    const room = Math.max(1, this.#offered.length - this.#taken - (this.#lease === undefined ? 0 : 1))
    return this.#isFull ? [...changed, this.#remote.call("untilRoom", [room], () => Exit.void)] : changed
  }

  save() {
    const [taken, offered] = [this.#taken, this.#offered]
    return () => {
      this.#taken = taken
      this.#offered = offered
    }
  }

  refused(error: string) {
    if (error === "Full") {
      this.#isFull = true
      return "Wait"
    }
    if (error !== "QueueClosed") return undefined
    const { connection, target } = this.#remote
    const closed = closedQueues.get(connection) ?? new Set()
    closedQueues.set(connection, closed.add(target.id))
    return "Again"
  }

  get #places(): ReadonlyArray<number | null> {
    return [...this.#items.map(({ place }) => place), ...this.#isWhole ? [null] : []]
  }
}

/** The items can never be in the queue together. */
const overCapacity = (items: number) => ([capacity]: ReadonlyArray<Argument>, object: string): ManagerError => {
  const issue = `a transaction offers ${items} items, and the queue has a capacity of ${capacity}`
  return new ManagerError({ reason: new InvalidRequest({ object, operation: "offer", issue }) })
}

const inQueue = <A, E>(
  remote: QueueRemote,
  use: (part: QueuePart) => Effect.Effect<A, E>
): Effect.Effect<A, E | ManagerError, Transaction> => withPart(remote, (log) => new QueuePart(remote, log), use)

/** Takes the first item; `None` if there is none. Fails with `QueueClosed` if no item will come. */
const takeItem = (
  remote: QueueRemote
): Effect.Effect<Option.Option<Cell>, QueueClosed | ManagerError, Transaction> =>
  // `peek` may be refused with it.
  inQueue(remote, (part): Effect.Effect<Option.Option<Cell>, QueueClosed | ManagerError> => part.take())

/** Adds an item when the transaction commits. */
const offerItem = (
  remote: QueueRemote,
  cell: Cell
): Effect.Effect<void, QueueClosed | ManagerError, Transaction> =>
  inQueue(remote, (part) => Effect.suspend(() => part.offer(cell)))

/** Acknowledges a lease when the transaction commits. */
export const acknowledge = <E>(
  remote: QueueRemote,
  lease: GrantId,
  refusals: Refusals<"NotHeld", E>
): Effect.Effect<void, E | ManagerError, Transaction> =>
  // The commit may be refused with it.
  inQueue(remote, (part): Effect.Effect<void, E> => Effect.sync(() => part.acknowledge(lease, refusals)))

/** A queue in a transaction: items are taken and added when the transaction commits. */
export interface TransactionQueue<in out A> {
  /** Takes the first item for good. While there is none, gives up as `Transaction.txRetry`. */
  readonly take: Effect.Effect<A, QueueClosed | ManagerError, Transaction>
  /** As `take`, but returns `None` while there is no item. */
  readonly poll: Effect.Effect<Option.Option<A>, QueueClosed | ManagerError, Transaction>
  /**
   * Adds an item at the end. If the queue has no room when the transaction commits, or other offers wait for it, the
   * transaction runs again when there is.
   */
  readonly offer: (value: A) => Effect.Effect<void, QueueClosed | ManagerError, Transaction>
}

/** The queue of a proxy in a transaction. */
export const transactionQueue = <A>(remote: QueueRemote, codec: ValueCodec<A>): TransactionQueue<A> => {
  const take = Effect.flatMap(
    takeItem(remote),
    (found): Exit.Exit<Option.Option<A>, ManagerError> =>
      Option.isNone(found)
        ? Exit.succeed(Option.none())
        : Exit.map(remote.decode("tx", codec, found.value), Option.some)
  )
  return {
    take: Effect.flatMap(take, Option.match({ onNone: () => txRetry, onSome: Effect.succeed })),
    poll: take,
    offer: (value) => encoded(() => remote.encode("tx", codec, value), (cell) => offerItem(remote, cell))
  }
}
