/**
 * What a connection sends. The messages of one turn of the event loop leave together, as one frame or as several of 3 KiB.
 *
 * Without a link they go nowhere: what a manager must know is said again over the next link (`Resumption.ts`).
 */
import type * as Scheduler from "effect/Scheduler"
import { ClientWriter } from "../protocol/Message.ts"
import type { Link } from "../transport/Link.ts"
import { flushBytes } from "./frames.ts"
import { Receipts } from "./Receipts.ts"

/** The frames of one connection. */
export class Outbox {
  readonly writer = new ClientWriter()
  readonly #receipts = new Receipts((from, to) => this.writer.acknowledge(from, to))
  readonly #dispatcher: Scheduler.SchedulerDispatcher
  readonly #flushBytes: number
  readonly #flush: () => void
  readonly #gathering: Array<() => void> = []
  #link: Link | undefined
  #isScheduled = false
  /** Whether frames are being read: what that writes leaves when all of them are read. */
  isReading = false

  /** `flush` sends what a turn has written. It is called at the end of the turn. */
  constructor(link: Link, scheduler: Scheduler.Scheduler, frameBytesMax: number, flush: () => void) {
    this.#link = link
    this.#dispatcher = scheduler.makeDispatcher()
    this.#flushBytes = Math.min(flushBytes, frameBytesMax / 2)
    this.#flush = flush
  }

  get isLinked(): boolean {
    return this.#link !== undefined
  }

  /** Sends by this link from now on; absent: nowhere. What was written and not sent is forgotten. */
  relink(link: Link | undefined): void {
    this.#receipts.flush()
    this.writer.take()
    this.isReading = false
    this.#link = link
  }

  /** Something was written: it leaves at the end of this turn. */
  written(): void {
    if (this.writer.bytes >= this.#flushBytes) this.sendFrame()
    if (this.isReading || this.#isScheduled) return
    this.#isScheduled = true
    this.#dispatcher.scheduleTask(() => {
      this.#isScheduled = false
      this.#flush()
    }, 0)
  }

  /** Runs a function at the end of this turn, before it is sent: the calls that the function makes leave, too. */
  beforeSending(write: () => void): void {
    if (this.#gathering.push(write) === 1) this.written()
  }

  /** Runs what waits for the end of this turn. */
  gather(): void {
    while (this.#gathering.length > 0) this.#gathering.shift()!()
  }

  /** The client has the reply of this sequence. */
  acknowledge(sequence: number): void {
    this.#receipts.add(sequence)
    this.written()
  }

  /** Sends the frame, with what was received until now. */
  sendFrame(): void {
    // One range, for which each request leaves room (`replyBytes`).
    this.#receipts.flush()
    if (!this.writer.isEmpty) this.#send()
  }

  /** Sends the last message. Received replies are acknowledged before it. */
  sayGoodbye(): void {
    this.#receipts.flush()
    this.writer.goodbye()
    this.#send()
  }

  #send(): void {
    const frame = this.writer.take()
    this.#link?.send(frame)
  }
}
