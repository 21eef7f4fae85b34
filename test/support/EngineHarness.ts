/**
 * An engine with inputs by hand. The invariants are checked after every step, and all inputs are kept for a replay.
 */
import * as Checkpoint from "#core/engine/Checkpoint.ts"
import { Engine } from "#core/engine/Engine.ts"
import { Malformed } from "#core/engine/Format.ts"
import type { Grace, Input, JournalEntry, Outcome, Output, Rights, SessionId } from "#core/engine/Inputs.ts"
import { Monitor, violations } from "#core/engine/Invariants.ts"
import type { AnyKind } from "#core/engine/Kind.ts"
import { kinds } from "#core/engine/kinds/index.ts"
import type { GrantId } from "#core/engine/Operation.ts"
import type { Options } from "#core/engine/Parameter.ts"
import type { EngineLimits, SharedObject } from "#core/engine/State.ts"
import * as StateHash from "#core/engine/StateHash.ts"
import { type Argument, type Cell, cell, type ObjectId } from "#core/engine/Value.ts"
import { refusalOf, resultsOf } from "#core/protocol/JointReply.ts"
import { defaults } from "@effect-multiprocessing/core/Limits"
import type { CallRecord, History } from "@effect-multiprocessing/core/testing"

/** A stored number. */
export const value = (n: number): Cell => cell(JSON.stringify(n))

/** A stored handle. */
export const handleOf = (...handles: ReadonlyArray<ObjectId>): Cell => ({ text: "\"handle\"", handles })

/** An engine and its outputs. */
export class EngineHarness {
  readonly engine: Engine
  readonly inputs: Array<Input> = []
  readonly outputs: Array<Output> = []
  readonly journal: Array<JournalEntry> = []
  readonly #limits: EngineLimits
  readonly #kinds: ReadonlyArray<AnyKind>
  readonly #monitor = new Monitor()
  readonly #records = new Map<string, ReadonlyArray<CallRecord>>()
  /** Whether a client has used a sequence twice: from then on its calls have no histories. */
  #hasReused = false

  /** A harness of an engine with more kinds than the standard ones. */
  constructor(limits: Partial<EngineLimits> = {}, more: ReadonlyArray<AnyKind> = []) {
    this.#limits = { ...defaults, ...limits }
    this.#kinds = [...kinds, ...more]
    this.engine = this.#newEngine(this.journal)
  }

