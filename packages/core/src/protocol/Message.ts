/**
 * The messages after the handshake: the engine's inputs one way, its outputs the other (`engine/Inputs.ts`), two messages
 * that end a session, two that say that a side is there, and one for traces. A frame is a batch of messages. Each message
 * begins with its tag, a byte.
 *
 * ```text
 *   client ─► Request Watch                            (use a sequence; get Reply, or Parked and then Reply)
 *          ─► Cancel Acknowledge Drop Credit Unwatch   (never refused by a limit, S-8; Cancel gets Cancelled)
 *          ─► Imports Holds                            (after a link was lost: what the client has)
 *          ─► Traced                                   (the span of the request that follows)
 *          ─► Ping                                     (gets Pong)
 *          ─► Goodbye                                  (the session ends now)
 *   server ─► Reply Parked Cancelled Event Revoked
 *          ─► Pong
 *          ─► Closing reason                           (the server ends this session, S-12)
 * ```
 */
import type {
  CallInput,
  CancelFate,
  Input,
  Outcome,
  Output,
  RequestInput,
  SessionId,
  WatchEvent
} from "../engine/Inputs.ts"
import type { GrantId } from "../engine/Operation.ts"
import { type Argument, bytesCell, cell, type ObjectId } from "../engine/Value.ts"
import { type Reader, Writer } from "./Bytes.ts"
import { FrameWriter, headerBytes } from "./Frame.ts"

const tag = {
  request: 1,
  cancel: 2,
  acknowledge: 3,
  drop: 4,
  watch: 5,
  credit: 6,
  unwatch: 7,
  goodbye: 8,
  joint: 9,
  imports: 10,
  holds: 11,
  ping: 12,
  traced: 13,
  reply: 16,
  parked: 17,
  cancelled: 18,
  event: 19,
  revoked: 20,
  closing: 21,
  pong: 22
} as const

const fates: ReadonlyArray<CancelFate> = ["withdrawn", "compensated", "stands"]
const watchEvents: ReadonlyArray<WatchEvent> = ["change", "reset", "ended"]

/** The messages of a client. */
export type FromClient =
  | Exclude<Input, { readonly _tag: "Open" | "Linked" | "Unlinked" | "Time" | "Congestion" | "End" }>
  | { readonly _tag: "Traced"; readonly sequence: number; readonly span: string }
  | { readonly _tag: "Ping" }
  | { readonly _tag: "Goodbye" }

/** The outputs that may be large. */
export type Bearer = Extract<Output, { readonly _tag: "Reply" | "Event" }>

/** The outputs that are messages. */
export type Told = Exclude<Output, { readonly _tag: "Ended" | "Shutdown" }>

/** The messages of a server to one session. */
export type FromServer =
  | Told
  | { readonly _tag: "Pong" }
  | { readonly _tag: "Closing"; readonly reason: string }

// ---------------------------------------------------------------------------------------------------------------
// arguments
// ---------------------------------------------------------------------------------------------------------------

/** The first byte of an argument. An argument that begins with another byte is a number (`Bytes.ts`). */
const argumentTag = { nothing: 247, word: 248, value: 249, bearer: 250, bytes: 251 } as const

/** Writes arguments, or the parts of a reply. */
export const writeArguments = (writer: Writer, args: ReadonlyArray<Argument>): void => {
  writer.number(args.length)
  for (let i = 0; i < args.length; i++) {
    const argument = args[i]!
    if (typeof argument === "number") {
      writer.number(argument)
    } else if (typeof argument === "string") {
      writer.byte(argumentTag.word)
      writer.text(argument)
    } else if (argument === null) {
      writer.byte(argumentTag.nothing)
    } else if (argument.bytes !== undefined) {
      writer.byte(argumentTag.bytes)
      writer.bytes(argument.bytes)
    } else if (argument.handles.length === 0) {
      writer.byte(argumentTag.value)
      writer.text(argument.text)
    } else {
      writer.byte(argumentTag.bearer)
      writer.text(argument.text)
      writeIds(writer, argument.handles)
    }
  }
}

