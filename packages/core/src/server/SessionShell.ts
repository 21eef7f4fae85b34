/**
 * One session as the server sees it: messages in, outputs out, and what it must wait for.
 *
 * Flow control (S-8, S-12): requests over the limit of remembered replies, or while the client does not read what it
 * was sent, are deferred here; acknowledgements and cancels never are. A client that keeps to the window it was told
 * cannot have more than that window deferred; one that does not is ended.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Engine } from "../engine/Engine.ts"
import type { Input, Output, SessionId } from "../engine/Inputs.ts"
import type { Limits } from "../Limits.ts"
import { Reader } from "../protocol/Bytes.ts"
import { type FromClient, type FromServer, readFromClient, ServerWriter } from "../protocol/Message.ts"
import type { Link } from "../transport/Link.ts"

type Deferrable = Extract<Input, { readonly _tag: "Request" | "Watch" }>

/** A frame is sent when it has grown to this size: the client works on it while the rest is written. */
const flushBytes = 2 * 1024

/** The server's end of one session. */
export class SessionShell {
  /** Done when the client has said goodbye, or must go. */
  readonly left: Deferred.Deferred<void> = Deferred.makeUnsafe()
  readonly #session: SessionId
  readonly #link: Link
  readonly #engine: Engine
  readonly #step: Engine["step"]
  readonly #limits: Limits
  readonly #writer = new ServerWriter()
  #deferred: Array<Deferrable> = []
  /** How many of them are requests. */
  #requests = 0
  /** What the turn that is being read brings, in order. */
  #inbox: Array<FromClient> = []
  /** Whether the frame says something that somebody waits for. */
  #isAwaited = false
  /** How many calls the frame says wait from now on. */
  #parked = 0

  constructor(session: SessionId, link: Link, engine: Engine, step: Engine["step"], limits: Limits) {
    this.#session = session
    this.#link = link
    this.#engine = engine
    this.#step = step
    this.#limits = limits
  }

  /** Reads one frame; false if it is not of this protocol. Nothing of a malformed frame has an effect. */
  receive(frame: Uint8Array): boolean {
    const reader = new Reader(frame)
    const messages: Array<FromClient> = []
    while (!reader.done) messages.push(readFromClient(reader, this.#session))
    if (reader.malformed) return false
    for (const message of messages) this.#inbox.push(message)
    return true
  }

  /** Applies what was read; what its acknowledgements make room for runs in the same turn (S-9). */
  turn(): void {
    const inbox = this.#inbox
    this.#inbox = []
    for (const message of inbox) {
      if (message._tag === "Request" || message._tag === "Watch") this.#request(message)
      else if ((message._tag === "Cancel" || message._tag === "Unwatch") && this.#undefer(message.sequence)) continue
      // In its place: what was acknowledged before it has been received (S-9).
      else if (message._tag === "Goodbye") this.#leave()
      else this.#step(message)
    }
    this.resume()
  }

  /** Applies deferred requests, as far as the limits allow by now. */
  resume(): void {
    while (this.#deferred.length > 0 && this.#mayRun()) this.#step(this.#forget(0))
  }

  /** Adds an output to the frame of this turn. */
  tell(output: Output): void {
    if (output._tag === "Parked") this.#parked++
    else this.#isAwaited = true
    if (!this.#writer.write(output, this.#limits.frameBytesMax)) this.#tooLarge(output)
    if (this.#writer.bytes >= flushBytes) this.flush()
  }

  /**
   * Sends the frame of this turn. That a call waits makes room in the client's window (S-8) and is news to nobody else:
   * it goes with the next frame, unless half of the window is such calls.
   */
  endTurn(): void {
    if (this.#isAwaited || this.#parked * 2 >= this.#limits.inFlightMax) this.flush()
  }

  /** Sends what there is to send. */
  flush(): void {
    this.#isAwaited = false
    this.#parked = 0
    if (!this.#writer.isEmpty) this.#link.send(this.#writer.take())
  }

  /** Tells the client that the server ends this session; what it holds stays held until it has gone (S-12). */
  close(reason: string): void {
    this.#say({ _tag: "Closing", reason })
    this.flush()
  }

  #request(input: Deferrable): void {
    if (this.#deferred.length === 0 && this.#mayRun()) return this.#step(input)
    if (input._tag === "Request" && this.#engine.settles(input)) return this.#step(input)
    this.#deferred.push(input)
    // A client counts its calls, not its subscriptions.
    if (input._tag === "Watch" || ++this.#requests <= this.#limits.inFlightMax) return
    this.close(`more than ${this.#limits.inFlightMax} calls in flight (inFlightMax)`)
    this.#leave()
  }

  #mayRun(): boolean {
    const session = this.#engine.state.sessions.get(this.#session)
    return session === undefined ||
      session.requests.size - session.parked < this.#limits.inFlightMax &&
        this.#link.pendingBytes() < this.#limits.outboundBytesMax
  }

  /** Cancels a request that has not reached the engine. */
  #undefer(sequence: number): boolean {
    const position = this.#deferred.findIndex((input) => input.sequence === sequence)
    if (position < 0) return false
    this.#forget(position)
    this.#say({ _tag: "Cancelled", session: this.#session, sequence, fate: "withdrawn" })
    return true
  }

  #forget(position: number): Deferrable {
    // Only called with the position of one.
    const input = this.#deferred.splice(position, 1)[0]!
    if (input._tag === "Request") this.#requests--
    return input
  }

  #tooLarge(output: Output): void {
    const { frameBytesMax } = this.#limits
    if (output._tag === "Reply") {
      // What the client cannot be told it must not hold, and not watch.
      this.#step({ _tag: "Cancel", session: this.#session, sequence: output.sequence })
      this.#step({ _tag: "Unwatch", session: this.#session, sequence: output.sequence })
      const outcome = { _tag: "Failure", error: "LimitExceeded", details: ["frameBytesMax", frameBytesMax] } as const
      this.#say({ ...output, outcome })
    } else if (output._tag === "Event") {
      this.#step({ _tag: "Unwatch", session: this.#session, sequence: output.sequence })
      this.#say({ ...output, event: "ended", parts: ["LimitExceeded", "frameBytesMax", frameBytesMax] })
    }
  }

  #say(message: FromServer): void {
    this.#isAwaited = true
    this.#writer.write(message, this.#limits.frameBytesMax)
  }

  #leave(): void {
    Deferred.doneUnsafe(this.left, Effect.void)
  }
}
