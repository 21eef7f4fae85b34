/**
 * The life of a session: opened, told what its client has received, its requests cancelled, its link lost and renewed,
 * ended. What ends gives back what was granted: with a cancelled request, with its session, or at its deadline.
 */
import * as Deadlines from "./Deadlines.ts"
import * as GrantRecords from "./GrantRecords.ts"
import type { CancelFate, Grace, JournalEntry, Rights, SessionId } from "./Inputs.ts"
import { type Journal, record, type Subject } from "./Journal.ts"
import * as Links from "./Links.ts"
import type { Client, Grant, GrantId, Reply, Withdrawal } from "./Operation.ts"
import * as References from "./References.ts"
import * as Replies from "./Replies.ts"
import type { Requests } from "./Requests.ts"
import { SequenceMap } from "./SequenceMap.ts"
import type { Answered, EngineState, Session, SharedObject } from "./State.ts"
import type { Step } from "./Step.ts"
import { directory } from "./Value.ts"
import * as Watchers from "./Watchers.ts"

/** All sessions. */
export class Sessions {
  readonly #state: EngineState
  readonly #at: Step
  readonly #journal: Journal | undefined
  readonly #requests: Requests

  constructor(state: EngineState, at: Step, journal: Journal | undefined, requests: Requests) {
    this.#state = state
    this.#at = at
    this.#journal = journal
    this.#requests = requests
  }

  /** Begins a session. */
  open(label: Client, grace: Grace | undefined, rights: Rights | undefined): void {
    add(this.#state, ++this.#state.lastSession, label, grace, rights)
  }

  /** The link of a session is lost. Without a grace the session ends. */
  unlink(session: Session): void {
    if (session.grace === undefined) this.end(session)
    else Links.lose(this.#state, session, session.grace.milliseconds)
  }

  /** Tells a client which of its holds are not current: it may have missed that they were revoked. */
  compare(session: Session, holds: ReadonlyArray<GrantId>): void {
    for (const grant of holds) {
      if (!session.grants.has(grant)) this.#state.outputs.push({ _tag: "Revoked", session: session.id, grant })
    }
  }

  /** S-8: the client has these replies. Costs the smaller of the range and what is remembered. */
  acknowledge(session: Session, from: number, to: number): void {
    if (to - from < session.answered.size + session.fates.size) {
      for (let sequence = from; sequence <= to; sequence++) this.#receive(session, sequence)
    } else {
      for (const { sequence } of session.answered.values()) {
        if (from <= sequence && sequence <= to) this.#receive(session, sequence)
      }
      for (const sequence of session.fates.keys()) {
        if (from <= sequence && sequence <= to) session.fates.delete(sequence)
      }
    }
  }

  #receive(session: Session, sequence: number): void {
    session.fates.delete(sequence)
    const request = Replies.forget(session, sequence)
    if (request === undefined) return
    for (const grant of grantsOf(session, request)) {
      if (!grant.byReceipt) continue
      const object = this.#state.objects.get(grant.object)!
      GrantRecords.settle(this.#state, grant)
      object.kind.received?.(object.state, grant, this.#at.of(object, session.id))
      this.#state.touched.add(object)
    }
  }

  /** S-10: cancel is idempotent and always answered; its outcome replaces the reply. */
  cancel(session: Session, sequence: number): void {
    const fate = session.fates.get(sequence) ?? this.#undo(session, sequence)
    if (session.grace !== undefined && fate !== "stands") session.fates.set(sequence, fate)
    this.#state.outputs.push({ _tag: "Cancelled", session: session.id, sequence, fate })
  }

  #undo(session: Session, sequence: number): CancelFate {
    const parked = session.parked.get(sequence)
    if (parked !== undefined) {
      this.#state.index++
      this.#requests.withdraw(session, parked, "cancelled")
      return "withdrawn"
    }
    const request = Replies.forget(session, sequence)
    if (request === undefined) return "stands"
    const grants = grantsOf(session, request)
    for (const grant of grants) {
      this.#state.index++
      this.#record("revoked", grant, this.#state.objects.get(grant.object)!, [grant.id, "cancelled"])
      this.#revoke(grant, "cancelled")
    }
    return grants.length === 0 ? "stands" : "compensated"
  }

  /**
   * S-11, in one step and under one index: withdraw, revoke in order of acquisition, drop; then the lanes are served.
   */
  end(session: Session): void {
    this.#state.index++
    const ended = { session: session.id, sequence: 0 }
    // Its grants come back under this index; the journal lists them (S-31).
    this.#record("ended", ended, this.#state.objects.get(directory)!, [...session.grants.keys()])
    for (const parked of session.parked.values()) this.#requests.withdraw(session, parked, "session ended")
    for (const grant of session.grants.values()) this.#revoke(grant, "session ended")
    for (const sequence of session.watches.keys()) Watchers.unwatch(this.#state, session, sequence)
    for (const [object, times] of session.imports) References.drop(this.#state, session.id, object, times)
    Links.forget(this.#state, session)
    this.#state.sessions.delete(session.id)
  }

  /**
   * Brings the time, revokes the grants and ends the sessions whose deadline has passed, and turns to the requests that
   * are due.
   */
  advance(now: number): void {
    const { deadlines, examinations, unlinked } = this.#state
    this.#state.now = Math.max(this.#state.now, now)
    for (let grant; (grant = Deadlines.due(deadlines, this.#state.now)) !== undefined;) {
      this.#state.index++
      this.#record("revoked", grant, this.#state.objects.get(grant.object)!, [grant.id, "deadline"])
      this.#revoke(grant, "deadline")
      // It may not know: its process may be frozen. When that goes on, its body is interrupted.
      this.#state.outputs.push({ _tag: "Revoked", session: grant.session, grant: grant.id })
    }
    for (let session; (session = Deadlines.due(unlinked, this.#state.now)) !== undefined;) this.end(session)
    // All at once: many wait for one object, and each is examined again later.
    for (const parked of Deadlines.takeDue(examinations, this.#state.now)) this.#requests.due(parked)
  }

  /** Ends a grant; the kind takes back what was granted. */
  #revoke(grant: Grant, reason: Withdrawal): void {
    const object = this.#state.objects.get(grant.object)!
    GrantRecords.settle(this.#state, grant)
    object.kind.revoke?.(object.state, grant, reason, this.#at.of(object, grant.session))
    this.#state.touched.add(object)
  }

  #record(cause: JournalEntry["cause"], subject: Subject, object: SharedObject, reply: Reply): void {
    record(this.#journal, this.#state, cause, subject, object, reply)
  }
}

/** Adds a session without a history. */
export const add = (
  state: EngineState,
  id: SessionId,
  label: Client,
  grace: Grace | undefined,
  rights: Rights | undefined
): Session => {
  const session: Session = {
    id,
    label,
    grace,
    rights,
    deadline: undefined,
    resumes: 0,
    lastSequence: 0,
    parked: new Map(),
    answered: new SequenceMap(),
    answeredBytes: 0,
    fates: new Map(),
    grants: new Map(),
    imports: new Map(),
    made: 0,
    isCongested: false,
    watches: new Map()
  }
  state.sessions.set(id, session)
  return session
}

/** The unsettled grants of a request, in order of acquisition. */
const grantsOf = ({ grants }: Session, { granted, index }: Answered): ReadonlyArray<Grant> => {
  if (granted === 0) return noGrants
  const found: Array<Grant> = []
  for (let id = index - granted + 1; id <= index; id++) {
    const grant = grants.get(id)
    if (grant !== undefined) found.push(grant)
  }
  return found
}

const noGrants: ReadonlyArray<Grant> = []