const noIds: ReadonlyArray<number> = []

const readArgument = (reader: Reader): Argument => {
  const first = reader.byte()
  switch (first) {
    case argumentTag.nothing:
      return null
    case argumentTag.word:
      return reader.text()
    case argumentTag.value:
      return cell(reader.text())
    case argumentTag.bearer:
      return { text: reader.text(), handles: readIds(reader) }
    case argumentTag.bytes:
      return bytesCell(reader.bytes())
    default:
      return reader.number(first)
  }
}

/** Reads what `writeArguments` wrote. Only valid if the reader is not malformed after it. */
export const readArguments = (reader: Reader): Array<Argument> => {
  const length = reader.count()
  const args: Array<Argument> = []
  for (let i = 0; i < length && !reader.malformed; i++) args.push(readArgument(reader))
  return args
}

/** Writes ids. */
export const writeIds = (writer: Writer, ids: ReadonlyArray<number>): void => {
  writer.number(ids.length)
  for (const id of ids) writer.number(id)
}

/** Reads what `writeIds` wrote. Only valid if the reader is not malformed after it. */
export const readIds = (reader: Reader): ReadonlyArray<number> => {
  const length = reader.count()
  if (length === 0) return noIds
  const ids: Array<number> = []
  for (let i = 0; i < length && !reader.malformed; i++) ids.push(reader.whole())
  return ids
}

// ---------------------------------------------------------------------------------------------------------------
// from the client
// ---------------------------------------------------------------------------------------------------------------

/** Writes messages of a client into one frame. */
export class ClientWriter extends FrameWriter {
  /** Writes a request of one call. False: the frame would have more than `bytesMax`, and it was not written. */
  request(
    sequence: number,
    object: ObjectId,
    operation: number,
    guard: ReadonlyArray<GrantId>,
    stalls: number,
    args: ReadonlyArray<Argument>,
    bytesMax: number
  ): boolean {
    const writer = this.writer
    const start = writer.length
    writer.byte(tag.request)
    writer.number(sequence)
    writeGuard(writer, guard, stalls)
    writeCall(writer, object, operation, args)
    return this.#fits(start, bytesMax)
  }

  /** As `request`, for several calls. */
  joint(
    sequence: number,
    guard: ReadonlyArray<GrantId>,
    calls: ReadonlyArray<CallInput>,
    bytesMax: number
  ): boolean {
    const writer = this.writer
    const start = writer.length
    writer.byte(tag.joint)
    writer.number(sequence)
    writeGuard(writer, guard, 0)
    writer.number(calls.length)
    for (const { args, object, operation } of calls) writeCall(writer, object, operation, args)
    return this.#fits(start, bytesMax)
  }

  #fits(start: number, bytesMax: number): boolean {
    const { writer } = this
    if (writer.length - headerBytes <= bytesMax) return true
    writer.length = start
    return false
  }

  cancel(sequence: number): void {
    this.numbers(tag.cancel, sequence)
  }

  acknowledge(from: number, to: number): void {
    this.numbers(tag.acknowledge, from, to)
  }

  drop(object: ObjectId, times: number): void {
    this.numbers(tag.drop, object, times)
  }

  /** What a client has of the handles from one id to another: pairs of an id and a number of times, one after the other. */
  imports(from: ObjectId, to: ObjectId, pairs: ReadonlyArray<number>): void {
    this.numbers(tag.imports, from, to)
    writeIds(this.writer, pairs)
  }

  holds(grants: ReadonlyArray<GrantId>): void {
    this.numbers(tag.holds)
    writeIds(this.writer, grants)
  }

  watch(sequence: number, object: ObjectId, credit: number): void {
    this.numbers(tag.watch, sequence, object, credit)
  }

  credit(sequence: number, credit: number): void {
    this.numbers(tag.credit, sequence, credit)
  }

  unwatch(sequence: number): void {
    this.numbers(tag.unwatch, sequence)
  }

  /** The span of the request of a sequence, as a text: it is told before the request. */
  traced(sequence: number, span: string): void {
    this.numbers(tag.traced, sequence)
    this.writer.text(span)
  }

  ping(): void {
    this.numbers(tag.ping)
  }

  goodbye(): void {
    this.numbers(tag.goodbye)
  }
}

