/**
 * Writes down what a client says and hears, from the bytes that pass over its link.
 *
 * It stands outside of the connection, so it sees what really was sent, and in which order; a reply counts as received
 * when its bytes are read. Needs nothing of the program or of the manager.
 */
import * as Predicate from "effect/Predicate"
import type { OperationTable, Outcome } from "../engine/Inputs.ts"
import { type Argument, isCell, textOf } from "../engine/Value.ts"
import { Reader } from "../protocol/Bytes.ts"
import { FrameSplitter } from "../protocol/Frame.ts"
import { refusalOf, resultsOf } from "../protocol/JointReply.ts"
import { type FromClient, type FromServer, readFromClient, readFromServer } from "../protocol/Message.ts"
import type { Link } from "../transport/Link.ts"
import type { CallRecord, Told, WatchRecord } from "./History.ts"

/** Whose calls these are, and the clock by which they are timed. */
export interface RecorderOptions {
  readonly client: string
  /** Names the clock: records of one clock are compared in time. */
  readonly clock: string
  /** The monotonic time; no two events may have the same. */
  readonly now: () => number
  /** The kind of an object that came by another way than this link, as in the assignment of a process. */
  readonly kindOf?: ((object: number) => string | undefined) | undefined
}

type Writable<A> = { -readonly [K in keyof A]: A[K] }

/** Frames of the handshake in each direction: challenge and verdict, response. */
const handshakeFrames = { fromServer: 2, fromClient: 1 }

/** What one client said and heard. */
export class Recorder {
  readonly records: Array<CallRecord> = []
  readonly watches: Array<WatchRecord> = []
  readonly #options: RecorderOptions
  /** The calls of each request that has not been answered. */
  readonly #calls = new Map<number, ReadonlyArray<Writable<CallRecord>>>()
  /** The calls of every request. */
  readonly #sent = new Map<number, ReadonlyArray<Writable<CallRecord>>>()
  readonly #told = new Map<number, Array<Told>>()
  /** Kinds of the objects this client has heard of. */
  readonly #kinds = new Map<number, string>([[0, "Directory"]])
  #operations: OperationTable = {}
  #session = 0

  constructor(options: RecorderOptions) {
    this.#options = options
  }

  /** The same link, with this recorder listening. */
  listen(link: Link): Link {
    const fromClient = this.#frames(handshakeFrames.fromClient, (reader) => {
      this.#said(readFromClient(reader, this.#session))
    })
    const fromServer = this.#frames(handshakeFrames.fromServer, (reader) => {
      this.#heard(readFromServer(reader, this.#session))
    })
    return {
      ...link,
      send: (bytes) => {
        fromClient(bytes)
        link.send(bytes)
      },
      read: ({ onBytes, onDrain }) =>
        link.read({
          onBytes: (bytes) => {
            fromServer(bytes)
            onBytes(bytes)
          },
          onDrain
        })
    }
  }

  /** Puts the frames of one direction together, and reads those after the handshake message by message. */
  #frames(handshake: number, onMessage: (reader: Reader) => void): (bytes: Uint8Array) => void {
    const splitter = new FrameSplitter(0xffffffff)
    let frames = 0
    const onFrame = (frame: Uint8Array) => {
      if (frames++ < handshake) return this.#shake(frame)
      const reader = new Reader(frame)
      while (!reader.done) onMessage(reader)
    }
    return (bytes) => {
      splitter.push(bytes, onFrame)
    }
  }

  /** Of the handshake only the welcome matters. */
  #shake(frame: Uint8Array): void {
    const message: unknown = JSON.parse(new TextDecoder().decode(frame))
    if (!Predicate.isTagged(message, "Welcome")) return
    // The connection itself has checked it against its schema, or will refuse it.
    const welcome = message as unknown as { readonly session: number; readonly operations: OperationTable }
    this.#session = welcome.session
    this.#operations = welcome.operations
  }

  #said(message: FromClient): void {
    if (message._tag === "Request") {
      const { calls, guard, sequence, session } = message
      const sent = this.#sent.get(sequence)
      if (sent !== undefined) {
        // It is sent again: its reply, if there was one, has not got through the client.
        this.#calls.set(sequence, sent)
        return
      }
      const { client, clock, kindOf, now } = this.#options
      const invoke = now()
      const records = calls.map(({ args, object, operation }, call): CallRecord => {
        const kind = this.#kinds.get(object) ?? kindOf?.(object)
        const name = this.#operations[kind ?? ""]?.[operation]?.[0] ?? `operation ${operation}`
        return { client, clock, session, sequence, call, object, operation: name, args, guard, invoke }
      })
      this.#calls.set(sequence, records)
      this.#sent.set(sequence, records)
      this.records.push(...records)
    } else if (message._tag === "Watch") {
      const { object, sequence, session } = message
      const told: Array<Told> = []
      this.#told.set(sequence, told)
      this.watches.push({ client: this.#options.client, session, sequence, object, told })
    } else if (message._tag === "Unwatch") this.#told.delete(message.sequence)
  }

  #heard(message: FromServer): void {
    switch (message._tag) {
      case "Reply":
        return this.#replied(message.sequence, message.index, message.outcome)
      case "Parked": {
        const [call, ...others] = this.#calls.get(message.sequence) ?? []
        if (call !== undefined && others.length === 0) call.hasWaited = true
        return
      }
      case "Cancelled": {
        for (const call of this.#calls.get(message.sequence) ?? []) call.fate = message.fate
        return
      }
      case "Event": {
        const { event, index, parts } = message
        this.#learn(parts)
        this.#told.get(message.sequence)?.push({ event, index, parts })
      }
    }
  }

  #replied(sequence: number, index: number, outcome: Outcome): void {
    const parts = outcome._tag === "Success" ? outcome.reply : []
    this.#learn(parts)
    const calls = this.#calls.get(sequence)
    if (calls === undefined) {
      if (outcome._tag === "Success") this.#told.get(sequence)?.push({ event: "snapshot", index, parts })
      return
    }
    this.#calls.delete(sequence)
    const complete = this.#options.now()
    if (calls.length > 1) return this.#repliedTogether(calls, complete, index, outcome)
    const [call] = calls
    Object.assign(call!, { complete, index, outcome })
    const [handle] = parts
    if (call!.operation === "open" && isCell(handle)) this.#kinds.set(handle.handles[0]!, String(call!.args[0]))
  }

  /** If one was refused, the others have not taken effect. */
  #repliedTogether(
    calls: ReadonlyArray<Writable<CallRecord>>,
    complete: number,
    index: number,
    outcome: Outcome
  ): void {
    if (outcome._tag === "Success") {
      for (const [i, result] of resultsOf(outcome.reply).entries()) Object.assign(calls[i]!, { complete, ...result })
      return
    }
    for (const call of calls) call.fate = "withdrawn"
    const refusal = refusalOf(outcome)
    Object.assign(calls[refusal.call]!, { complete, index, outcome: refusal.outcome, fate: undefined })
  }

  /** A handle that came with a value says of which kind its object is. */
  #learn(parts: ReadonlyArray<Argument>): void {
    for (const part of parts) if (isCell(part) && part.handles.length > 0) this.#learnFrom(JSON.parse(textOf(part)))
  }

  #learnFrom(json: unknown): void {
    if (!Predicate.isObjectOrArray(json)) return
    if ("object" in json && "kind" in json) this.#kinds.set(Number(json.object), String(json.kind))
    else for (const inner of Object.values(json)) this.#learnFrom(inner)
  }
}
