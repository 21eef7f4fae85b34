/**
 * The entries of a log as bytes: inputs of an engine, and with what a leader begins.
 *
 * ```text
 *   entry      form, engine version, then inputs, then 0 and the index that they have led to
 *   beginning  form, engine version, instance, then names and numbers
 *   input      tag, session, then its fields; a time has no session, nor has one that begins, with its rights in front
 *   operation  1 and more: the name with this number, whose text follows where it is the next new one
 *              0, position: the object was not known, or had no such operation
 * ```
 *
 * An operation is written by name, because its position may be another one in the next release. The object of a call is
 * looked up as it is before its input, so each input is read when those before it have been stepped.
 */
import type { CallInput, Input, RequestInput, Rights } from "../engine/Inputs.ts"
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

/** The first byte of an entry. An entry that is written in another way has another one. */
const form = { inputs: 1, beginning: 2 } as const

const tag = {
  index: 0,
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
  holds: 17,
  /** In front of a session that is not an owner's. */
  rights: 18
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

  /** The bytes of the inputs so far. */
  get bytes(): number {
    return this.#writer.length
  }

  /** Returns the entry, with the index of the engine after its inputs, and begins another one. */
  take(index: number): Uint8Array<ArrayBuffer> {
    this.#numbers(tag.index, index)
    this.#names.clear()
    return this.#writer.take()
  }

  /** Adds an input. */
  write(input: Input): void {
    const writer = this.#writer
    if (writer.length === 0) {
      writer.byte(form.inputs)
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
      default:
        input satisfies never
    }
  }

  #numbers(tag: number, ...values: ReadonlyArray<number>): void {
    this.#writer.byte(tag)
    for (const value of values) this.#writer.number(value)
  }

  #open({ grace, label, rights }: Extract<Input, { readonly _tag: "Open" }>): void {
    const writer = this.#writer
    if (rights !== undefined) this.#rights(rights)
    writer.byte(grace === undefined ? tag.open : tag.openWithGrace)
    writer.text(label.name)
    writer.number(label.pid)
    if (grace === undefined) return
    writer.number(grace.milliseconds)
    writer.text(grace.secretHash)
  }

  #rights({ names, role }: Rights): void {
    const writer = this.#writer
    writer.byte(tag.rights)
    writer.byte(role === "client" ? 1 : 0)
    writer.byte(names === undefined ? 0 : 1)
    if (names === undefined) return
    writer.number(names.length)
    for (const prefix of names) writer.text(prefix)
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

/** With what a leader begins. */
export interface Beginning {
  /** Of all managers of the realm: handles in stored values name it. */
  readonly instance: string
  /** Those of the inputs that follow. */
  readonly limits: Limits
}

/** Writes an entry with which a leader begins. */
export const writeBeginning = (engineVersion: number, { instance, limits }: Beginning): Uint8Array<ArrayBuffer> => {
  const writer = new Writer()
  writer.byte(form.beginning)
  writer.number(engineVersion)
  writer.text(instance)
  for (const [name, limit] of Object.entries(limits)) {
    writer.text(name)
    writer.number(limit)
  }
  return writer.take()
}

/** Numbers by their names. */
export type Limits = Readonly<Record<string, number>>

/** What is read of an entry: the index that its inputs have led to, or with what a leader began. */
export type Entry =
  & {
    /** The version of the engine that took the inputs. */
    readonly engineVersion: number
  }
  & (
    | { readonly _tag: "Inputs"; readonly index: number }
    | { readonly _tag: "Beginning" } & Beginning
  )

/**
 * Reads an entry, and hands over each input before the next one is read. Returns undefined if the bytes are no entry, or
 * name an operation that its object does not have: a part of the inputs may have been handed over.
 */
export const readEntry = (
  bytes: Uint8Array,
  operations: Operations,
  onInput: (input: Input) => void
): Entry | undefined => new EntryReader(bytes, operations).read(onInput)

// internals

class EntryReader {
  readonly #reader: Reader
  readonly #operations: Operations
  readonly #names: Array<string> = []

  constructor(bytes: Uint8Array, operations: Operations) {
    this.#reader = new Reader(bytes)
    this.#operations = operations
  }

  read(onInput: (input: Input) => void): Entry | undefined {
    const reader = this.#reader
    const first = reader.byte()
    const engineVersion = reader.whole()
    const entry: Entry | undefined = first === form.inputs
      ? { _tag: "Inputs", engineVersion, index: this.#inputs(onInput) }
      : first === form.beginning
      ? { _tag: "Beginning", engineVersion, instance: reader.text(), limits: this.#limits() }
      : undefined
    return reader.malformed ? undefined : entry
  }

  #limits(): Limits {
    const reader = this.#reader
    const limits: Record<string, number> = {}
    while (!reader.done) limits[reader.text()] = reader.number()
    return limits
  }

  /** Reads the inputs, and returns the index after them. */
  #inputs(onInput: (input: Input) => void): number {
    const reader = this.#reader
    while (!reader.done) {
      const next = reader.byte()
      if (next === tag.index) {
        const index = reader.whole()
        return reader.done ? index : reader.fail()
      }
      const input = this.#input(next)
      if (!reader.malformed) onInput(input)
    }
    return reader.fail()
  }

  #input(kind: number): Input {
    const reader = this.#reader
    if (kind === tag.time) return { _tag: "Time", now: reader.number() }
    if (kind === tag.open || kind === tag.openWithGrace) return this.#open(kind, undefined)
    if (kind === tag.rights) {
      const rights = this.#rights()
      return this.#open(reader.byte(), rights)
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

  #open(kind: number, rights: Rights | undefined): Input {
    const reader = this.#reader
    if (kind !== tag.open && kind !== tag.openWithGrace) reader.fail()
    const label = { name: reader.text(), pid: reader.number() }
    const grace = kind === tag.open ? undefined : { milliseconds: reader.number(), secretHash: reader.text() }
    return { _tag: "Open", label, grace, rights }
  }

  #rights(): Rights {
    const reader = this.#reader
    const role = reader.byte() === 1 ? "client" : "observer"
    if (reader.byte() === 0) return { role, names: undefined }
    const length = reader.count()
    const names: Array<string> = []
    while (names.length < length && !reader.malformed) names.push(reader.text())
    return { role, names }
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
