/**
 * One session over one link, as the server sees it: messages in, outputs out, and flow control between them. All that
 * must survive the link is in the engine.
 *
 * Flow control (S-8, S-12): a request is deferred while the session is at a limit of remembered replies, their number or
 * their bytes, while its client does not read the sent bytes, or beyond the pace of the session (`Pace.ts`).
 * Acknowledgements and cancels are never deferred. A client that keeps to its window cannot have more than that window
 * deferred; a client that does not is ended.
 *
 * Memory: an output becomes bytes only while fewer than `outboundBytesMax` are unread. Until then it waits as it is: its
 * values are those of the objects, not copies. Meanwhile the engine keeps no changes for this session.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Input, Output, RequestInput, SessionId } from "../engine/Inputs.ts"
import type { Reply } from "../engine/Operation.ts"
import { type Argument, isCell } from "../engine/Value.ts"
import type { Limits } from "../Limits.ts"
import { Reader } from "../protocol/Bytes.ts"
import { headerBytes } from "../protocol/Frame.ts"
import {
  type Bearer,
  type FromClient,
  type FromServer,
  readFromClient,
  ServerWriter,
  type SharedArguments,
  type Told
} from "../protocol/Message.ts"
import type { Link } from "../transport/Link.ts"
import type { CallSpans } from "./CallSpans.ts"
import type { Pace } from "./Pace.ts"

type Deferrable = Extract<Input, { readonly _tag: "Request" | "Watch" }>

/** A frame that has grown to this size is sent within the turn: the client works on it while the rest is written. */
const flushBytes = 2 * 1024

/**
 * Subscriptions, outcomes of cancels, and refusals to take something back, that may wait: a client does not count them.
 * They take about 30 MB.
 */
const uncountedMax = 262_144

/** Arguments of this length are encoded apart from the frame of the turn, once for all sessions. */
const largeLength = 16 * 1024

/** The engine, as far as one session needs it. */
export interface SessionEngine {
  /** Applies one input. */
  readonly step: (input: Input) => void
  /** The number of replies that are remembered until this session acknowledges them (S-8). */
  readonly remembered: () => number
  /** About the bytes of these replies. */
  readonly rememberedBytes: () => number
  /** Whether a request only gives back, or is refused because its objects are gone: no limit may hold it up (S-8). */
  readonly settles: (request: RequestInput) => boolean
  /** Whether it gives back now what the session has: there are only as many such requests as grants. */
  readonly settlesNow: (request: RequestInput) => boolean
  /** Whether a request waits, or has a reply that the client may not have. */
  readonly isKnown: (sequence: number) => boolean
  /** Engine time in milliseconds. */
  readonly now: () => number
}

/** What only some sessions have. */
export interface ShellOptions {
  /** Whether the session has had another link: its client sends again what that one may have lost. */
  readonly isResumed?: boolean
  /** The link without the gate, for what tells nothing of the state. Default: the link. */
  readonly ungated?: Pick<Link, "send">
  readonly pace?: Pace | undefined
  readonly spans?: CallSpans | undefined
}

/** The server's end of one link of a session. */
export class SessionShell {
  /** Done when the client has said goodbye, or when the server ends it. */
  readonly left: Deferred.Deferred<void> = Deferred.makeUnsafe()
  /** Whether the client has sent its last message, also after the server has ended the session. */
  saidGoodbye = false
  /** Called when requests begin to wait for the pace of the session. */
  onPaced: () => void = () => {}
  readonly #session: SessionId
  readonly #link: Link
  /** The same link without the gate. */
  readonly #ungated: Pick<Link, "send">
  readonly #limits: Limits
  readonly #engine: SessionEngine
  readonly #writer = new ServerWriter()
  readonly #shared: SharedArguments
  readonly #pace: Pace | undefined
  readonly #spans: CallSpans | undefined
  readonly #isResumed: boolean
  /** Whether the client has been told that the session begins: nothing is sent before. */
  #isOpen = false
  #deferred: Array<Deferrable> = []
  /** The number of requests among them, and about their bytes. */
  #requests = 0
  #requestBytes = 0
  /** Outputs that are not written, because the client does not read; from `#written` on. */
  #outbox: Array<Told | undefined> = []
  #written = 0
  /** The number of cancels that were answered among them. */
  #cancels = 0
  /** The messages that have arrived in this turn, in order. */
  #inbox: Array<FromClient> = []
  /** Whether the frame has a message that its client waits for. */
  #isAwaited = false
  /** The number of `Parked` messages in the frame. */
  #parked = 0
  /** The sequence of the last request or subscription: a client counts them up. */
  #lastSequence = 0
  #hasLeft = false

