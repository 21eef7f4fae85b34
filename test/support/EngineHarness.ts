/**
 * An engine driven by hand: inputs one by one, every step judged by the invariants, everything kept for a replay.
 */
import * as Checkpoint from "#core/engine/Checkpoint.ts"
import { Engine } from "#core/engine/Engine.ts"
import { Malformed } from "#core/engine/Format.ts"
import type { Input, JournalEntry, Outcome, Output, SessionId } from "#core/engine/Inputs.ts"
import { Monitor } from "#core/engine/Invariants.ts"
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

/** An engine and what it has said. */
export class EngineHarness {
  readonly engine: Engine
  readonly inputs: Array<Input> = []
  readonly outputs: Array<Output> = []
  readonly journal: Array<JournalEntry> = []
  readonly #limits: EngineLimits
  readonly #kinds: ReadonlyArray<AnyKind>
  readonly #monitor = new Monitor()
  readonly #records = new Map<string, ReadonlyArray<CallRecord>>()

  /** An engine that knows some kinds more than the standard ones. */
  constructor(limits: Partial<EngineLimits> = {}, more: ReadonlyArray<AnyKind> = []) {
    this.#limits = { ...defaults, ...limits }
    this.#kinds = [...kinds, ...more]
    this.engine = this.#newEngine(this.journal)
  }

  /** One step; throws if it broke an invariant. Answers what it said. */
  step(input: Input): ReadonlyArray<Output> {
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

  /** As `step`, for inputs that are answered again on purpose, which the monitor takes for a second answer. */
  again(input: Input): ReadonlyArray<Output> {
    this.engine.step(input)
    const outputs = this.engine.takeOutputs()
    return outputs
  }

  /** A new session. */
  open(): Client {
    const client = new Client(this, this.inputs.filter(({ _tag }) => _tag === "Open").length + 1)
    this.step({ _tag: "Open", session: client.session, label: { name: `client ${client.session}`, pid: 0 } })
    return client
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

  /** Another engine, given the same inputs (I1). Before some of them it is saved, and another one loaded in its place. */
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

  /** What an engine saves, as text, loaded into another one; throws if that is in another state. */
  reload(engine: Engine, kinds = this.#kinds): Engine {
    const loaded = this.load(JSON.parse(JSON.stringify(Checkpoint.save(engine.state))), kinds)
    if (loaded instanceof Malformed) throw new Error(loaded.reason)
    const [saved, hash] = [StateHash.hash(engine.state), StateHash.hash(loaded.state)]
    if (hash !== saved) throw new Error(`a state with the hash ${saved} was loaded with the hash ${hash}`)
    return loaded
  }

  /** An engine like this one in a saved state. */
  load(saved: unknown, kinds = this.#kinds): Engine | Malformed {
    return Checkpoint.load({ kinds, limits: this.#limits }, saved)
  }

  /** What was asked and told, for `certify` (S-31): each step is a moment. */
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
      this.#records.set(`${session}:${sequence}`, records)
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

  /** S-31: every index taken in this step stands in the journal, once and in order. */
  #undense(before: number): ReadonlyArray<string> {
    const { index } = this.engine.state
    const written = this.journal.slice(before).map((entry) => entry.index)
    return written.length === index - before && written.every((taken, i) => taken === before + i + 1)
      ? []
      : [`I1: the journal has ${written} for the indexes from ${before + 1} to ${index}`]
  }
}

/** A call whose request of so many calls was answered or cancelled. */
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

  constructor(harness: EngineHarness, session: SessionId) {
    this.#harness = harness
    this.session = session
  }

  /** Calls an operation by name; answers the sequence. */
  call(
    object: ObjectId,
    operation: string,
    args: ReadonlyArray<Argument> = [],
    guard: ReadonlyArray<GrantId> = []
  ): number {
    return this.together([[object, operation, args]], guard)
  }

  /** Calls several operations, which take effect together; answers the sequence. */
  together(
    calls: ReadonlyArray<readonly [object: ObjectId, operation: string, args?: ReadonlyArray<Argument>]>,
    guard: ReadonlyArray<GrantId> = []
  ): number {
    const sequence = ++this.#sequence
    this.#harness.step({
      _tag: "Request",
      session: this.session,
      sequence,
      guard,
      calls: calls.map(([object, operation, args = []]) => {
        const { kind } = this.#harness.engine.state.objects.get(object) ?? { kind: undefined }
        const position = kind === undefined ? 0 : Object.keys(kind.operations).indexOf(operation)
        return { object, operation: position, args }
      })
    })
    return sequence
  }

  /** Calls an operation and answers its outcome at once, which must be there. */
  get(
    object: ObjectId,
    operation: string,
    args: ReadonlyArray<Argument> = [],
    guard: ReadonlyArray<GrantId> = []
  ): ReadonlyArray<Argument> | string {
    return this.answer(this.call(object, operation, args, guard))
  }

  /** Opens an object; answers its id. */
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

  /** What a call was answered: its reply, or the name of its error; `"waits"` if it was not. */
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

  /** What a subscription was told after its snapshot: the event and the texts of its parts. */
  events(sequence: number): ReadonlyArray<string> {
    return this.#harness.outputs.flatMap((output) =>
      output._tag === "Event" && output.session === this.session && output.sequence === sequence
        ? [[output.event, ...texts(output.parts)].join(" ")]
        : []
    )
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