/** Only a guard that has holds is followed by how many of them the request stalls. */
const writeGuard = (writer: Writer, guard: ReadonlyArray<GrantId>, stalls: number): void => {
  writeIds(writer, guard)
  if (guard.length > 0) writer.number(stalls)
}

const writeCall = (
  writer: Writer,
  object: ObjectId,
  operation: number,
  args: ReadonlyArray<Argument>
): void => {
  writer.number(object)
  writer.byte(operation)
  writeArguments(writer, args)
}

/** Reads the next message of a client. Only valid if the reader is not malformed after it. */
export const readFromClient = (reader: Reader, session: SessionId): FromClient => {
  switch (reader.byte()) {
    case tag.request:
      return readRequest(reader, session, false)
    case tag.joint:
      return readRequest(reader, session, true)
    case tag.cancel:
      return { _tag: "Cancel", session, sequence: reader.whole() }
    case tag.acknowledge:
      return { _tag: "Acknowledge", session, from: reader.whole(), to: reader.whole() }
    case tag.drop:
      return { _tag: "Drop", session, object: reader.whole(), times: reader.whole() }
    case tag.imports:
      return { _tag: "Imports", session, from: reader.whole(), to: reader.whole(), times: readPairs(reader) }
    case tag.holds:
      return { _tag: "Holds", session, grants: readIds(reader) }
    case tag.watch:
      return { _tag: "Watch", session, sequence: reader.whole(), object: reader.whole(), credit: reader.whole() }
    case tag.credit:
      return { _tag: "Credit", session, sequence: reader.whole(), credit: reader.whole() }
    case tag.unwatch:
      return { _tag: "Unwatch", session, sequence: reader.whole() }
    case tag.traced:
      return { _tag: "Traced", sequence: reader.whole(), span: reader.text() }
    case tag.ping:
      return { _tag: "Ping" }
    case tag.goodbye:
      return { _tag: "Goodbye" }
    default:
      reader.fail()
      return { _tag: "Goodbye" }
  }
}

const readPairs = (reader: Reader): ReadonlyArray<readonly [number, number]> => {
  const numbers = readIds(reader)
  if (numbers.length % 2 > 0) reader.fail()
  return Array.from({ length: numbers.length >> 1 }, (_, i) => [numbers[i * 2]!, numbers[i * 2 + 1]!])
}

const readRequest = (reader: Reader, session: SessionId, isJoint: boolean): RequestInput => {
  const sequence = reader.whole()
  const guard = readIds(reader)
  const stalls = guard.length === 0 ? 0 : reader.whole()
  return { _tag: "Request", session, sequence, guard, stalls, calls: isJoint ? readCalls(reader) : [readCall(reader)] }
}

const readCalls = (reader: Reader): ReadonlyArray<CallInput> => {
  const length = reader.count()
  const calls: Array<CallInput> = []
  for (let i = 0; i < length && !reader.malformed; i++) calls.push(readCall(reader))
  return calls
}

const readCall = (reader: Reader): CallInput => ({
  object: reader.whole(),
  operation: reader.byte(),
  args: readArguments(reader)
})

// ---------------------------------------------------------------------------------------------------------------
// from the server
// ---------------------------------------------------------------------------------------------------------------

/** The arguments of a message, encoded for several frames: those of a change, for all its watchers. */
export class SharedArguments {
  #args: ReadonlyArray<Argument> | undefined
  #bytes = new Uint8Array(0)

