/**
 * A list in a transaction: once it is read, all its items are here, and the commit replaces the part that differs. A list
 * to which a transaction only appends is not read.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { list } from "../engine/kinds/list.ts"
import { type Cell, isEqual } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import { theEnd, whole } from "./bounds.ts"
import type { Remote } from "./Remote.ts"
import { type Part, type Transaction, type TransactionLog, withPart } from "./TransactionLog.ts"

type ListRemote = Remote<typeof list>

class ListPart implements Part {
  readonly #remote: ListRemote
  readonly #log: TransactionLog
  #read: { readonly items: ReadonlyArray<Cell>; readonly version: number } | undefined
  /** What the list is to become, if that was said of all of it. */
  #written: ReadonlyArray<Cell> | undefined
  #appended: ReadonlyArray<Cell> = []

  constructor(remote: ListRemote, log: TransactionLog) {
    this.#remote = remote
    this.#log = log
  }

  get items(): Effect.Effect<ReadonlyArray<Cell>, ManagerError> {
    return Effect.suspend(() => {
      if (this.#read !== undefined) return Effect.succeed(this.#now())
      const reads = [this.#remote.prepared("size", []), this.#remote.prepared("slice", [0, whole(theEnd)])]
      return this.#log.read(reads, ([size, items]) => {
        // The replies of `size` and `slice`.
        this.#read = { items: items as ReadonlyArray<Cell>, version: Number(size![1]) }
        return this.#now()
      })
    })
  }

  append(item: Cell): void {
    this.#appended = [...this.#appended, item]
  }

  replace(items: ReadonlyArray<Cell>): void {
    this.#written = items
    this.#appended = []
  }

  checks() {
    return this.#read === undefined ? [] : [this.#remote.prepared("check", [this.#read.version])]
  }

  writes() {
    const { items = [] } = this.#read ?? {}
    if (this.#written === undefined) {
      const end = whole(theEnd)
      return this.#appended.length === 0 ? [] : [this.#remote.prepared("splice", [end, end, ...this.#appended])]
    }
    const [start, end, inserted] = difference(items, this.#now())
    return start === end && inserted.length === 0 ? [] : [this.#remote.prepared("splice", [start, end, ...inserted])]
  }

  waits() {
    return this.#read === undefined
      ? []
      : [this.#remote.call("untilChanged", [this.#read.version], () => Exit.void)]
  }

  save() {
    const [written, appended] = [this.#written, this.#appended]
    return () => {
      this.#written = written
      this.#appended = appended
    }
  }

  #now(): ReadonlyArray<Cell> {
    return [...this.#written ?? this.#read!.items, ...this.#appended]
  }
}

/** Start and end of the part in which a list differs from another one, and what stands there in the other one. */
const difference = (
  before: ReadonlyArray<Cell>,
  after: ReadonlyArray<Cell>
): readonly [start: number, end: number, inserted: ReadonlyArray<Cell>] => {
  const shorter = Math.min(before.length, after.length)
  let start = 0
  while (start < shorter && isEqual(before[start]!, after[start]!)) start++
  let tail = 0
  while (tail < shorter - start && isEqual(before.at(-1 - tail)!, after.at(-1 - tail)!)) tail++
  return [start, before.length - tail, after.slice(start, after.length - tail)]
}

const inList = <A, E>(
  remote: ListRemote,
  use: (part: ListPart) => Effect.Effect<A, E>
): Effect.Effect<A, E | ManagerError, Transaction> => withPart(remote, (log) => new ListPart(remote, log), use)

/** All items, as values. */
export const transactionItems = (remote: ListRemote): Effect.Effect<ReadonlyArray<Cell>, ManagerError, Transaction> =>
  inList(remote, (part) => part.items)

/** Replaces all items, which were read. */
export const replaceItems = (remote: ListRemote, items: ReadonlyArray<Cell>) =>
  inList(remote, (part) => Effect.sync(() => part.replace(items)))

/** Adds an item at the end. */
export const appendItem = (remote: ListRemote, item: Cell) =>
  inList(remote, (part) => Effect.sync(() => part.append(item)))
