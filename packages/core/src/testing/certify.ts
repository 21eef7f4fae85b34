/**
 * Whether a run was correct, said afterwards from what the manager and its clients wrote down (S-31).
 *
 * ```text
 *   journal ─► replay through the models ─► state after each index ◄─ what each client was told, at its index
 *                                                                   ◄─ real time: nothing began after a later index
 * ```
 *
 * Every reply carries the index at which it was committed, so there is nothing to search: the cost is linear in the
 * length of the history.
 */
import type { JournalEntry } from "../engine/Inputs.ts"
import { directory } from "../engine/Value.ts"
import type * as Kind from "../Kind.ts"
import { Buckets } from "./Buckets.ts"
import { type CallRecord, type History, nameOf } from "./History.ts"
import { describe, isPermanent, JournalReplay } from "./JournalReplay.ts"
import { type MakeModel, sameReply, show } from "./kinds/Model.ts"
import { listings } from "./ListingCheck.ts"
import { modelsOf } from "./OwnModel.ts"
import { RealTime } from "./RealTime.ts"
import { WatcherCheck } from "./WatcherCheck.ts"

/** What `certify` can be told besides the history. */
export interface CertifyOptions {
  /** Models of kinds beyond the standard ones, by name. */
  readonly models?: Readonly<Record<string, MakeModel>> | undefined
  /** Own kinds of the manager. Each is its own model. */
  readonly kinds?: ReadonlyArray<Kind.Known> | undefined
}

/** Certifies a history: everything that does not hold, as sentences. Empty: it is correct. */
export const certify = (history: History, { kinds = [], models }: CertifyOptions = {}): ReadonlyArray<string> => {
  const { journal, records, watches = [] } = history
  const replay = new JournalReplay({ ...modelsOf(kinds), ...models })
  const calls = new Calls(records)
  const buckets = new Buckets<CallRecord>(journal.length)
  for (const record of records) {
    if (record.index !== undefined && !buckets.add(record.index, record)) {
      replay.violate(`${nameOf(record)} was told index ${record.index}, which the journal does not have`)
    }
  }
  const watchers = new WatcherCheck(watches, journal.length)
  const time = new RealTime()
  /** All that was told of the state after an index. */
  const judge = (index: number, change?: CallRecord) => {
    watchers.hear(replay, index)
    const reads = buckets.at(index).filter((record) => record !== change)
    for (const read of reads) check(replay, calls, read)
    time.pass(replay, change, reads)
  }
  judge(0)
  for (const [i, entry] of journal.entries()) {
    checkTogether(replay, entry, journal[i + 1], buckets)
    const change = entry.cause === "request" ? calls.commit(replay, entry) : undefined
    if (change !== undefined) checkCommit(replay, entry, change)
    else if (entry.cause !== "request" && entry.cause !== "entered") calls.undo(entry)
    replay.apply(entry)
    judge(entry.index, change)
  }
  calls.checkFates(replay)
  return replay.violations
}

// internals

interface Request {
  readonly session: number
  readonly sequence: number
}

const isOf = (left: Request, right: Request): boolean =>
  left.session === right.session && left.sequence === right.sequence

/** The records by call, and what the journal says became of each. */
class Calls {
  /** By session, sequence, and position in the request. */
  readonly #records = new Map<number, Array<Array<CallRecord>>>()
  readonly #commits = new Map<number, Array<Array<number>>>()
  readonly #undone = new Set<string>()
  readonly #cancelled: Array<CallRecord> = []