  /** Makes one step, and returns its outputs. Throws if it broke an invariant. */
  step(input: Input): ReadonlyArray<Output> {
    if (this.#hasReused) return this.#stepReused(input)
    this.inputs.push(input)
    const before = this.engine.state.index
    this.engine.step(input)
    const outputs = this.engine.takeOutputs()
    this.outputs.push(...outputs)
    this.#keep(input, outputs)
    const broken = [...this.#monitor.observe(this.engine, outputs), ...this.#undense(before)]
    if (broken.length > 0) throw new Error(`after ${JSON.stringify(input)}:\n${broken.join("\n")}`)
    return outputs
  }

  /** From now on clients may use sequences twice: only the plain state is judged. */
  reuse(): void {
    this.#hasReused = true
  }

  #stepReused(input: Input): ReadonlyArray<Output> {
    this.inputs.push(input)
    const outputs = this.again(input)
    this.outputs.push(...outputs)
    const broken = violations(this.engine)
    if (broken.length > 0) throw new Error(`after ${JSON.stringify(input)}:\n${broken.join("\n")}`)
    return outputs
  }

  /** `step` for an input whose reply is repeated on purpose, which the monitor would report as a second reply. */
  again(input: Input): ReadonlyArray<Output> {
    this.engine.step(input)
    const outputs = this.engine.takeOutputs()
    return outputs
  }

  /** A new session. Without a grace it ends with its link. */
  open(grace?: Grace, rights?: Rights): Client {
    const session = this.engine.state.lastSession + 1
    this.step({ _tag: "Open", label: { name: `client ${session}`, pid: 0 }, grace, rights })
    return new Client(this, session)
  }

  time(now: number): ReadonlyArray<Output> {
    return this.step({ _tag: "Time", now })
  }

  object(id: ObjectId): SharedObject {
    const object = this.engine.state.objects.get(id)
    if (object === undefined) throw new Error(`there is no object ${id}`)
    return object
  }

  exists(id: ObjectId): boolean {
    return this.engine.state.objects.has(id)
  }

  get hash(): string {
    return StateHash.hash(this.engine.state)
  }

  /** Another engine that gets the same inputs (I1). Before some of them it is saved, and replaced by a loaded one. */
  replay(isReloadedBefore: (input: number) => boolean = () => false): {
    readonly hash: string
    readonly outputs: ReadonlyArray<Output>
  } {
    let engine = this.#newEngine([])
    const outputs: Array<Output> = []
    for (const [i, input] of this.inputs.entries()) {
      if (isReloadedBefore(i)) engine = this.reload(engine)
      engine.step(input)
      outputs.push(...engine.takeOutputs())
    }
    return { hash: StateHash.hash(engine.state), outputs }
  }

  /** An engine that is loaded from the saved text of another one. Throws if their states differ. */
  reload(engine: Engine, kinds = this.#kinds): Engine {
    const loaded = this.load(JSON.parse(JSON.stringify(Checkpoint.save(engine.state))), kinds)
    if (loaded instanceof Malformed) throw new Error(loaded.reason)
    const [saved, hash] = [StateHash.hash(engine.state), StateHash.hash(loaded.state)]
    if (hash !== saved) throw new Error(`a state with the hash ${saved} was loaded with the hash ${hash}`)
    return loaded
  }

  /** An engine with the kinds and limits of this one, in a saved state. */
  load(saved: unknown, kinds = this.#kinds): Engine | Malformed {
    return Checkpoint.load({ kinds, limits: this.#limits }, saved)
  }

  /** The history of calls and watches for `certify` (S-31). The time is the number of the step. */
  get history(): History {
    return { journal: this.journal, records: [...this.#records.values()].flat() }
  }

  #keep(input: Input, outputs: ReadonlyArray<Output>): void {
    const now = this.inputs.length
    if (input._tag === "Request") {
      const { calls, guard, sequence, session } = input
      const names = { client: `client ${session}`, clock: "steps", session, sequence, guard, invoke: now }
      const records = calls.map(({ args, object, operation }, call): CallRecord => {
        const name = this.engine.state.objects.get(object)?.operations[operation]?.[0] ?? ""
        return { ...names, call, object, operation: name, args }
      })
      const request = `${session}:${sequence}`
      // A request that is sent again is no other one.
      if (!this.#records.has(request)) this.#records.set(request, records)
    }
    for (const output of outputs) {
      if (output._tag !== "Reply" && output._tag !== "Cancelled") continue
      const request = `${output.session}:${output.sequence}`
      const records = this.#records.get(request)
      if (records !== undefined) {
        this.#records.set(
          request,
          records.map((record) => ended(record, output, records.length, now))
        )
      }
    }
  }

  #newEngine(journal: Array<JournalEntry>): Engine {
    return new Engine({
      epoch: 1,
      kinds: this.#kinds,
      limits: this.#limits,
      journal: (entry) => journal.push(entry)
    })
  }

  /** S-31: every index of this step is in the journal, once and in order. */
  #undense(before: number): ReadonlyArray<string> {
    const { index } = this.engine.state
    const written = this.journal.slice(before).map((entry) => entry.index)
    return written.length === index - before && written.every((taken, i) => taken === before + i + 1)
      ? []
      : [`I1: the journal has ${written} for the indexes from ${before + 1} to ${index}`]
  }
}

/** A call whose request, of this number of calls, got a reply or was cancelled. */
const ended = (
  record: CallRecord,
  output: Extract<Output, { readonly _tag: "Reply" | "Cancelled" }>,
  calls: number,
  complete: number
): CallRecord => {
  if (output._tag === "Cancelled") return { ...record, fate: output.fate }
  const { index, outcome } = output
  if (calls === 1) return { ...record, complete, index, outcome }
  if (outcome._tag === "Success") return { ...record, complete, ...resultsOf(outcome.reply)[record.call]! }
  const refusal = refusalOf(outcome)
  return refusal.call === record.call
    ? { ...record, complete, index, outcome: refusal.outcome }
    : { ...record, fate: "withdrawn" }
}

/** A session, by hand. */
export class Client {
  readonly session: SessionId
  readonly #harness: EngineHarness
  #sequence = 0
  #reused: number | undefined

  constructor(harness: EngineHarness, session: SessionId) {
    this.#harness = harness
    this.session = session
  }

  /** The next call uses this sequence again. */
  reuse(sequence: number): void {
    this.#harness.reuse()
    this.#reused = sequence
  }

  /** Calls an operation by name. Returns the sequence. */
  call(
    object: ObjectId,
    operation: string,
    args: ReadonlyArray<Argument> = [],
    guard: ReadonlyArray<GrantId> = [],
    stalls = 0
  ): number {
    return this.together([[object, operation, args]], guard, stalls)
  }

  /** Calls several operations that take effect together. Returns the sequence. */
  together(
    calls: ReadonlyArray<readonly [object: ObjectId, operation: string, args?: ReadonlyArray<Argument>]>,
    guard: ReadonlyArray<GrantId> = [],
    stalls = 0
  ): number {
    const sequence = this.#reused ?? ++this.#sequence
    this.#reused = undefined
    this.#harness.step({
      _tag: "Request",
      session: this.session,
      sequence,
      guard,
      stalls,
      calls: calls.map(([object, operation, args = []]) => {
        const { kind } = this.#harness.engine.state.objects.get(object) ?? { kind: undefined }
        const position = kind === undefined ? 0 : Object.keys(kind.operations).indexOf(operation)
        return { object, operation: position, args }
      })
    })
    return sequence
  }

