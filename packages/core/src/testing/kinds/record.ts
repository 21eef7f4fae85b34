/**
 * Values by word, in order of first insertion, each with the index of the change that wrote it: `Ref` and `Namespace`,
 * whose fields are declared, `Map` and `OpenNamespace`, whose entries come and go.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { type Argument, type Cell, cell, isCell, isEqual } from "../../engine/Value.ts"
import type { RecordRemote } from "../../proxy/record.ts"
import type { TransactionField } from "../../proxy/recordTransaction.ts"
import * as Transaction from "../../Transaction.ts"
import type { Actor } from "../Workload.ts"
import { type Answer, type Call, holds, type MakeModel, type Model, notHeld, type Reply } from "./Model.ts"
import { type Entry as Reservable, holdReservation, ReservationModel } from "./reservation.ts"
import { ScanModel } from "./scan.ts"

interface Entry {
  readonly value: Argument
  readonly version: number
  /** The grant that it ends with. */
  readonly hold?: number | undefined
}

interface Rules {
  /** Whether entries come and go. */
  readonly isOpen: boolean
  /** "integer" or "real" and minimum, maximum, above, below; empty: no number. */
  readonly option: (word: string) => string
}

const absent: Entry = { value: null, version: 0 }

class RecordModel implements Model {
  readonly unguarded = new Set(["endReservation", "endScan", "endHold"])
  told: Array<Reply> = []
  readonly #rules: Rules
  readonly #entries: Map<string, Entry>
  /** The index at which an entry came or went last. */
  #arranged: number
  readonly #reservations: ReservationModel
  readonly #scans: ScanModel

  constructor(
    rules: Rules,
    entries: ReadonlyMap<string, Entry>,
    arranged = 0,
    reservations = new ReservationModel(),
    scans = new ScanModel(reservations.grants, 2)
  ) {
    this.#rules = rules
    this.#entries = new Map(entries)
    this.#arranged = arranged
    this.#reservations = reservations
    this.#scans = scans
  }

  get grants() {
    return this.#reservations.grants
  }

