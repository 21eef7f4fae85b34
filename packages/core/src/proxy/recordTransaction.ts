/**
 * A record object (`engine/kinds/record.ts`) in a transaction: what was read, by entry, and what is to be written.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Found } from "../engine/kinds/recordEntries.ts"
import type { Cell } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import { encoded } from "./exits.ts"
import type { EntryCodec, OpenRemote, RecordRemote } from "./record.ts"
import { type Part, type Transaction, type TransactionLog, withPart } from "./TransactionLog.ts"

class RecordPart implements Part {
  readonly #remote: RecordRemote
  readonly #log: TransactionLog
  /** The versions of entries that were read, and without a word that of the words. */
  readonly #versions = new Map<string | null, number>()
  readonly #cells = new Map<string, Cell | null>()
  #words: ReadonlyArray<string> = []
  /** `null`: the entry is to be removed. */
  #written = new Map<string, Cell | null>()

  constructor(remote: RecordRemote, log: TransactionLog) {
    this.#remote = remote
    this.#log = log
  }

  get(word: string): Effect.Effect<Cell | null, ManagerError> {
    return Effect.suspend(() => {
      const known = this.#written.has(word) ? this.#written.get(word) : this.#cells.get(word)
      if (known !== undefined) return Effect.succeed(known)
      return Effect.map(this.#log.read(this.#remote.prepared("get", [word])), ([reply]) => {
        // The reply of `get`.
        const [cell, version] = reply as Found
        this.#versions.set(word, version)
        this.#cells.set(word, cell)
        return cell
      })
    })
  }

  set(word: string, next: Cell | null): void {
    this.#written.set(word, next)
  }

  /** The words of an open record, in order. */
  words(remote: OpenRemote): Effect.Effect<ReadonlyArray<string>, ManagerError> {
    const all = () => [
      ...this.#words.filter((word) => this.#written.get(word) !== null),
      ...[...this.#written].flatMap(([word, next]) => next === null || this.#words.includes(word) ? [] : [word])
    ]
    return Effect.suspend(() =>
      this.#versions.has(null)
        ? Effect.succeed(all())
        : Effect.map(this.#log.read(remote.prepared("size", []), remote.prepared("words", [])), ([size, words]) => {
          this.#versions.set(null, Number(size![1]))
          this.#words = words!.map(String)
          return all()
        })
    )
  }

  checks() {
    return this.#versions.size === 0 ? [] : [this.#remote.prepared("check", [...this.#versions].flat())]
  }

  writes() {
    return this.#written.size === 0 ? [] : [this.#remote.prepared("setAll", [...this.#written].flat())]
  }

  waits() {
    return Array.from(this.#versions, (seen) => this.#remote.call("untilChanged", seen, () => Exit.void))
  }

  save() {
    const saved = new Map(this.#written)
    return () => {
      this.#written = new Map(saved)
    }
  }
}

const inRecord = <A, E>(remote: RecordRemote, use: (part: RecordPart) => Effect.Effect<A, E>) =>
  withPart(remote, (log) => new RecordPart(remote, log), use)

/** A value in a transaction (`Transaction.tx`). */
export interface TransactionField<in out A> {
  /** Returns the value: what this transaction has set, or what it has read before. */
  readonly get: Effect.Effect<A, ManagerError, Transaction>
  /** Replaces the value when the transaction commits. Reads nothing. */
  readonly set: (value: A) => Effect.Effect<void, ManagerError, Transaction>
  /** Reads the value, and replaces it by `f`'s result when the transaction commits. Returns the new value. */
  readonly update: (f: (current: A) => A) => Effect.Effect<A, ManagerError, Transaction>
}

/** An entry in a transaction. */
export const transactionField = <A>(
  remote: RecordRemote,
  word: string,
  { decode, encode }: EntryCodec<A>
): TransactionField<A> => {
  const get = inRecord(remote, (part) => Effect.flatMap(part.get(word), decode))
  const set = (value: A) =>
    encoded(() => encode(value), (next) => inRecord(remote, (part) => Effect.sync(() => part.set(word, next))))
  return {
    get,
    set,
    update: (f) =>
      Effect.flatMap(get, (current) => {
        const next = f(current)
        return Effect.as(set(next), next)
      })
  }
}

/** The words of an open record in a transaction. */
export const transactionWords = (
  remote: OpenRemote
): Effect.Effect<ReadonlyArray<string>, ManagerError, Transaction> => inRecord(remote, (part) => part.words(remote))
