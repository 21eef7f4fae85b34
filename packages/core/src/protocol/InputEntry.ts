/**
 * The inputs of an engine as bytes: one entry of a log.
 *
 * ```text
 *   entry      form, engine version, then inputs
 *   input      tag, session, then its fields; the beginning of a session and a time have none
 *   operation  1 and more: the name with this number, whose text follows where it is the next new one
 *              0, position: the object was not known, or had no such operation
 * ```
 *
 * An operation is written by name, because its position may be another one in the next release. Objects are known from the
 * state before the entry: a client learns of an object only after the entry that has made it.
 */
import type { CallInput, Input, RequestInput } from "../engine/Inputs.ts"
import type { ObjectId } from "../engine/Value.ts"
import { Reader, Writer } from "./Bytes.ts"
import { readArguments, readIds, writeArguments, writeIds } from "./Message.ts"

/** The operations of the objects of an engine. */
export interface Operations {
  /** The name of an operation by its position, or undefined if the object is not there or has no such operation. */
  readonly nameOf: (object: ObjectId, position: number) => string | undefined
  /** The position of an operation by its name. */
  readonly positionOf: (object: ObjectId, name: string) => number | undefined
}

/** Grows whenever entries are written in another way. */
const form = 1

const tag = {
  open: 1,
  request: 2,
  cancel: 3,
  acknowledge: 4,
  drop: 5,
  watch: 6,
  credit: 7,
  unwatch: 8,
  congested: 9,
  uncongested: 10,
  end: 11,
  time: 12,
  openWithGrace: 13,
  unlinked: 14,
  linked: 15,
  imports: 16,
  holds: 17
} as const

/** Writes inputs into an entry. */
export class EntryWriter {
  readonly #writer = new Writer()
  readonly #engineVersion: number
  readonly #operations: Operations
  /** The number of each name in this entry. */
  readonly #names = new Map<string, number>()

  constructor(engineVersion: number, operations: Operations) {
    this.#engineVersion = engineVersion
    this.#operations = operations
  }

  /** The bytes that `take` would return. */
  get bytes(): number {
    return this.#writer.length
  }

  /** Returns the entry, and begins another one. */
  take(): Uint8Array<ArrayBuffer> {
    this.#names.clear()
    return this.#writer.take()
  }

  /** Adds an input. */
  write(input: Input): void {
    const writer = this.#writer
    if (writer.length === 0) {
      writer.byte(form)
      writer.number(this.#engineVersion)
    }
    switch (input._tag) {
      case "Time":
        return this.#numbers(tag.time, input.now)
      case "Open":
        return this.#open(input)
      case "Unlinked":
        return this.#numbers(tag.unlinked, input.session)
      case "Linked":
        return this.#numbers(tag.linked, input.session)
      case "Request":
        return this.#request(input)
      case "Cancel":
        return this.#numbers(tag.cancel, input.session, input.sequence)
      case "Acknowledge":
        return this.#numbers(tag.acknowledge, input.session, input.from, input.to)
      case "Drop":
        return this.#numbers(tag.drop, input.session, input.object, input.times)
      case "Imports":
        this.#numbers(tag.imports, input.session, input.from, input.to)
        return writeIds(writer, input.times.flat())
      case "Holds":
        this.#numbers(tag.holds, input.session)
        return writeIds(writer, input.grants)
      case "Watch":
        return this.#numbers(tag.watch, input.session, input.sequence, input.object, input.credit)
      case "Credit":
        return this.#numbers(tag.credit, input.session, input.sequence, input.credit)
      case "Unwatch":
        return this.#numbers(tag.unwatch, input.session, input.sequence)
      case "Congestion":
        return this.#numbers(input.isCongested ? tag.congested : tag.uncongested, input.session)
      case "End":
        return this.#numbers(tag.end, input.session)
    }
  }

  #numbers(tag: number, ...values: ReadonlyArray<number>): void {
    this.#writer.byte(tag)
    for (const value of values) this.#writer.number(value)
  }

