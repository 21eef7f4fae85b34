/**
 * The messages between a pool's dispatcher and a worker, over a link of their own. A frame is a batch of messages. The
 * first byte of a message is its tag.
 *
 * ```text
 *   dispatcher ─► Run job, task, attempt, payloads, span  jobs run in the order in which they arrive
 *              ─► Withdraw job, interrupt                 a job that waits is returned, one that runs may be interrupted
 *              ─► Forget job                              its result was read from the carrier
 *   worker     ─► Ready                                   it can run tasks
 *              ─► Started job                             sent before the job runs
 *              ─► Returned job                            the job did not run
 *              ─► Done job, microseconds, outcome         the job ran
 * ```
 */
import { type ObjectId, unitBytesMax } from "../engine/Value.ts"
import type { Reader, Writer } from "../protocol/Bytes.ts"
import { FrameWriter } from "../protocol/Frame.ts"
import type { SpanIds } from "../tracing/Span.ts"
import type { JobId } from "./SchedulerState.ts"

const tag = { run: 1, withdraw: 2, forget: 3, ready: 16, started: 17, returned: 18, done: 19 } as const

/** Length of the payloads or the results of one job, as JSON text. */
export const textLengthMax = 32 * 1024 * 1024

/** A frame of this size is sent in the middle of a turn: the receiver works on it while the next is written. */
export const flushBytes = 8 * 1024

/** The texts of one job, and the messages that may stand before them in a frame. */
export const frameBytesMax = unitBytesMax * textLengthMax + 2 * flushBytes

/** Encoded values: text, or the id of the shared object that carries values with handles (`HandleCarrier.ts`). */
export type Parcel =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Carrier"; readonly object: ObjectId }

const outcomes = ["Values", "Failure", "Interrupted", "TooLarge"] as const

/** How a job ended in its worker: with all results, or with the cause of its failure. */
export interface Outcome {
  readonly _tag: (typeof outcomes)[number]
  readonly parcel: Parcel
}

/** A message to a worker. */
export type FromDispatcher =
  | {
    readonly _tag: "Run"
    readonly job: JobId
    readonly task: number
    readonly attempt: number
    readonly parcel: Parcel
    /** The span of the job, if it is recorded. */
    readonly caller: SpanIds | undefined
  }
  | { readonly _tag: "Withdraw"; readonly job: JobId; readonly interrupt: boolean }
  | { readonly _tag: "Forget"; readonly job: JobId }

/** A message from a worker. */
export type FromWorker =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Started"; readonly job: JobId }
  | { readonly _tag: "Returned"; readonly job: JobId }
  | { readonly _tag: "Done"; readonly job: JobId; readonly micros: number; readonly outcome: Outcome }

/** Writes the messages of either side into a frame. */
export class MessageWriter extends FrameWriter {
  run(job: JobId, task: number, attempt: number, parcel: Parcel, caller: SpanIds | undefined): void {
    this.numbers(tag.run, job, task, attempt)
    writeParcel(this.writer, parcel)
    this.writer.text(caller?.traceId ?? "")
    if (caller !== undefined) this.writer.text(caller.spanId)
  }

  withdraw(job: JobId, interrupt: boolean): void {
    this.numbers(tag.withdraw, job)
    this.writer.byte(interrupt ? 1 : 0)
  }

  forget(job: JobId): void {
    this.numbers(tag.forget, job)
  }

  ready(): void {
    this.numbers(tag.ready)
  }

  started(job: JobId): void {
    this.numbers(tag.started, job)
  }

  returned(job: JobId): void {
    this.numbers(tag.returned, job)
  }

  done(job: JobId, micros: number, { _tag, parcel }: Outcome): void {
    this.numbers(tag.done, job, micros)
    this.writer.byte(outcomes.indexOf(_tag))
    writeParcel(this.writer, parcel)
  }
}

/** Reads a message of a dispatcher. Undefined: it is malformed. */
export const readFromDispatcher = (reader: Reader): FromDispatcher | undefined => {
  const first = reader.byte()
  const job = reader.whole()
  switch (first) {
    case tag.run:
      return {
        _tag: "Run",
        job,
        task: reader.whole(),
        attempt: reader.whole(),
        parcel: readParcel(reader),
        caller: readCaller(reader)
      }
    case tag.withdraw:
      return { _tag: "Withdraw", job, interrupt: reader.byte() === 1 }
    case tag.forget:
      return { _tag: "Forget", job }
    default:
      return undefined
  }
}

/** Reads a message of a worker. Undefined: it is malformed. */
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

const readCaller = (reader: Reader): SpanIds | undefined => {
  const traceId = reader.text()
  return traceId === "" ? undefined : { traceId, spanId: reader.text() }
}

const readParcel = (reader: Reader): Parcel => {
  switch (reader.byte()) {
    case 0:
      return { _tag: "Text", text: reader.text() }
    case 1:
      return { _tag: "Carrier", object: reader.whole() }
    default:
      reader.fail()
      return { _tag: "Text", text: "" }
  }
}
