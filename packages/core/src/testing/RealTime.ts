/**
 * Real time (S-31): for each clock, a call that had completed before another began has no higher index. Seen in order
 * of index, that is: none completes before the latest beginning so far.
 */
import { type CallRecord, nameOf } from "./History.ts"
import type { Replay } from "./Replay.ts"

/** The beginnings so far. */
export class RealTime {
  /** By clock. */
  readonly #latest = new Map<string, CallRecord>()

  /** What has the next index: a change, and after it the reads that saw it, which are not ordered among themselves. */
  pass(replay: Replay, change: CallRecord | undefined, reads: ReadonlyArray<CallRecord>): void {
    if (change !== undefined) {
      this.#compare(replay, change)
      this.#begin(change)
    }
    for (const read of reads) this.#compare(replay, read)
    for (const read of reads) this.#begin(read)
  }

  #compare(replay: Replay, record: CallRecord): void {
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