  #open({ grace, label }: Extract<Input, { readonly _tag: "Open" }>): void {
    const writer = this.#writer
    writer.byte(grace === undefined ? tag.open : tag.openWithGrace)
    writer.text(label.name)
    writer.number(label.pid)
    if (grace === undefined) return
    writer.number(grace.milliseconds)
    writer.text(grace.secretHash)
  }

  #request({ calls, guard, sequence, session, stalls }: RequestInput): void {
    const writer = this.#writer
    this.#numbers(tag.request, session, sequence)
    writeIds(writer, guard)
    writer.number(stalls)
    writer.number(calls.length)
    for (const { args, object, operation } of calls) {
      writer.number(object)
      this.#operation(object, operation)
      writeArguments(writer, args)
    }
  }

  #operation(object: ObjectId, position: number): void {
    const writer = this.#writer
    const name = this.#operations.nameOf(object, position)
    if (name === undefined) {
      writer.number(0)
      return writer.number(position)
    }
    const known = this.#names.get(name)
    if (known !== undefined) return writer.number(known)
    const number = this.#names.size + 1
    this.#names.set(name, number)
    writer.number(number)
    writer.text(name)
  }
}

/** The inputs of an entry, and the version of the engine that took them. */
export interface Entry {
  readonly engineVersion: number
  readonly inputs: ReadonlyArray<Input>
}

/** Reads an entry; undefined if the bytes are none, or if they name an operation that its object does not have. */
export const readEntry = (bytes: Uint8Array, operations: Operations): Entry | undefined => {
  const reader = new EntryReader(bytes, operations)
  return reader.read()
}

// internals

class EntryReader {
  readonly #reader: Reader
  readonly #operations: Operations
  readonly #names: Array<string> = []

  constructor(bytes: Uint8Array, operations: Operations) {
    this.#reader = new Reader(bytes)
    this.#operations = operations
  }

  read(): Entry | undefined {
    const reader = this.#reader
    if (reader.byte() !== form) return undefined
    const engineVersion = reader.whole()
    const inputs: Array<Input> = []
    while (!reader.done) inputs.push(this.#input())
    return reader.malformed ? undefined : { engineVersion, inputs }
  }

  #input(): Input {
    const reader = this.#reader
    const kind = reader.byte()
    if (kind === tag.time) return { _tag: "Time", now: reader.number() }
    if (kind === tag.open || kind === tag.openWithGrace) {
      const label = { name: reader.text(), pid: reader.number() }
      const grace = kind === tag.open ? undefined : { milliseconds: reader.number(), secretHash: reader.text() }
      return { _tag: "Open", label, grace }
    }
    const session = reader.number()
    switch (kind) {
      case tag.unlinked:
        return { _tag: "Unlinked", session }
      case tag.linked:
        return { _tag: "Linked", session }
      case tag.request:
        return this.#request(session)
      case tag.cancel:
        return { _tag: "Cancel", session, sequence: reader.number() }
      case tag.acknowledge:
        return { _tag: "Acknowledge", session, from: reader.number(), to: reader.number() }
      case tag.drop:
        return { _tag: "Drop", session, object: reader.number(), times: reader.number() }
      case tag.imports:
        return { _tag: "Imports", session, from: reader.number(), to: reader.number(), times: this.#times() }
      case tag.holds:
        return { _tag: "Holds", session, grants: readIds(reader) }
      case tag.watch:
        return { _tag: "Watch", session, sequence: reader.number(), object: reader.number(), credit: reader.number() }
      case tag.credit:
        return { _tag: "Credit", session, sequence: reader.number(), credit: reader.number() }
      case tag.unwatch:
        return { _tag: "Unwatch", session, sequence: reader.number() }
      case tag.congested:
      case tag.uncongested:
        return { _tag: "Congestion", session, isCongested: kind === tag.congested }
      default:
        if (kind !== tag.end) reader.fail()
        return { _tag: "End", session }
    }
  }

  #times(): ReadonlyArray<readonly [object: ObjectId, times: number]> {
    const numbers = readIds(this.#reader)
    if (numbers.length % 2 > 0) this.#reader.fail()
    return numbers.flatMap((object, i) => i % 2 === 0 ? [[object, numbers[i + 1]!] as const] : [])
  }

  #request(session: number): RequestInput {
    const reader = this.#reader
    const sequence = reader.number()
    const guard = readIds(reader)
    const stalls = reader.number()
    const length = reader.count()
    const calls: Array<CallInput> = []
    for (let i = 0; i < length && !reader.malformed; i++) {
      const object = reader.number()
      calls.push({ object, operation: this.#operation(object), args: readArguments(reader) })
    }
    return { _tag: "Request", session, sequence, guard, stalls, calls }
  }

  #operation(object: ObjectId): number {
    const reader = this.#reader
    const number = reader.whole()
    if (number === 0) return reader.number()
    if (number === this.#names.length + 1) this.#names.push(reader.text())
    const name = this.#names[number - 1]
    return name === undefined ? reader.fail() : this.#operations.positionOf(object, name) ?? reader.fail()
  }
}
