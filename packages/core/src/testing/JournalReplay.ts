/**
 * A replay of a journal through the models, entry by entry: the state that every object should have at each index.
 */
import type { JournalEntry } from "../engine/Inputs.ts"
import type { Withdrawal } from "../engine/Operation.ts"
import { type Argument, isCell } from "../engine/Value.ts"
import { type Answer, type Call, type MakeModel, type Model, type Reply, sameReply, show } from "./kinds/Model.ts"
import { models as standard } from "./models.ts"

/** One shared object in the replay. */
export interface Replica {
  readonly kind: string
  readonly name: string | undefined
  /**
   * Kind, fingerprint and options, which must be the same whenever the name is opened. First values are no part of it.
   */
  readonly agreement: string
  /** Lives until deleted: it was opened with values (S-27). */
  readonly keep: boolean
  /** Absent for a kind without a model, and after the object's first violation: the object is checked no more. */
  model: Model | undefined
  /** Every change that watchers receive, with its index. */
  readonly changes: Array<{ readonly index: number; readonly parts: Reply }>
}

/** Whether an object lives until it is deleted. The journal does not record when other objects are forgotten. */
export const isPermanent = ({ keep, name }: Replica): boolean => keep && name !== undefined

/** The most violations that are reported. */
const sentencesMax = 50

/** The state of all objects after the last entry that was applied. */
export class JournalReplay {
  /** The violations, as sentences. */
  readonly violations: Array<string> = []
  /** Index of the last entry. */
  index = 0
  /** Index of the last entry, without calls that are fenced out: these end in the step that serves their lane. */
  changed = 0
  readonly objects = new Map<number, Replica>()
  /** Every object that was opened or deleted, as watchers of the directory receive it. */
  readonly changes: Replica["changes"] = []
  /** Objects by name. */
  readonly names = new Map<string, number>()
  /** The grants of each live session that are not settled, with their objects. */
  readonly #granted = new Map<number, Map<number, number>>()
  /** Indexes of calls to objects without a model: they may have made grants. */
  readonly #unjudged = new Set<number>()
  readonly #ended = new Set<number>()
  /** Calls that have entered their object, by session and sequence. */
  readonly #entered = new Map<number, Map<number, JournalEntry>>()
  readonly #models: Readonly<Record<string, MakeModel>>

  constructor(models: Readonly<Record<string, MakeModel>> = {}) {
    this.#models = { ...standard, ...models }
  }

  /** Reports a violation. */
  violate(sentence: string): void {
    if (this.violations.length < sentencesMax) this.violations.push(sentence)
  }

  /** Applies the next entry. */
  apply(entry: JournalEntry): void {
    if (entry.index !== this.index + 1) {
      this.violate(`I1: index ${entry.index} follows ${this.index} in the journal`)
    }
    this.index = entry.index
    if (entry.cause !== "withdrawn" || entry.reply[0] !== "fenced out") this.changed = entry.index
    if (this.#ended.has(entry.session)) {
      this.violate(`I3: session ${entry.session} had ended before ${describe(entry)}`)
    }
    if (entry.cause === "ended") this.#end(entry)
    else if (entry.cause === "revoked") this.#revoke(entry, Number(entry.reply[0]), entry.reply[1] as Withdrawal)
    else if (entry.cause === "entered") this.#enter(entry)
    else if (entry.cause === "withdrawn") this.#withdraw(entry, entry.reply[0] as Withdrawal)
    else this.#request(entry)
  }

  /** Whether a session holds a grant now. */
  holds(session: number, grant: number): boolean {
    return this.#granted.get(session)?.has(grant) === true
  }

  /** The reply to a call that changes nothing. `undefined` if it would change something or wait, or has no model. */
  look(object: number, call: Call): Answer | undefined {
    return object === 0 ? this.#lookManager(call) : this.objects.get(object)?.model?.look(call)
  }

  #request(entry: JournalEntry): void {
    if (entry.object === 0) return this.#manage(entry)
    const replica = this.objects.get(entry.object)
    if (replica === undefined) return this.violate(`${describe(entry)} is a call to an object that was never opened`)
    const { model } = replica
    if (model === undefined) {
      this.#unjudged.add(entry.index)
      return
    }
    const call = { ...entry, since: this.#leave(entry)?.index }
    const reply = model.change(call)
    if (reply === undefined || !sameReply(reply, entry.reply)) {
      this.violate(`${describe(entry)}, but should ${this.#expected(model, call, reply)}`)
      replica.model = undefined
      return
    }
    if (model.grants.has(entry.index)) this.#sessionGrants(entry.session).set(entry.index, entry.object)
    this.#forgetSettled(model, entry)
    tell(replica, model, entry)
  }

