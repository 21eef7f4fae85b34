/**
 * A record object (`engine/kinds/record.ts`) in a transaction: what was read, by entry, and what is to be written.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Reply } from "../engine/Operation.ts"
import type { Cell } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import { encoded } from "./exits.ts"
import type { EntryCodec, OpenRemote, RecordRemote } from "./record.ts"
import { type Part, type Transaction, type TransactionLog, withPart } from "./TransactionLog.ts"

/** An entry that was read. */
interface Seen {
  readonly value: Cell | null
  readonly version: number
  /** Whether this run has read it, and not only the one before. */
  isUsed: boolean
}

/** What an entry is to become. */
interface Written {
  /** `null`: it is to be removed. */
  readonly value: Cell | null
  /** It is to be removed and set again, which puts it behind all others. */
  readonly isMoved: boolean
}

class RecordPart implements Part {
  readonly #remote: RecordRemote
  readonly #log: TransactionLog
  readonly #entries = new Map<string, Seen>()
  #words: { readonly words: ReadonlyArray<string>; readonly version: number } | undefined
  #written = new Map<string, Written>()

  constructor(remote: RecordRemote, log: TransactionLog) {
    this.#remote = remote
    this.#log = log
  }

  getAll(words: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Cell | null>, ManagerError> {
    return Effect.suspend(() => {
      const found = () => words.map((word) => (this.#written.get(word) ?? this.#entries.get(word)!).value)
      const unknown: Array<string> = []
      for (const word of words) {
        if (this.#written.has(word)) continue
        const seen = this.#entries.get(word)
        if (seen === undefined) unknown.push(word)
        else seen.isUsed = true
      }
      if (unknown.length === 0) return Effect.succeed(found())
      return this.#log.read([this.#remote.prepared("getAll", unknown)], ([reply]) => {
        this.#see(unknown, reply!, true)
        return found()
      })
    })
  }

  /** Keeps the reply to `getAll`. */
  #see(words: ReadonlyArray<string>, reply: Reply, isUsed: boolean): void {
    for (let i = 0; i < words.length; i++) {
      this.#entries.set(words[i]!, { value: reply[2 * i] as Cell | null, version: Number(reply[2 * i + 1]), isUsed })
    }
  }

  set(word: string, next: Cell | null): void {
    const before = this.#written.get(word)
    const isRemoved = before?.value === null
    if (isRemoved) this.#written.delete(word)
    this.#written.set(word, { value: next, isMoved: next !== null && (isRemoved || before?.isMoved === true) })
  }

  /** The words of an open record, in order. */
  words(remote: OpenRemote): Effect.Effect<ReadonlyArray<string>, ManagerError> {
    const stays = (word: string) => {
      const written = this.#written.get(word)
      return written === undefined || written.value !== null && !written.isMoved
    }
    const all = (words: ReadonlyArray<string>) => [
      ...words.filter(stays),
      ...[...this.#written].flatMap(([word, { isMoved, value }]) =>
        value === null || !isMoved && words.includes(word) ? [] : [word]
      )
    ]
    return Effect.suspend(() => {
      const seen = this.#words
      if (seen !== undefined) return Effect.succeed(all(seen.words))
      return this.#log.read([remote.prepared("size", []), remote.prepared("words", [])], ([size, words]) => {
        this.#words = { words: words!.map(String), version: Number(size![1]) }
        return all(this.#words.words)
      })
    })
  }

  checks() {
    const versions: Array<string | number | null> = []
    for (const [word, { version }] of this.#entries) versions.push(word, version)
    if (this.#words !== undefined) versions.push(null, this.#words.version)
    return versions.length === 0 ? [] : [this.#remote.prepared("check", versions)]
  }

  writes() {
    if (this.#written.size === 0) return []
    const parts: Array<string | Cell | null> = []
    for (const [word, { isMoved, value }] of this.#written) {
      if (isMoved) parts.push(word, null)
      parts.push(word, value)
    }
    return [this.#remote.prepared("setAll", parts)]
  }

  waits() {
    const until = (word: string | null, { version }: { readonly version: number }) =>
      this.#remote.call("untilChanged", [word, version], () => Exit.void)
    return [
      ...[...this.#entries].flatMap(([word, seen]) => seen.isUsed ? [until(word, seen)] : []),
      ...this.#words === undefined ? [] : [until(null, this.#words)]
    ]
  }

  save() {
    const saved = new Map(this.#written)
    return () => {
      this.#written = new Map(saved)
    }
  }

  again(log: TransactionLog) {
    const words = [...this.#entries].flatMap(([word, { isUsed }]) => isUsed ? [word] : [])
    if (words.length === 0) return undefined
    const part = new RecordPart(this.#remote, log)
    const reads = [this.#remote.prepared("getAll", words)]
    return { part, reads, take: ([reply]: ReadonlyArray<Reply>) => part.#see(words, reply!, false) }
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

/** Reads entries; `null` for one that is absent. */
export const readEntries = (
  remote: RecordRemote,
  words: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Cell | null>, ManagerError, Transaction> =>
  inRecord(remote, (part) => part.getAll(words))

/** Sets an entry, or removes it (`null`). */
export const writeEntry = (
  remote: RecordRemote,
  word: string,
  next: Cell | null
): Effect.Effect<void, ManagerError, Transaction> => inRecord(remote, (part) => Effect.sync(() => part.set(word, next)))

/** An entry in a transaction. */
export const transactionField = <A>(
  remote: RecordRemote,
  word: string,
  { decode, encode }: EntryCodec<A>
): TransactionField<A> => {
  const get = Effect.flatMap(readEntries(remote, [word]), ([cell]) => decode(cell!))
  const set = (value: A) => encoded(() => encode(value), (next) => writeEntry(remote, word, next))
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