  /** Calls an operation that must end at once. Returns its outcome. */
  get(
    object: ObjectId,
    operation: string,
    args: ReadonlyArray<Argument> = [],
    guard: ReadonlyArray<GrantId> = []
  ): ReadonlyArray<Argument> | string {
    return this.answer(this.call(object, operation, args, guard))
  }

  /** Opens an object. Returns its id. */
  make(kind: string, name: string | null = null, options: Options = {}, ...initial: ReadonlyArray<Cell>): ObjectId {
    const flat = Object.entries(options).flat()
    const reply = this.get(0, "open", [kind, "", name, flat.length / 2, ...flat, ...initial])
    if (typeof reply === "string") throw new Error(reply)
    return (reply[0] as Cell).handles[0]!
  }

  /** The outcome of a call, if it has one. */
  outcome(sequence: number): Outcome | undefined {
    const reply = this.#harness.outputs.findLast((output) =>
      output._tag === "Reply" && output.session === this.session && output.sequence === sequence
    )
    return reply?._tag === "Reply" ? reply.outcome : undefined
  }

  /** The outcome of a call: its reply, or its error as text. `"waits"` if it has none. */
  answer(sequence: number): ReadonlyArray<Argument> | string {
    const outcome = this.outcome(sequence)
    if (outcome === undefined) return "waits"
    return outcome._tag === "Success" ? outcome.reply : [outcome.error, ...outcome.details].join(" ")
  }

  waits(sequence: number): boolean {
    return this.answer(sequence) === "waits"
  }

  cancel(sequence: number): string {
    const [output] = this.#harness.step({ _tag: "Cancel", session: this.session, sequence })
    return output?._tag === "Cancelled" ? output.fate : "not answered"
  }

  acknowledge(from: number, to = from): void {
    this.#harness.step({ _tag: "Acknowledge", session: this.session, from, to })
  }

  drop(object: ObjectId, times = 1): void {
    this.#harness.step({ _tag: "Drop", session: this.session, object, times })
  }

  watch(object: ObjectId, credit: number): number {
    const sequence = ++this.#sequence
    this.#harness.step({ _tag: "Watch", session: this.session, sequence, object, credit })
    return sequence
  }

  credit(sequence: number, credit: number): void {
    this.#harness.step({ _tag: "Credit", session: this.session, sequence, credit })
  }

  unwatch(sequence: number): void {
    this.#harness.step({ _tag: "Unwatch", session: this.session, sequence })
  }

  /** The events of a subscription after its snapshot: each with the texts of its parts. */
  events(sequence: number): ReadonlyArray<string> {
    return this.#harness.outputs.flatMap((output) =>
      output._tag === "Event" && output.session === this.session && output.sequence === sequence
        ? [[output.event, ...texts(output.parts)].join(" ")]
        : []
    )
  }

  congestion(isCongested: boolean): void {
    this.#harness.step({ _tag: "Congestion", session: this.session, isCongested })
  }

  /** Its link is lost. */
  unlink(): void {
    this.#harness.step({ _tag: "Unlinked", session: this.session })
  }

  /** It gets a new link. */
  link(): void {
    this.#harness.step({ _tag: "Linked", session: this.session })
  }

  /** Sends requests again, over a new link, and returns what it is told. */
  resend(...sequences: ReadonlyArray<number>): ReadonlyArray<Output> {
    return sequences.flatMap((sequence) => {
      const request = this.#harness.inputs.find((input) =>
        input._tag === "Request" && input.session === this.session && input.sequence === sequence
      )
      return request === undefined ? [] : this.#harness.step(request)
    })
  }

  /** Tells which handles it has, of the objects from one id to another. */
  imports(times: ReadonlyArray<readonly [ObjectId, number]>, from = 0, to = Number.MAX_SAFE_INTEGER): void {
    this.#harness.step({ _tag: "Imports", session: this.session, from, to, times })
  }

  /** Tells which holds it has. Returns those that are not current. */
  holds(...grants: ReadonlyArray<GrantId>): ReadonlyArray<GrantId> {
    const outputs = this.#harness.step({ _tag: "Holds", session: this.session, grants })
    return outputs.flatMap((output) => output._tag === "Revoked" ? [output.grant] : [])
  }

  end(): void {
    this.#harness.step({ _tag: "End", session: this.session })
  }
}

/** The parts of a reply in readable form. */
export const texts = (parts: ReadonlyArray<Argument> | string): ReadonlyArray<unknown> =>
  typeof parts === "string"
    ? [parts]
    : parts.map((part) => typeof part === "object" && part !== null ? part.text : part)
