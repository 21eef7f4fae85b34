/**
 * The entries of a record (`record.ts`): how they are found, written and removed, and what their versions are.
 */
import type { Condition } from "../Conditions.ts"
import * as Memory from "../Memory.ts"
import { type At, type GrantId, ready, type Refusal, refuse, wait } from "../Operation.ts"
import { type Argument, type Cell, textOf } from "../Value.ts"
import type * as Reservation from "./reservation.ts"
import type * as Scan from "./scan.ts"

interface Entry {
  readonly word: string
  value: Cell
  version: number
  /** The bounds of sums, for a declared field that is a number. */
  readonly arithmetic: Arithmetic | undefined
  /** The grant that it ends with; absent: it stays. */
  hold: GrantId | undefined
  /** The neighbours in order of insertion: a `Map` cannot be read from its end. */
  previous: Entry | undefined
  next: Entry | undefined
}

export type SavedEntry = Omit<Entry, "previous" | "next">

export interface Arithmetic {
  readonly integer: boolean
  readonly minimum: number
  readonly maximum: number
  /** Exclusive bounds. */
  readonly above: number
  readonly below: number
}

export interface State extends Reservation.Reservable, Scan.Scans {
  readonly entries: Map<string, Entry>
  /** The entries that end with a grant. */
  readonly held: Map<GrantId, Entry>
  last: Entry | undefined
  /** Whether entries come and go. */
  readonly isOpen: boolean
  /** The index at which an entry came or went last. */
  arranged: number
  /** The bounds of sums, for all entries of an open record whose values are numbers. */
  readonly arithmetic: Arithmetic | undefined
}

/** An entry in a reply: value and version, or nothing and 0. */
export type Found = readonly [value: Cell | null, version: number]

export const find = (state: State, word: string): Found => {
  const entry = state.entries.get(word)
  return entry === undefined ? [null, 0] : [entry.value, entry.version]
}

export const insert = (state: State, saved: SavedEntry): void => {
  const entry: Entry = { ...saved, previous: state.last, next: undefined }
  if (state.last !== undefined) state.last.next = entry
  state.last = entry
  state.entries.set(entry.word, entry)
  if (entry.hold !== undefined) state.held.set(entry.hold, entry)
}

export const put = (state: State, word: string, next: Cell, at: At): void => {
  at.retain(next)
  const entry = state.entries.get(word)
  if (entry === undefined) {
    at.grow(Memory.ofKey(word))
    state.arranged = at.index
    insert(state, { word, value: next, version: at.index, arithmetic: undefined, hold: undefined })
    at.wakes(null, "")
  } else {
    at.release(entry.value)
    // In place, because this moves no entry in memory.
    entry.value = next
    entry.version = at.index
  }
  at.wakes(word, textOf(next))
}

export const drop = (state: State, entry: Entry, at: At): void => {
  const { next, previous, value, word } = entry
  state.entries.delete(word)
  state.arranged = at.index
  at.grow(-Memory.ofKey(word))
  if (previous !== undefined) previous.next = next
  if (next === undefined) state.last = previous
  else next.previous = previous
  at.release(value)
  unbind(state, entry, at)
  at.wakes(word, "")
  at.wakes(null, "")
}

/** The entry stays from now on: nothing is held any more. */
export const unbind = (state: State, entry: Entry, at: At): void => {
  if (entry.hold === undefined) return
  at.settle(entry.hold)
  state.held.delete(entry.hold)
  entry.hold = undefined
}

export const write = (state: State, word: string, next: Cell, at: At): void => {
  put(state, word, next, at)
  at.changed([word, next])
}

/** Removes an entry, if it exists. */
export const remove = (state: State, word: string, at: At): void => {
  const entry = state.entries.get(word)
  if (entry === undefined) return
  drop(state, entry, at)
  at.changed([word, null])
}

/** Word, value, word, value, … of all entries. */
export function* parts({ entries }: State): Generator<Argument> {
  for (const { value, word } of entries.values()) {
    yield word
    yield value
  }
}

/** Refuses a word that is no declared field of a closed record. */
export const unknownField = ({ entries, isOpen }: State, name: string): Refusal<"UnknownField"> | undefined =>
  isOpen || entries.has(name) ? undefined : refuse("UnknownField", name)

/** Refuses to remove a declared field. */
export const unfit = ({ isOpen }: State, name: string, next: Cell | null): Refusal<"FieldStays"> | undefined =>
  isOpen || next !== null ? undefined : refuse("FieldStays", name)

/** The version of an entry, or of the words as a whole. */
export const versionOf = (state: State, word: string | null): number =>
  word === null ? state.arranged : state.entries.get(word)?.version ?? 0

export const sum = (
  state: State,
  word: string,
  by: number
): number | Refusal<"UnknownField" | "NotANumber" | "OutOfBounds"> => {
  const unknown = unknownField(state, word)
  if (unknown !== undefined) return unknown
  const entry = state.entries.get(word)
  const arithmetic = entry?.arithmetic ?? state.arithmetic
  if (arithmetic === undefined) return refuse("NotANumber")
  const result = (entry === undefined ? 0 : Number(entry.value.text)) + by
  const { above, below, integer, maximum, minimum } = arithmetic
  return result >= minimum && result <= maximum && result > above && result < below &&
      (!integer || Number.isSafeInteger(result))
    ? result
    : refuse("OutOfBounds", result)
}

/** The condition of a call that waits for an entry, whatever the text that it must have. */
export const ofEntry = ([word]: readonly [word: string, ...ReadonlyArray<Argument>]): Condition => [word, ""]

/** Waits until the entry exists and meets a condition (S-29). */
export const entryMeets = (state: State, word: string, meets: (entry: Entry) => boolean) => {
  const entry = state.entries.get(word)
  if (entry === undefined) return unknownField(state, word) ?? wait
  return meets(entry) ? ready : wait
}