  /** Encodes arguments, unless they are the ones that were encoded last. */
  encode(args: ReadonlyArray<Argument>): Uint8Array<ArrayBuffer> {
    if (args === this.#args) return this.#bytes
    const writer = new Writer()
    writeArguments(writer, args)
    this.#bytes = writer.take()
    this.#args = args
    return this.#bytes
  }

  /** Keeps nothing. */
  clear(): void {
    if (this.#args === undefined) return
    this.#args = undefined
    this.#bytes = new Uint8Array(0)
  }
}

/** Writes messages to one session into one frame. */
export class ServerWriter extends FrameWriter {
  /** The beginning of a frame with one message, whose arguments follow as so many bytes. */
  static before(message: Bearer, bytes: number): Uint8Array<ArrayBuffer> {
    const writer = new ServerWriter()
    writer.#head(message)
    return writer.take(bytes)
  }

  #head(message: Bearer): void {
    const writer = this.writer
    if (message._tag === "Reply") {
      writer.byte(tag.reply)
      writer.number(message.sequence)
      writer.number(message.index)
      writer.byte(message.outcome._tag === "Success" ? 1 : 0)
    } else {
      writer.byte(tag.event)
      writer.number(message.sequence)
      writer.number(message.index)
      writer.byte(watchEvents.indexOf(message.event))
    }
  }

  /** Writes a message. False: the frame would have more than `bytesMax`, and it was not written. */
  write(message: FromServer, bytesMax: number): boolean {
    const writer = this.writer
    const start = writer.length
    switch (message._tag) {
      case "Reply":
        this.#head(message)
        writeOutcome(writer, message.outcome)
        break
      case "Parked":
        this.numbers(tag.parked, message.sequence)
        break
      case "Cancelled":
        writer.byte(tag.cancelled)
        writer.number(message.sequence)
        writer.byte(fates.indexOf(message.fate))
        break
      case "Event":
        this.#head(message)
        writeArguments(writer, message.parts)
        break
      case "Revoked":
        this.numbers(tag.revoked, message.grant)
        break
      case "Pong":
        this.numbers(tag.pong)
        break
      case "Closing":
        writer.byte(tag.closing)
        writer.text(message.reason)
    }
    if (writer.length - headerBytes <= bytesMax) return true
    writer.length = start
    return false
  }
}

const writeOutcome = (writer: Writer, outcome: Outcome): void => {
  if (outcome._tag === "Success") writeArguments(writer, outcome.reply)
  else {
    writer.text(outcome.error)
    writeArguments(writer, outcome.details)
  }
}

const readOutcome = (reader: Reader): Outcome =>
  reader.byte() === 1
    ? { _tag: "Success", reply: readArguments(reader) }
    : { _tag: "Failure", error: reader.text(), details: readArguments(reader) }

/** Reads the next message of a server. Only valid if the reader is not malformed after it. */
export const readFromServer = (reader: Reader, session: SessionId): FromServer => {
  switch (reader.byte()) {
    case tag.reply:
      return { _tag: "Reply", session, sequence: reader.whole(), index: reader.whole(), outcome: readOutcome(reader) }
    case tag.parked:
      return { _tag: "Parked", session, sequence: reader.whole() }
    case tag.cancelled:
      return { _tag: "Cancelled", session, sequence: reader.whole(), fate: fates[reader.byte()] ?? "stands" }
    case tag.event:
      return {
        _tag: "Event",
        session,
        sequence: reader.whole(),
        index: reader.whole(),
        event: watchEvents[reader.byte()] ?? "ended",
        parts: readArguments(reader)
      }
    case tag.revoked:
      return { _tag: "Revoked", session, grant: reader.whole() }
    case tag.pong:
      return { _tag: "Pong" }
    case tag.closing:
      return { _tag: "Closing", reason: reader.text() }
    default:
      reader.fail()
      return { _tag: "Closing", reason: "" }
  }
}