  #enter(entry: JournalEntry): void {
    const model = this.objects.get(entry.object)?.model
    if (model === undefined) return
    if (model.enter === undefined) return this.violate(`${describe(entry)}, but that should change nothing`)
    let entered = this.#entered.get(entry.session)
    if (entered === undefined) this.#entered.set(entry.session, entered = new Map())
    entered.set(entry.sequence, entry)
    model.enter(entry)
    this.#forgetSettled(model, entry)
  }

  #withdraw(call: Pick<JournalEntry, "session" | "sequence">, reason: Withdrawal): void {
    const entry = this.#leave(call)
    if (entry !== undefined) this.objects.get(entry.object)?.model?.withdraw?.({ ...entry, since: entry.index }, reason)
  }

  /** A call ends. Returns the entry of its beginning to wait, if that was a change. */
  #leave({ sequence, session }: Pick<JournalEntry, "session" | "sequence">): JournalEntry | undefined {
    const entered = this.#entered.get(session)
    const entry = entered?.get(sequence)
    entered?.delete(sequence)
    return entry
  }

  /** A call may settle the grants that its arguments name. */
  #forgetSettled(model: Model, { args, object, session }: JournalEntry): void {
    const grants = this.#granted.get(session)
    if (grants === undefined) return
    for (const argument of args) {
      if (typeof argument !== "number" || grants.get(argument) !== object) continue
      if (!model.grants.has(argument)) grants.delete(argument)
    }
  }

  #expected(model: Model, call: Call, reply: Reply | undefined): string {
    if (reply !== undefined) return `reply ${show(reply)}`
    const answer = model.look(call)
    if (answer === undefined || "isTimed" in answer) return "wait"
    return "error" in answer ? `fail with ${answer.error}` : `change nothing and reply ${show(answer.reply)}`
  }

  #revoke(entry: JournalEntry, grant: number, reason: Withdrawal): void {
    const grants = this.#sessionGrants(entry.session)
    const object = grants.get(grant)
    if (object === undefined) {
      if (this.#unjudged.has(grant)) return
      return this.violate(`${describe(entry)} revokes grant ${grant}, which the session does not hold`)
    }
    grants.delete(grant)
    const replica = this.objects.get(object)
    if (replica?.model === undefined) return
    replica.model.revoke(grant, reason, entry.index)
    tell(replica, replica.model, entry)
  }

  /** The grants of a session come back in order of acquisition (S-11). Only received ones may be missing. */
  #end(entry: JournalEntry): void {
    const returned = entry.reply.map(Number)
    if (returned.some((grant, i) => i > 0 && returned[i - 1]! >= grant)) {
      this.violate(`${describe(entry)} gives back ${show(entry.reply)}, which is not the order of acquisition`)
    }
    for (const call of this.#entered.get(entry.session)?.values() ?? []) this.#withdraw(call, "session ended")
    for (const grant of returned) this.#revoke(entry, grant, "session ended")
    for (const [grant, object] of this.#sessionGrants(entry.session)) {
      const model = this.objects.get(object)?.model
      if (model?.grants.get(grant)?.byReceipt === false) {
        this.violate(`${describe(entry)} does not give back grant ${grant} of object ${object}`)
      }
    }
    this.#granted.delete(entry.session)
    this.#entered.delete(entry.session)
    this.#ended.add(entry.session)
  }

  #sessionGrants(session: number): Map<number, number> {
    let grants = this.#granted.get(session)
    if (grants === undefined) this.#granted.set(session, grants = new Map())
    return grants
  }

  #manage(entry: JournalEntry): void {
    if (entry.operation === "open") return this.#open(entry)
    const object = Number(entry.args[0])
    if (entry.operation !== "delete") return
    const replica = this.objects.get(object)
    if (replica === undefined) return this.violate(`${describe(entry)} deletes an object that was never opened`)
    if (replica.name !== undefined) this.names.delete(replica.name)
    for (const grants of this.#granted.values()) {
      for (const [grant, of] of grants) if (of === object) grants.delete(grant)
    }
    this.objects.delete(object)
    this.changes.push({ index: entry.index, parts: [object] })
  }

  #open(entry: JournalEntry): void {
    const { agreement, kind, name, options, values } = opening(entry.args)
    const [handle, created] = entry.reply
    const id = isCell(handle) ? handle.handles[0]! : 0
    if (created !== 1 || id <= 0 || this.objects.has(id)) {
      this.violate(`${describe(entry)}, which is not the handle of a new object`)
    }
    if (name !== undefined) {
      const previous = this.objects.get(this.names.get(name) ?? -1)
      // An unused object in its initial state may have been forgotten in between (S-27).
      if (previous !== undefined && (previous.keep || previous.model?.isPristine() === false)) {
        this.violate(`${describe(entry)} makes a second object named ${JSON.stringify(name)}`)
      }
      this.names.set(name, id)
    }
    this.changes.push({ index: entry.index, parts: [id, kind, name ?? null] })
    const model = this.#models[kind]?.(options, values)
    this.objects.set(id, { kind, name, agreement, keep: values.length > 0, model, changes: [] })
  }

  #lookManager({ args, operation }: Call): Answer | undefined {
    if (operation !== "open") return undefined
    const { agreement, name } = opening(args)
    const id = this.names.get(name ?? "")
    const existing = this.objects.get(id ?? -1)
    if (existing === undefined || existing.agreement !== agreement) return undefined
    return { reply: [{ text: JSON.stringify(existing.kind), handles: [id!] }, 0] }
  }
}

/** Keeps what an entry tells watchers. */
const tell = ({ changes }: Replica, { told = [] }: Model, { index }: JournalEntry): void => {
  for (const parts of told) changes.push({ index, parts })
}

/** Kind, fingerprint, name or nothing, the number of options, their names and values, the first values. */
const opening = (args: ReadonlyArray<Argument>) => {
  const [kind, fingerprint, name, size] = args
  const end = 4 + Number(size) * 2
  const options: Record<string, Argument> = {}
  for (let i = 4; i < end; i += 2) options[String(args[i])] = args[i + 1] ?? null
  return {
    kind: String(kind),
    name: typeof name === "string" ? name : undefined,
    agreement: JSON.stringify([kind, fingerprint, options]),
    options,
    values: args.slice(end)
  }
}

/** An entry as text. */
export const describe = ({ args, cause, index, kind, object, operation, reply, sequence, session }: JournalEntry) =>
  cause === "request"
    ? `index ${index}: ${operation}${show(args)} on ${kind} #${object} by ${session}:${sequence} replied ${show(reply)}`
    : cause === "ended"
    ? `index ${index}: the end of session ${session}`
    : `index ${index}: ${cause} ${session}:${sequence} on ${kind} #${object}${show(reply)}`
