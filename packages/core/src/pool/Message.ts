/**
 * What a pool and its workers say to each other, over a link of their own. A frame is a batch of messages; each begins
 * with a byte that says which.
 *
 * ```text
 *   dispatcher ─► Run job, task, attempt, payloads   jobs run in the order in which they come
 *         ─► Withdraw job, interrupt               not started: Returned; started: interrupted, if that is wanted
 *         ─► Forget job                            its result by reference has been fetched
 *   worker ─► Ready                                its tasks can be run
 *          ─► Started job                          told before the job starts
 *          ─► Returned job                         it has not run
 *          ─► Done job, microseconds, outcome
 * ```
 */
import { unitBytesMax } from "../engine/Value.ts"
import type { Reader, Writer } from "../protocol/Bytes.ts"
import { FrameWriter } from "../protocol/Frame.ts"

const tag = { run: 1, withdraw: 2, forget: 3, ready: 16, started: 17, returned: 18, done: 19 } as const

/** The payloads or the results of one job are no longer than this, as JSON text. */
export const textLengthMax = 32 * 1024 * 1024

/** A frame is sent when it has grown to this size, in the middle of a turn: the other side works while more is written. */
export const flushBytes = 8 * 1024

/** The texts of one job, and the messages that may stand before them in a frame. */
export const frameBytesMax = unitBytesMax * textLengthMax + 2 * flushBytes

/** Values as text, or the id of the shared object that holds them, since there are handles in them (`HandleCarrier.ts`). */
export type Parcel =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Carrier"; readonly object: number }

const outcomes = ["Values", "Failure", "Interrupted", "TooLarge"] as const

/** How a job came out: all its results, or the cause for which there are none. */
export interface Outcome {
  readonly _tag: (typeof outcomes)[number]
  readonly parcel: Parcel
}

/** What a dispatcher says. */
export type FromDispatcher =
  | {
    readonly _tag: "Run"
    readonly job: number
    readonly task: number
    readonly attempt: number
    readonly parcel: Parcel
  }
  | { readonly _tag: "Withdraw"; readonly job: number; readonly interrupt: boolean }
  | { readonly _tag: "Forget"; readonly job: number }

/** What a worker says. */
export type FromWorker =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Started"; readonly job: number }
  | { readonly _tag: "Returned"; readonly job: number }
  | { readonly _tag: "Done"; readonly job: number; readonly micros: number; readonly outcome: Outcome }

/** Writes messages of either side into one frame. */
export class MessageWriter extends FrameWriter {
  run(job: number, task: number, attempt: number, parcel: Parcel): void {
    this.numbers(tag.run, job, task, attempt)
    writeParcel(this.writer, parcel)
  }

  withdraw(job: number, interrupt: boolean): void {
    this.numbers(tag.withdraw, job)
    this.writer.byte(interrupt ? 1 : 0)
  }

  forget(job: number): void {
    this.numbers(tag.forget, job)
  }

  ready(): void {
    this.numbers(tag.ready)
  }

  started(job: number): void {
    this.numbers(tag.started, job)
  }

  returned(job: number): void {
    this.numbers(tag.returned, job)
  }

  done(job: number, micros: number, { _tag, parcel }: Outcome): void {
    this.numbers(tag.done, job, micros)
    this.writer.byte(outcomes.indexOf(_tag))
    writeParcel(this.writer, parcel)
  }
}

/** Reads a message of a dispatcher; undefined: it is none. */
export const readFromDispatcher = (reader: Reader): FromDispatcher | undefined => {
  const first = reader.byte()
  const job = reader.whole()
  switch (first) {
    case tag.run:
      return { _tag: "Run", job, task: reader.whole(), attempt: reader.whole(), parcel: readParcel(reader) }
    case tag.withdraw:
      return { _tag: "Withdraw", job, interrupt: reader.byte() === 1 }
    case tag.forget:
      return { _tag: "Forget", job }
    default:
      return undefined
  }
}

/** Reads a message of a worker; undefined: it is none. */
export const readFromWorker = (reader: Reader): FromWorker | undefined => {
  const first = reader.byte()
  if (first === tag.ready) return { _tag: "Ready" }
  const job = reader.whole()
  switch (first) {
    case tag.started:
      return { _tag: "Started", job }
    case tag.returned:
      return { _tag: "Returned", job }
    case tag.done: {
      const micros = reader.number()
      const outcome = outcomes[reader.byte()]
      return outcome === undefined
        ? undefined
        : { _tag: "Done", job, micros, outcome: { _tag: outcome, parcel: readParcel(reader) } }
    }
    default:
      return undefined
  }
}

// internals

const writeParcel = (writer: Writer, parcel: Parcel): void => {
  if (parcel._tag === "Text") {
    writer.byte(0)
    writer.text(parcel.text)
  } else {
    writer.byte(1)
    writer.number(parcel.object)
  }
}

const readParcel = (reader: Reader): Parcel => {
  switch (reader.byte()) {
    case 0:
      return { _tag: "Text", text: reader.text() }
    case 1:
      return { _tag: "Carrier", object: reader.whole() }
    default:
      reader.malformed = true
      return { _tag: "Text", text: "" }
  }
}