  look(call: Call): Answer | undefined {
    const { args, operation } = call
    const { value, version } = this.#at(args)
    const has = this.#entries.has(String(args[0]))
    switch (operation) {
      case "get":
        return { reply: [value, version] }
      case "getAll":
        return { reply: args.flatMap((word) => [this.#at([word]).value, this.#at([word]).version]) }
      case "has":
        return { reply: [has ? 1 : 0] }
      case "size":
        return { reply: [this.#entries.size, this.#arranged] }
      case "entries":
        return { reply: this.snapshot() }
      case "words":
        return { reply: [...this.#entries.keys()] }
      case "values":
        return { reply: [...this.#entries.values()].map((entry) => entry.value) }
      case "compareAndSet":
      case "reserve":
      case "endReservation":
      case "pass":
        return this.#reservations.look(call, () => this.#reservable(call))
      case "untilSize":
        return this.#entries.size >= Number(args[0]) && this.#entries.size <= Number(args[1])
          ? { reply: [this.#entries.size] }
          : undefined
      case "setAll":
        return this.#lookAll(args)
      case "check":
        return args.some((word, i) => i % 2 === 0 && this.#versionOf(word) !== args[i + 1])
          ? { error: "Conflict" }
          : { reply: [] }
      case "untilChanged":
        return this.#versionOf(args[0]) === args[1] ? undefined : { reply: [] }
    }
    return this.#scans.look(call, () => this.snapshot()) ??
      (this.#rules.isOpen ? this.#lookOpen(call) : this.#lookClosed(call))
  }

  /** What is refused first, or a change. */
  #lookAll(args: Reply): Answer | undefined {
    for (let i = 0; i < args.length; i += 2) {
      if (this.#isUnknown(args[i])) return { error: "UnknownField" }
      if (!this.#rules.isOpen && args[i + 1] === null) return { error: "FieldStays" }
    }
    const changes = args.some((part, i) => i % 2 === 1 && (part !== null || this.#entries.has(String(args[i - 1]))))
    return changes ? undefined : { reply: [] }
  }

  #versionOf(word: Argument | undefined): number {
    return word === null ? this.#arranged : this.#at([String(word)]).version
  }

  #lookClosed(call: Call): Answer | undefined {
    return this.#unknown(call) ?? this.#lookEntry(call)
  }

  #lookOpen(call: Call): Answer | undefined {
    const { args, operation } = call
    const has = this.#entries.has(String(args[0]))
    switch (operation) {
      case "remove":
        return has ? undefined : { reply: [null, 0] }
      case "removeAll":
        return args.some((word) => this.#entries.has(String(word))) ? undefined : { reply: [0] }
      case "removeLast":
      case "clear":
        return this.#entries.size > 0 ? undefined : { reply: [] }
      case "untilRemoved":
        return has ? undefined : { reply: [] }
      case "endHold":
        return this.#wordOf(args[0]) !== undefined && holds(this, call.session, args[0]) ? undefined : notHeld
    }
    return this.#lookEntry(call)
  }

  #lookEntry({ args, operation }: Call): Answer | undefined {
    const { value, version } = this.#at(args)
    const met = (meets: boolean): Answer | undefined => meets ? { reply: [value, version] } : undefined
    switch (operation) {
      case "setIfAbsent":
      case "untilHas":
        return met(value !== null)
      case "untilEquals":
        return met(isCell(value) && isEqual(value, args[1] as Cell))
      case "untilAtLeast":
        return met(finite(value) >= Number(args[1]))
      case "untilAtMost":
        return met(finite(value) <= Number(args[1]))
      case "add": {
        const option = this.#rules.option(String(args[0]))
        if (option === "") return { error: "NotANumber" }
        return isAllowed(option, sum(value, args[1]!)) ? undefined : { error: "OutOfBounds" }
      }
    }
    return undefined
  }

  change(call: Call): Reply | undefined {
    this.told = []
    if (this.look(call) !== undefined) return undefined
    const { args, index, operation } = call
    const word = String(args[0])
    const { value, version } = this.#at(args)
    switch (operation) {
      case "set":
        this.#write(index, [word, args[1]!])
        return []
      case "setIfAbsent":
        this.#write(index, [word, args[1]!])
        return [null, 0]
      case "setAll": {
        // Entries in a row that are set, or removed, are told as one.
        const row: Array<Argument> = []
        for (let i = 0; i < args.length; i += 2) {
          const [word, next] = [String(args[i]), args[i + 1]!]
          if (row.length > 0 && (row[1] === null || next === null)) {
            if ((row[1] === null) !== (next === null)) this.#write(index, row.splice(0))
          }
          if (next !== null || this.#entries.has(word) && !row.includes(word)) row.push(word, next)
        }
        if (row.length > 0) this.#write(index, row)
        return []
      }
      case "remove":
        this.#write(index, [word, null])
        return [value, version]
      case "removeAll": {
        const gone = [...new Set(args.map(String))].filter((word) => this.#entries.has(word))
        this.#write(index, gone.flatMap((word) => [word, null]))
        return [gone.length]
      }
      case "removeLast": {
        const [last, entry] = [...this.#entries].at(-1)!
        this.#write(index, [last, null])
        return [last, entry.value]
      }
      case "clear":
        this.#arranged = index
        for (const { hold } of this.#entries.values()) this.#unbind(hold)
        this.#entries.clear()
        this.told.push([])
        return []
      case "hold":
        this.#unbind(this.#at(args).hold)
        this.#write(index, [word, args[1]!])
        this.#entries.set(word, { ...this.#at(args), hold: index })
        this.grants.set(index, { session: call.session, byReceipt: false })
        return [index]
      case "endHold":
        this.#endHold(index, args[0])
        return []
      case "add": {
        const result = sum(value, args[1]!)
        this.#write(index, [word, cell(JSON.stringify(result))])
        return [result]
      }
    }
    return this.#scans.change(call, () => this.snapshot()) ??
      this.#reservations.change(call, () => this.#reservable(call), () => {
        if (args[2] !== null || value !== null) this.#write(index, [word, args[2]!])
      })
  }

  revoke(grant: number, _: unknown, index: number): void {
    this.told = []
    this.#reservations.end(grant)
    this.#scans.end(grant)
    this.#endHold(index, grant)
  }

  snapshot(): Reply {
    return [...this.#entries].flatMap(([word, { value }]): Reply => [word, value])
  }

  isPristine(): boolean {
    return this.#entries.size === 0 && this.#reservations.holder === undefined
  }

  state(): unknown {
    return [[...this.#entries], this.#arranged, this.#reservations.holder, this.#scans.state()]
  }

  copy(): RecordModel {
    const reservations = this.#reservations.copy()
    return new RecordModel(
      this.#rules,
      this.#entries,
      this.#arranged,
      reservations,
      this.#scans.copy(reservations.grants)
    )
  }

  #at([word]: ReadonlyArray<Argument>): Entry {
    return this.#entries.get(String(word)) ?? absent
  }

  #reservable(call: Call): Reservable {
    const { args } = call
    const { value, version } = this.#at(args)
    return {
      absent: this.#unknown(call),
      unfit: this.#rules.isOpen || args[2] !== null ? undefined : { error: "FieldStays" },
      found: [value, version],
      isExpected: version === args[1]
    }
  }

  #unknown({ args }: Call): Answer | undefined {
    return this.#isUnknown(args[0]) ? { error: "UnknownField" } : undefined
  }

  #isUnknown(word: Argument | undefined): boolean {
    return !this.#rules.isOpen && !this.#entries.has(String(word))
  }

  #wordOf(hold: Argument | undefined): string | undefined {
    return [...this.#entries].find(([, entry]) => entry.hold !== undefined && entry.hold === hold)?.[0]
  }

  /** The entry that ends with a grant is gone, if there is one. */
  #endHold(index: number, hold: Argument | undefined): void {
    const word = this.#wordOf(hold)
    if (word !== undefined) this.#write(index, [word, null])
  }

  #unbind(hold: number | undefined): void {
    if (hold !== undefined) this.grants.delete(hold)
  }

  /** Words and values in turn, told as one; `null` removes the entry. */
  #write(version: number, parts: Reply): void {
    for (let i = 0; i < parts.length; i += 2) {
      const [word, value] = [String(parts[i]), parts[i + 1]!]
      const { hold } = this.#at([word])
      if ((value !== null) !== this.#entries.has(word)) this.#arranged = version
      if (value !== null) this.#entries.set(word, { value, version, hold })
      else if (this.#entries.delete(word)) this.#unbind(hold)
    }
    this.told.push(parts)
  }
}

const text = (value: Argument | undefined): string | undefined =>
  typeof value === "object" && value !== null ? value.text : undefined

/** The number that a value is; one that is not finite is text in JSON. */
const finite = (value: Argument): number => {
  const json: unknown = JSON.parse(text(value) ?? "null")
  return typeof json === "number" || typeof json === "string" ? Number(json) : NaN
}

const sum = (value: Argument, by: Argument): number => (value === null ? 0 : Number(text(value))) + Number(by)

const isAllowed = (option: string, result: number): boolean => {
  const [type, minimum, maximum, above, below] = option.split(" ")
  return (type !== "integer" || Number.isSafeInteger(result)) && result >= Number(minimum ?? -Infinity) &&
    result <= Number(maximum ?? Infinity) && result > Number(above ?? -Infinity) && result < Number(below ?? Infinity)
}

/** A closed record, whose options name its fields in order. */
export const makeClosed: MakeModel = (options, values) =>
  new RecordModel(
    { isOpen: false, option: (word) => String(options[word] ?? "") },
    new Map(Object.keys(options).map((name, i) => [name, { value: values[i]!, version: 0 }]))
  )

/** An open record, empty. */
export const makeOpen: MakeModel = ({ values }) =>
  new RecordModel({ isOpen: true, option: () => String(values ?? "") }, new Map())

/** Holds an entry until it is removed, or for a while, or until the client dies. */
export const holdEntry = <E>(
  { impatiently, random, sleep, work }: Actor,
  hold: Effect.Effect<void, E, Scope.Scope>,
  remove: Effect.Effect<unknown, E>
) => impatiently(Effect.scoped(Effect.andThen(hold, random.pick([sleep(500), work(), work(), remove]))))

/** A transaction that moves an amount from one entry to another, and may wait until the first has changed. */
export const transact = <A>(
  { impatiently, random, work }: Actor,
  from: TransactionField<A>,
  to: TransactionField<A>,
  add: (value: A, amount: number) => A | undefined
) => {
  const amount = random.below(3)
  // Once: what helps those that wait may be over when it runs again.
  let waits = random.chance(1 / 4)
  return impatiently(Transaction.tx(Effect.gen(function*() {
    const taken = add(yield* from.get, -amount)
    const mayWait = waits
    waits = false
    if (taken === undefined) return yield* mayWait ? Transaction.txRetry : Effect.void
    yield* work()
    yield* from.set(taken)
    yield* to.update((value) => add(value, amount) ?? value)
  })))
}

/** Adds to an entry that may be absent, which counts as 0. */
export const addOption = (value: Option.Option<number>, amount: number): Option.Option<number> | undefined => {
  const sum = Option.getOrElse(value, () => 0) + amount
  return sum < 0 ? undefined : sum === 0 ? Option.none() : Option.some(sum)
}

/** Holds the reservation of a record. */
export const holdReservationOf = (actor: Actor, remote: RecordRemote, word: string) =>
  holdReservation(
    actor,
    remote.call("reserve", [word], ([reservation]) => Exit.succeed(reservation)),
    (reservation) => remote.call("endReservation", [reservation], () => Exit.void)
  )
