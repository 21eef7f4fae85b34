/**
 * Real time (S-31): a call that completed before another call of the same clock began has no higher index. In order of
 * index: no call completes before the latest beginning so far.
 */
import { type CallRecord, nameOf } from "./History.ts"
import type { JournalReplay } from "./JournalReplay.ts"

/** The beginnings so far. */
export class RealTime {
  /** By clock. */
  readonly #latest = new Map<string, CallRecord>()

  /** The calls of the next index: a change, then the reads that saw it, which have no order among themselves. */
  pass(replay: JournalReplay, change: CallRecord | undefined, reads: ReadonlyArray<CallRecord>): void {
    if (change !== undefined) {
      this.#compare(replay, change)
      this.#begin(change)
    }
    for (const read of reads) this.#compare(replay, read)
    for (const read of reads) this.#begin(read)
  }

  #compare(replay: JournalReplay, record: CallRecord): void {
    const later = this.#latest.get(record.clock)
    if (later === undefined || record.complete === undefined || record.complete >= later.invoke) return
    replay.violate(
      `${nameOf(record)} had completed before ${nameOf(later)} began, but is ordered after it, at index ${replay.index}`
    )
  }

  #begin(record: CallRecord): void {
    const latest = this.#latest.get(record.clock)
    if (latest === undefined || record.invoke > latest.invoke) this.#latest.set(record.clock, record)
  }
}