  constructor(
    session: SessionId,
    link: Link,
    limits: Limits,
    engine: SessionEngine,
    shared: SharedArguments,
    { isResumed = false, pace, spans, ungated = link }: ShellOptions = {}
  ) {
    this.#ungated = ungated
    this.#isResumed = isResumed
    this.#spans = spans
    this.#shared = shared
    this.#session = session
    this.#link = link
    this.#limits = limits
    this.#engine = engine
    this.#pace = pace
  }

  /** Sends the first frame, behind which all others come. */
  open(welcome: Uint8Array<ArrayBuffer>): void {
    this.#isOpen = true
    this.#link.send(welcome)
  }

  /** Reads one frame; false if it breaks the protocol. No message of a malformed frame, or of a session that ends, counts. */
  receive(frame: Uint8Array): boolean {
    const reader = new Reader(frame)
    const messages: Array<FromClient> = []
    while (!reader.done) messages.push(readFromClient(reader, this.#session))
    if (reader.malformed) return false
    this.saidGoodbye = messages.at(-1)?._tag === "Goodbye"
    if (this.#hasLeft) return true
    for (const message of messages) this.#inbox.push(message)
    return true
  }

  /** Applies the messages of this turn. Deferred requests that now have room run in the same turn (S-9). */
  turn(): void {
    const inbox = this.#inbox
    this.#inbox = []
    for (const message of inbox) {
      if (this.#hasLeft) return
      if (message._tag === "Request" || message._tag === "Watch") this.#request(message)
      else if ((message._tag === "Cancel" || message._tag === "Unwatch") && this.#undefer(message.sequence)) continue
      // In its place: acknowledgements that stand before it count (S-9).
      else if (message._tag === "Goodbye") this.#leave()
      else if (message._tag === "Ping") this.#pong()
      else if (message._tag === "Traced") this.#spans?.tell(message)
      else this.#engine.step(message)
    }
    this.resume()
  }

  /** Writes waiting outputs and applies deferred requests, as far as the limits allow by now. */
  resume(): void {
    if (this.#outbox.length > 0) this.#writeWaiting()
    while (this.#deferred.length > 0 && this.#mayRun()) this.#run(this.#forget(0))
    if (this.#pace !== undefined && this.#deferred.length > 0) this.onPaced()
    this.endTurn()
  }

  /** Whether its client may send only so much. */
  get isPaced(): boolean {
    return this.#pace !== undefined
  }

  /** Milliseconds for which requests wait for the pace of the session; undefined: none does. */
  get pacedMs(): number | undefined {
    if (this.#deferred.length === 0) return undefined
    return this.#pace?.wait(this.#engine.now()) || undefined
  }

  /** Adds an output to the frame of this turn, or to those that wait until the client has read. */
  tell(output: Exclude<Output, { readonly _tag: "Shutdown" }>): void {
    if (output._tag === "Ended") return this.expel(output.reason)
    this.#spans?.end(output)
    if (this.#outbox.length === 0 && this.#hasRoom()) return this.#write(output)
    this.#outbox.push(output)
    if (this.#outbox.length === 1) this.#congestion(true)
    // The only outputs without a bound of their own: a client may cancel what there is not.
    if (output._tag === "Cancelled" && ++this.#cancels > uncountedMax) {
      this.expel(`more than ${uncountedMax} unread outcomes of cancels`)
    }
  }

  /**
   * Says that the server is there, unless the client does not read: it could ask any number of times. That tells nothing of
   * the state, so it does not wait for the log.
   */
  #pong(): void {
    if (this.#hasRoom()) this.#ungated.send(pong())
  }

  #writeWaiting(): void {
    while (this.#written < this.#outbox.length && this.#hasRoom()) {
      const output = this.#outbox[this.#written]!
      this.#outbox[this.#written++] = undefined
      this.#write(output)
    }
    if (this.#written < this.#outbox.length) return
    this.#outbox = []
    this.#written = 0
    this.#cancels = 0
    this.#congestion(false)
  }

  #congestion(isCongested: boolean): void {
    this.#engine.step({ _tag: "Congestion", session: this.#session, isCongested })
  }

  #write(output: Told): void {
    const length = lengthOf(argumentsOf(output))
    const isWritten = length < largeLength
      ? this.#say(output)
      // Only what bears arguments has a length.
      : this.#writeLarge(output as Bearer, length)
    if (!isWritten) this.#tooLarge(output)
    if (this.#writer.bytes >= flushBytes) this.flush()
  }

  /** Sends a frame for one output. Its arguments are encoded once for all sessions that are told them in a turn. */
  #writeLarge(output: Bearer, length: number): boolean {
    const { frameBytesMax } = this.#limits
    if (length > frameBytesMax) return false
    const args = this.#shared.encode(argumentsOf(output))
    const before = ServerWriter.before(output, args.length)
    if (before.length - headerBytes + args.length > frameBytesMax) return false
    this.flush()
    this.#link.send(before)
    this.#link.send(args)
    return true
  }

  /**
   * Sends the frame of this turn. A frame of `Parked` messages alone stays for the next turn: no fiber waits for them,
   * they only make room in the client's window (S-8). It is sent when they make up half of the window.
   */
  endTurn(): void {
    this.#shared.clear()
    if (this.#isAwaited || this.#parked * 2 >= this.#limits.inFlightMax) this.flush()
  }

  /** Sends the frame, unless it is empty. */
  flush(): void {
    if (!this.#isOpen) return
    this.#isAwaited = false
    this.#parked = 0
    if (!this.#writer.isEmpty) this.#link.send(this.#writer.take())
  }

  /** Tells the client that the server ends this session. The client keeps its holds until it has gone (S-12). */
  close(reason: string): void {
    this.#say({ _tag: "Closing", reason })
    this.flush()
  }

  /** Ends this session with a defect: its reader or writer threw. What was written so far may be half a message. */
  fail(defect: unknown): void {
    this.#hasLeft = true
    Deferred.doneUnsafe(this.left, Exit.die(defect))
  }

  /** Ends the session over this link: of a client that breaks the protocol or a limit, or that has another link. */
  expel(reason: string): void {
    this.close(reason)
    this.#leave()
  }

  #request(input: Deferrable): void {
    // One that was used before may be that of a request that waits (I3).
    if (input.sequence <= this.#lastSequence) return this.expel(`sequence ${input.sequence} was used before`)
    this.#lastSequence = input.sequence
    if (input._tag === "Request") this.#spans?.begin(input)
    // It is no new load, and its reply may be what the client needs to acknowledge others.
    if (this.#isResumed && this.#engine.isKnown(input.sequence)) return this.#engine.step(input)
    if (this.#deferred.length === 0 && this.#mayRun()) return this.#run(input)
    if (input._tag === "Request" && this.#engine.settles(input)) return this.#settle(input)
    this.#deferred.push(input)
    if (input._tag === "Request") {
      this.#requests++
      this.#requestBytes += bytesOf(input)
    }
    const { frameBytesMax, inFlightBytesMax, inFlightMax } = this.#limits
    if (this.#requests > inFlightMax) this.expel(`more than ${inFlightMax} calls in flight (inFlightMax)`)
    // A client sends one more call, of any size, while it has fewer in flight.
    else if (this.#requestBytes > inFlightBytesMax + frameBytesMax) {
      this.expel(`more than ${inFlightBytesMax} bytes of calls in flight (inFlightBytesMax)`)
    } else if (this.#deferred.length - this.#requests > uncountedMax) {
      this.expel(`more than ${uncountedMax} waiting subscriptions`)
    }
  }

  /** What a client gives back may have ended before: then it is told so, and the reply is remembered. */
  #settle(input: RequestInput): void {
    const repliesMax = this.#limits.inFlightMax + uncountedMax
    if (this.#engine.remembered() < repliesMax || this.#engine.settlesNow(input)) this.#engine.step(input)
    else this.expel(`more than ${repliesMax} unacknowledged replies`)
  }

  #run(input: Deferrable): void {
    if (this.#pace !== undefined) {
      if (input._tag === "Request") this.#pace.take(input.calls.length, bytesOf(input))
      else this.#pace.take(1, 0)
    }
    this.#engine.step(input)
  }

  #mayRun(): boolean {
    const { inFlightBytesMax, inFlightMax } = this.#limits
    if (this.#pace !== undefined && this.#pace.wait(this.#engine.now()) > 0) return false
    return this.#outbox.length === 0 && this.#engine.remembered() < inFlightMax &&
      this.#engine.rememberedBytes() < inFlightBytesMax && this.#hasRoom()
  }

  /** Whether the client reads what is sent. */
  #hasRoom(): boolean {
    return this.#isOpen && this.#link.pendingBytes() < this.#limits.outboundBytesMax
  }

  /** Cancels a request that has not reached the engine; false if there is none. */
  #undefer(sequence: number): boolean {
    const position = this.#deferred.findIndex((input) => input.sequence === sequence)
    if (position < 0) return false
    this.#forget(position)
    this.#spans?.cancel(sequence)
    this.#say({ _tag: "Cancelled", session: this.#session, sequence, fate: "withdrawn" })
    return true
  }

  #forget(position: number): Deferrable {
    // The callers pass a position that is taken.
    const input = this.#deferred.splice(position, 1)[0]!
    if (input._tag === "Request") {
      this.#requests--
      this.#requestBytes -= bytesOf(input)
    }
    return input
  }

  #tooLarge(output: Told): void {
    const { frameBytesMax } = this.#limits
    if (output._tag === "Reply") {
      // The client cannot be told of the grant or the subscription, so it must not have it.
      this.#engine.step({ _tag: "Cancel", session: this.#session, sequence: output.sequence })
      this.#engine.step({ _tag: "Unwatch", session: this.#session, sequence: output.sequence })
      const outcome = { _tag: "Failure", error: "LimitExceeded", details: ["frameBytesMax", frameBytesMax] } as const
      this.#say({ ...output, outcome })
    } else if (output._tag === "Event") {
      this.#engine.step({ _tag: "Unwatch", session: this.#session, sequence: output.sequence })
      this.#say({ ...output, event: "ended", parts: ["LimitExceeded", "frameBytesMax", frameBytesMax] })
    }
  }

  /** Writes a message into the frame of this turn, or into the next one if both would be more than a frame. */
  #say(message: FromServer): boolean {
    const { frameBytesMax } = this.#limits
    let isWritten = this.#writer.write(message, frameBytesMax)
    if (!isWritten) {
      this.flush()
      isWritten = this.#writer.write(message, frameBytesMax)
    }
    if (message._tag === "Parked") this.#parked++
    else this.#isAwaited = true
    return isWritten
  }

  /** This link serves no further calls. */
  endSpans(): void {
    this.#spans?.endAll()
  }

  /** From now on nothing that the client sends or has sent counts. */
  #leave(): void {
    this.#hasLeft = true
    this.#deferred = []
    this.#outbox = []
    Deferred.doneUnsafe(this.left, Effect.void)
  }
}

/** The arguments of a message that may be large. */
const argumentsOf = (output: Told): Reply =>
  output._tag === "Event" ?
    output.parts :
    output._tag === "Reply" && output.outcome._tag === "Success"
    ? output.outcome.reply
    : none

const none: Reply = []

/** Characters and bytes of arguments, without what stands around them: a message of them has at least so many bytes. */
const lengthOf = (args: ReadonlyArray<Argument>): number => {
  let length = 0
  for (const part of args) {
    if (typeof part === "string") length += part.length
    else if (isCell(part)) {
      length += part.bytes === undefined
        ? part.text.length + part.handles.length
        : part.bytes.length
    } else length++
  }
  return length
}

/** About the bytes of a request, and never more than its client has sent. */
const bytesOf = ({ calls, guard }: RequestInput): number =>
  // A call also names its object, its operation and the number of its arguments.
  calls.reduce((bytes, { args }) => bytes + 3 + lengthOf(args), guard.length)

const pong = (): Uint8Array<ArrayBuffer> => {
  const writer = new ServerWriter()
  writer.write({ _tag: "Pong" }, Infinity)
  return writer.take()
}

/** A frame that ends a session whose own frame may be half written. */
export const farewell = (reason: string): Uint8Array<ArrayBuffer> => {
  const writer = new ServerWriter()
  writer.write({ _tag: "Closing", reason }, Infinity)
  return writer.take()
}
