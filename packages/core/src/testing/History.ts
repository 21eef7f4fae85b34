/**
 * What clients saw, for `certify`: the calls they made and the changes they were told.
 *
 * `Recorder` writes a history from what passes over a link, so it holds what really was said, not what a program made
 * of it. Times are of a monotonic clock; only those of one clock are ever compared (S-31).
 */
import type { CancelFate, JournalEntry, Outcome, WatchEvent } from "../engine/Inputs.ts"
import { type Argument, bytesFromJson } from "../engine/Value.ts"

export type { JournalEntry } from "../engine/Inputs.ts"
export type { Outcome } from "../engine/Inputs.ts"
export type { Argument, Cell } from "../engine/Value.ts"

/** One call of one client. */
export interface CallRecord {
  readonly client: string
  /** Whose monotonic clock `invoke` and `complete` are of: times of equal clocks are comparable. */
  readonly clock: string
  readonly session: number
  readonly sequence: number
  /** Its position among the calls of its request, which take effect together. */
  readonly call: number
  readonly object: number
  readonly operation: string
  readonly args: ReadonlyArray<Argument>
  /** The holds it stood under (S-21). */
  readonly guard: ReadonlyArray<number>
  /** When it was sent. */
  readonly invoke: number
  /** Whether it had to wait in the manager for itself, not as one of several calls. */
  readonly hasWaited?: boolean | undefined
  /** When its reply was read; absent: open, it may count as done or not done. */
  readonly complete?: number | undefined
  /** The index in its reply. */
  readonly index?: number | undefined
  readonly outcome?: Outcome | undefined
  /** How it ended, if it was cancelled (S-10). */
  readonly fate?: CancelFate | undefined
}

/** Something a watcher was told. */
export interface Told {
  readonly event: "snapshot" | WatchEvent
  readonly index: number
  readonly parts: ReadonlyArray<Argument>
}

/** One subscription of one client. */
export interface WatchRecord {
  readonly client: string
  readonly session: number
  readonly sequence: number
  readonly object: number
  /** In the order in which it was told; its first is the snapshot. */
  readonly told: ReadonlyArray<Told>
}

/** All that is needed to say whether a run was correct. */
export interface History {
  /** Every index the manager took, from 1, without a gap. */
  readonly journal: ReadonlyArray<JournalEntry>
  readonly records: ReadonlyArray<CallRecord>
  readonly watches?: ReadonlyArray<WatchRecord> | undefined
}

/** Reads an entry of a journal, as `Manager.toJournalLine` has written it. */
export const fromJournalLine = (line: string): JournalEntry =>
  // The line is of a manager's journal.
  JSON.parse(line, bytesFromJson) as JournalEntry

/** A call for people. */
export const nameOf = ({ call, client, operation, sequence, session }: CallRecord): string =>
  `${operation} of ${client} (${session}:${sequence}${call === 0 ? "" : `.${call}`})`