  constructor(records: ReadonlyArray<CallRecord>) {
    for (const record of records) {
      of(this.#records, record)[record.call] = record
      if (record.fate !== undefined) this.#cancelled.push(record)
    }
  }

  /** Notes that a call took effect; answers its record, if a client kept one. */
  commit(replay: JournalReplay, entry: JournalEntry): CallRecord | undefined {
    const commits = of(this.#commits, entry)
    const earlier = commits[entry.call]
    if (earlier !== undefined) replay.violate(`I3: ${describe(entry)}, and took effect before at index ${earlier}`)
    const before = commits.findLast((index) => index !== undefined)
    if (before !== undefined && before !== entry.index - 1) {
      replay.violate(`S-2: ${describe(entry)}, apart from the change of the same request at index ${before}`)
    }
    commits[entry.call] = entry.index
    return this.#records.get(entry.session)?.[entry.sequence]?.[entry.call]
  }

  committed({ call, sequence, session }: CallRecord): number | undefined {
    return this.#commits.get(session)?.[sequence]?.[call]
  }

  undo({ sequence, session }: JournalEntry): void {
    this.#undone.add(`${session}:${sequence}`)
  }

  /** S-10: a cancelled call ended as its client was told. */
  checkFates(replay: JournalReplay): void {
    for (const record of this.#cancelled) {
      const committed = this.committed(record)
      const undone = this.#undone.has(`${record.session}:${record.sequence}`)
      if (record.fate === "withdrawn" && committed !== undefined) {
        replay.violate(`S-10: ${nameOf(record)} was withdrawn, but took effect at index ${committed}`)
      }
      // Together with others it need not be the one that was granted something.
      const tookEffect = this.#commits.get(record.session)?.[record.sequence] !== undefined
      if (record.fate === "compensated" && !(tookEffect && undone)) {
        replay.violate(`S-10: ${nameOf(record)} was compensated, but nothing was revoked`)
      }
    }
  }
}

/** What is kept of the calls of a request. */
const of = <A>(sessions: Map<number, Array<Array<A>>>, { sequence, session }: Request): Array<A> => {
  let requests = sessions.get(session)
  if (requests === undefined) sessions.set(session, requests = [])
  return requests[sequence] ??= []
}

/** S-2: nobody sees the state between two changes of one request. */
const checkTogether = (
  replay: JournalReplay,
  entry: JournalEntry,
  next: JournalEntry | undefined,
  told: Buckets<CallRecord>
): void => {
  if (entry.cause !== "request" || next?.cause !== "request" || !isOf(entry, next)) return
  for (const record of told.at(entry.index)) {
    if (!isOf(record, entry)) replay.violate(`S-2: ${nameOf(record)} saw the state in the middle of ${describe(entry)}`)
  }
}

/** What a client was told of a change is what the journal says. The replay stands just before it. */
const checkCommit = (replay: JournalReplay, entry: JournalEntry, record: CallRecord): void => {
  if (record.object !== entry.object || record.operation !== entry.operation || !sameReply(record.args, entry.args)) {
    replay.violate(`${describe(entry)} is not what was asked: ${nameOf(record)} with ${show(record.args)}`)
  }
  for (const hold of staleHolds(replay, record)) {
    replay.violate(`I5: ${describe(entry)} under hold ${hold}, which was not current`)
  }
  const answer = replay.look(entry.object, entry)
  if (record.hasWaited === true && answer !== undefined && "reply" in answer && "ifOthersWait" in answer) {
    replay.violate(`S-13: ${describe(entry)}, but it waited, where it should reply ${show(answer.reply)}`)
  }
  const { index, outcome } = record
  if (outcome === undefined) return
  if (index !== entry.index) {
    replay.violate(`${nameOf(record)} was told index ${index}, but took effect: ${describe(entry)}`)
  }
  if (outcome._tag === "Failure") {
    replay.violate(`${nameOf(record)} was told ${outcome.error}, but took effect: ${describe(entry)}`)
  } else if (!sameReply(entry.reply, outcome.reply)) {
    replay.violate(`${nameOf(record)} was told ${show(outcome.reply)}, but ${describe(entry)}`)
  }
}

/** S-21: the holds in the guard of a call that are not current, if they have to be. */
const staleHolds = (
  replay: JournalReplay,
  { guard, object, operation, session }: CallRecord
): ReadonlyArray<number> => {
  const replica = replay.objects.get(object)
  if (replica !== undefined && replica.model?.unguarded.has(operation) !== false) return []
  return guard.filter((hold) => !replay.holds(session, hold))
}

/** What a client was told of a call that changed nothing is so, as of its index. */
const check = (replay: JournalReplay, calls: Calls, record: CallRecord): void => {
  const { outcome } = record
  if (outcome === undefined || calls.committed(record) !== undefined) return
  const told = outcome._tag === "Success" ? show(outcome.reply) : outcome.error
  const violate = (truth: string) =>
    replay.violate(`${nameOf(record)} was told ${told} as of ${replay.index}, ${truth}`)
  const replica = replay.objects.get(record.object)
  if (outcome._tag === "Failure" && generic.has(outcome.error)) {
    if (outcome.error === "FencedOut" && replay.holds(record.session, Number(outcome.details[0]))) {
      violate("but the hold was current")
    } else if (outcome.error === "DeadlockDetected") {
      for (const [session, hold] of holdsOf(outcome.details)) {
        if (!replay.holds(session, hold)) violate(`but session ${session} did not have the hold ${hold}`)
      }
    } else if (outcome.error.startsWith("Object") && replica !== undefined && isPermanent(replica)) {
      violate("but nobody had deleted the object")
    }
    return
  }
  for (const hold of staleHolds(replay, record)) violate(`under hold ${hold}, which was not current`)
  if (replica !== undefined && replica.model === undefined) return
  const listing = record.object === directory ? listings[record.operation] : undefined
  if (listing !== undefined && outcome._tag === "Success") {
    const wrong = listing(replay, record.args, outcome.reply)
    if (wrong !== undefined) violate(wrong)
    return
  }
  const answer = replay.look(record.object, { ...record, index: replay.changed })
  if (answer === undefined) violate("but the journal does not have it")
  else if ("isTimed" in answer) return
  else if ("error" in answer) {
    if (outcome._tag === "Success" || outcome.error !== answer.error) violate(`but should fail with ${answer.error}`)
  } else if (outcome._tag === "Failure" || !sameReply(answer.reply, outcome.reply)) {
    violate(`but should be told ${show(answer.reply)}`)
  }
}

/** The holds of a cycle, with their sessions, as the engine tells them (`engine/Deadlock.ts`). */
const holdsOf = (
  [, ...told]: ReadonlyArray<unknown>
): ReadonlyArray<readonly [session: number, hold: number]> =>
  Array.from({ length: told.length / 6 }, (_, i) => [Number(told[i * 6 + 4]), Number(told[i * 6 + 5])])

/** Refusals that do not depend on the state of the object alone. */
const generic = new Set([
  "DeadlockDetected",
  "FencedOut",
  "InvalidArguments",
  "InvalidOptions",
  "KindMismatch",
  "LimitExceeded",
  "ObjectDeleted",
  "ObjectNotFound",
  "OptionsMismatch",
  "SchemaMismatch",
  "StaleHandle",
  "UnknownKind",
  "UnknownOperation"
])
