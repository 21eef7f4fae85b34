/**
 * The life of a request: admitted, decided, waiting, committed, replied.
 *
 * ```text
 *   request ─► admit ─► decide all ─ all ready ─► apply all ─► one reply
 *                │          │ one must wait
 *                │          └─► parked, with a place in the lane of each call that must wait
 *                └ refused ─► reply                       └─ head of a lane ─► decide all again
 * ```
 *
 * A request of several calls takes effect as a whole: nothing is applied before every call was found ready, and nothing
 * comes between two of its indexes. While it waits it holds nothing. Its calls change distinct objects, so applying one
 * does not change what was decided for another.
 */
import * as Admission from "./Admission.ts"
import * as Conditions from "./Conditions.ts"
import * as Deadlock from "./Deadlock.ts"
import * as GrantRecords from "./GrantRecords.ts"
import type { CallInput, Outcome, RequestInput } from "./Inputs.ts"
import { type Journal, record } from "./Journal.ts"
import * as Lane from "./Lane.ts"
import * as Memory from "./Memory.ts"
import {
  type Decision,
  isRefusal,
  type Operation,
  type Refusal,
  refuse,
  type Reply,
  wait,
  type Withdrawal
} from "./Operation.ts"
import * as Permission from "./Permission.ts"
import * as References from "./References.ts"
import * as Replies from "./Replies.ts"
import type { EngineState, Parked, Place, Session, SharedObject } from "./State.ts"
import type { Step } from "./Step.ts"
import { type Argument, directory } from "./Value.ts"
import * as Waiting from "./Waiting.ts"

type Request = RequestInput | Parked

/** The requests of all sessions. */
export class Requests {
  readonly #state: EngineState
  readonly #at: Step
  readonly #journal: Journal | undefined
  /** The objects and decisions of the request in hand, by call. Reused, so that a request allocates neither. */
  readonly #objects: Array<SharedObject | undefined> = []
  readonly #decisions: Array<Decision> = []
  /** Position of the call that was refused last. */
  #refused = 0
  /** Whether the request in hand was granted something. */
  #granted = false
  /** Whether the request that went on last was one of several calls, and changed something. */
  #wasJoint = false

  constructor(state: EngineState, at: Step, journal: Journal | undefined) {
    this.#state = state
    this.#at = at
    this.#journal = journal
  }

  /** A new request, or one that is sent again. */
  take(session: Session, request: RequestInput): void {
    const { sequence } = request
    const overtakes = this.settles(request) || sequence <= session.lastSequence && this.#reads(request)
    if (!this.isNew(session, sequence, overtakes)) return
    const verdict = this.#admit(session, request) ?? this.#decide(session, request, undefined)
    if (verdict === "wait") this.#park(session, request)
    else if (verdict === "ready") this.#carryOut(session, request, undefined)
    else this.#fail(session, request, verdict)
  }

  /**
   * I4: serves the lanes of an object, in order, until no head can go. A change that must wait holds up its lane
   * (S-13). What a request of several calls has changed besides is served before the next request: waiting reads see each
   * change (S-29).
   */
  serve(object: SharedObject): void {
    // What goes on here would touch it before the other objects that it touches.
    object.isTouched = true
    this.#wasJoint = false
    while (object.waiting > 0 && !this.#wasJoint && this.#serveOne(object));
    object.isTouched = false
    if (this.#wasJoint) this.#state.touched.add(object)
  }

  /** Ends a waiting request without a reply, and undoes its `enter`. */
  withdraw(session: Session, parked: Parked, reason: Withdrawal): void {
    Waiting.unpark(this.#state, session, parked)
    this.#find(parked.calls)
    if (reason !== "session ended") {
      record(this.#journal, this.#state, "withdrawn", parked, this.#objects[0]!, [reason])
    }
    for (let i = 0; i < parked.calls.length; i++) {
      const object = this.#objects[i]!
      const at = this.#at.of(object, session.id, parked.since)
      this.#operation(parked, i).withdraw?.(object.state, parked.calls[i]!.args, reason, at)
    }
  }

  /**
   * Whether a request only gives back grants, or names objects that are gone: it changes nothing else, whenever it is
   * decided, so it overtakes those that wait for a limit (S-8).
   */
  settles({ calls }: RequestInput): boolean {
    this.#find(calls)
    for (let i = 0; i < calls.length; i++) {
      const object = this.#objects[i]
      if (object !== undefined && object.operations[calls[i]!.operation]?.[1].settles !== true) return false
    }
    return true
  }

  /**
   * Whether each call of a request gives back a grant that its session has. There are only as many such requests as
   * grants, so they need no limit.
   */
  settlesNow(session: Session, request: RequestInput): boolean {
    return this.settles(request) &&
      this.#admit(session, request) === undefined && this.#decide(session, request, undefined) === "ready" &&
      request.calls.every((_, i) => this.#decisions[i]!._tag === "Ready")
  }

  /**
   * Whether a waiting request would still have to wait where it stands (I4). While one of its calls must, a refusal of
   * another one is not told: only the objects for which it waits try it again.
   */
  mustWait(parked: Parked): boolean {
    this.#find(parked.calls)
    const session = this.#state.sessions.get(parked.session)!
    return parked.places.some((place) => {
      const decision = this.#decideCall(session, parked, place.call, parked, this.#state.index + 1)
      return decision._tag === "Wait" && this.#nextLane(place) === undefined
    })
  }

  // ---------------------------------------------------------------------------------------------------------------
  // deciding
  // ---------------------------------------------------------------------------------------------------------------

  #find(calls: ReadonlyArray<CallInput>): void {
    for (let i = 0; i < calls.length; i++) this.#objects[i] = this.#state.objects.get(calls[i]!.object)
  }

  /**
   * A sequence is used once. Asked again over another link: the same reply while it is remembered, else nothing (S-7,
   * I3). A call that gives something back may have overtaken calls with smaller sequences (S-8), so its own need not be
   * the largest. A read whose reply was lost runs again.
   */
  isNew(session: Session, sequence: number, overtakes = false): boolean {
    if (sequence > session.lastSequence && !overtakes && (session.grace === undefined || !isKnown(session, sequence))) {
      session.lastSequence = sequence
      return true
    }
    return !this.#repeat(session, sequence) && overtakes
  }

  /** Tells again, over another link, how a request stands; false if that is not known. */
  #repeat(session: Session, sequence: number): boolean {
    const answered = session.answered.get(sequence)
    if (answered !== undefined && answered.link < session.resumes) {
      const { granted, index, outcome } = answered
      answered.link = session.resumes
      this.#state.outputs.push({ _tag: "Reply", session: session.id, sequence, index, outcome })
      // The client may have missed, too, that what it was granted was revoked.
      for (let grant = index - granted + 1; grant <= index; grant++) {
        if (!session.grants.has(grant)) this.#state.outputs.push({ _tag: "Revoked", session: session.id, grant })
      }
    } else if (session.parked.has(sequence)) {
      this.#state.outputs.push({ _tag: "Parked", session: session.id, sequence })
    }
    return isKnown(session, sequence)
  }

  #admit(session: Session, { calls, guard }: RequestInput): Refusal | undefined {
    this.#refused = 0
    const joint = calls.length === 1 ? undefined : Admission.jointRefusal(this.#state, calls, this.#objects)
    if (joint !== undefined) return joint
    for (let i = 0; i < calls.length; i++) {
      this.#refused = i
      const object = this.#objects[i]
      if (object === undefined) return refuse("ObjectNotFound")
      const named = object.operations[calls[i]!.operation]
      if (named === undefined) return refuse("UnknownOperation", object.kind.name)
      const { args } = calls[i]!
      const refused = Permission.refusal(this.#state, session, object, named, args) ??
        Admission.refusal(this.#state, session, named[1], args, guard) ??
        // To open needs room only if the object is new, which the directory decides.
        (object.id === directory ? undefined : Memory.refusal(this.#state, Memory.ofCall(args)))
      if (refused !== undefined) return refused
    }
    return undefined
  }

  /** Decides every call, writing nothing. Refused: by the first call that is. */
  #decide(session: Session, request: Request, parked: Parked | undefined): "ready" | "wait" | Refusal {
    const { calls } = request
    let verdict: "ready" | "wait" = "ready"
    let upcoming = this.#state.index + 1
    for (let i = 0; i < calls.length; i++) {
      const decision = this.#decideCall(session, request, i, parked, upcoming)
      if (decision._tag === "Refuse") {
        this.#refused = i
        return decision
      }
      if (decision._tag === "Wait") verdict = "wait"
      else if (decision._tag === "Ready" && this.#operation(request, i).access !== "read") upcoming++
    }
    return verdict
  }

  /** Decides one call, which would take effect at the upcoming index. */
  #decideCall(session: Session, request: Request, i: number, parked: Parked | undefined, upcoming: number): Decision {
    const { calls } = request
    const object = this.#objects[i]!
    const operation = this.#operation(request, i)
    const { access, lane } = operation
    // A request of one call that waits is tried where it is the first.
    const mayBeBehind = parked === undefined || calls.length > 1
    // S-13: a change queues behind waiting changes. A refusal, an answer or a read need not: it takes nothing.
    const isBehind = mayBeBehind && lane !== undefined && Lane.isBehind(object, lane, parked)
    const at = this.#at.of(object, session.id, parked?.since, isBehind)
    at.upcoming = upcoming
    const decision = operation.decide(object.state, calls[i]!.args, at)
    return this.#decisions[i] = decision._tag === "Ready" && isBehind && access !== "read" ? wait : decision
  }

  // ---------------------------------------------------------------------------------------------------------------
  // waiting
  // ---------------------------------------------------------------------------------------------------------------

  #park(session: Session, request: RequestInput): void {
    const { calls, guard, sequence } = request
    const { waitersPerObjectMax } = this.#state.limits
    this.#refused = calls.findIndex((_, i) => this.#objects[i]!.waiting >= waitersPerObjectMax)
    if (this.#refused >= 0) {
      return this.#fail(session, request, refuse("LimitExceeded", "waitersPerObjectMax", waitersPerObjectMax))
    }
    const parked: Parked = {
      session: session.id,
      sequence,
      guard,
      stalls: request.stalls === 0 ? 0 : Deadlock.stalls(this.#state, session, request),
      calls,
      arrival: ++this.#state.arrivals,
      since: this.#state.index,
      parkedAt: this.#state.now,
      deadline: undefined,
      places: []
    }
    Waiting.park(this.#state, session, parked)
    // Before it joins its lane: its condition may name the index at which it began to wait.
    if (calls.length === 1) this.#enter(session, parked)
    this.#joinLanes(parked)
    this.#setTime(parked)
    this.#state.outputs.push({ _tag: "Parked", session: session.id, sequence })
    if (calls.length > 1) return
    this.#examine(parked)
    if (parked.stalls > 0) this.#seekDeadlock(session, parked)
  }

  /** Fails a request that has begun to wait if it waits for itself. */
  #seekDeadlock(session: Session, parked: Parked): void {
    // What has entered its object has made a change by which others may go on.
    if (this.#operation(parked, 0).enter !== undefined) return
    const refusal = Deadlock.refusal(this.#state, parked)
    if (refusal !== undefined) this.#failWaiting(session, parked, refusal)
  }

  /** The time has come that a waiting request asked for: examines it, or has it tried again at the end of this step. */
  due(parked: Parked): void {
    this.#find(parked.calls)
    const mayBeStuck = parked.calls.length === 1 && this.#operation(parked, 0).stuck !== undefined
    // One whose hold has ended meanwhile is refused for that, when its turn comes.
    const isFenced = this.#staleHold(this.#state.sessions.get(parked.session)!, parked) !== undefined
    if (mayBeStuck && !isFenced) return this.#examine(parked)
    for (const { call } of parked.places) this.#state.touched.add(this.#objects[call]!)
  }

  /** Sets the first time at which a call that must wait is to be tried again, if one asks for a time. */
  #setTime(parked: Parked): void {
    let first = Infinity
    for (let i = 0; i < parked.calls.length; i++) {
      const decision = this.#decisions[i]!
      if (decision._tag === "Wait" && decision.until !== undefined) first = Math.min(first, decision.until)
    }
    // A time that is over counts as the next millisecond: otherwise the host would turn to it without end.
    if (first < Infinity) Waiting.examineAt(this.#state, parked, Math.max(first, this.#state.now + 1))
  }

  /** Fails a waiting request of one call that can never go on, or sets the time at which it is examined again. */
  #examine(parked: Parked): void {
    const object = this.#objects[0]!
    const { stuck } = this.#operation(parked, 0)
    if (stuck === undefined) return
    const verdict = stuck(object.state, parked.calls[0]!.args, this.#state.now - object.changedAt)
    if (!isRefusal(verdict)) return Waiting.examineAt(this.#state, parked, verdict && this.#state.now + verdict)
    this.#failWaiting(this.#state.sessions.get(parked.session)!, parked, verdict)
  }

  /** Fails a waiting request of one call that has not entered its object. */
  #failWaiting(session: Session, parked: Parked, refusal: Refusal): void {
    Waiting.unpark(this.#state, session, parked)
    this.#refused = 0
    this.#fail(session, parked, refusal)
  }

  /** Takes a place for each call that must wait and has none. */
  #joinLanes(parked: Parked): void {
    for (let i = 0; i < parked.calls.length; i++) {
      if (this.#decisions[i]!._tag !== "Wait" || parked.places.some(({ call }) => call === i)) continue
      const operation = this.#operation(parked, i)
      // An operation that can wait names its lane.
      Waiting.join(this.#objects[i]!, parked, i, operation.lane!, operation)
    }
  }

  #enter(session: Session, parked: Parked): void {
    const object = this.#objects[0]!
    const { enter } = this.#operation(parked, 0)
    if (enter === undefined) return
    parked.since = ++this.#state.index
    record(this.#journal, this.#state, "entered", parked, object, [])
    enter(object.state, parked.calls[0]!.args, this.#at.of(object, session.id, parked.since))
    this.#state.touched.add(object)
  }

  /** Whether a change went on: waiting reads see each change before the next one is made (S-29). */
  #serveOne(object: SharedObject): boolean {
    if (this.#serveWoken(object)) return true
    for (const lane of object.lanes.values()) {
      for (let place = lane.head, next; place !== undefined; place = next) {
        // All that wait in this lane name their conditions.
        if (place.condition !== undefined) break
        next = place.next
        const went = this.#try(object, place)
        if (went && (!place.isRead || this.#wasJoint)) return true
        if (!place.isRead) break
      }
    }
    return false
  }

  /** Tries the calls whose conditions may be met: first the reads, then the requests of several calls that also change. */
  #serveWoken(object: SharedObject): boolean {
    const woken = Conditions.take(object)
    if (woken.length === 0) return false
    const changing: Array<Place> = []
    for (const place of woken) {
      if (this.#changes(place.parked)) changing.push(place)
      else if (place.parked.places.includes(place)) this.#try(object, place)
    }
    for (let i = 0; i < changing.length; i++) {
      const place = changing[i]!
      if (!place.parked.places.includes(place) || !this.#try(object, place) || !this.#wasJoint) continue
      Conditions.wakeAgain(object, changing.slice(i + 1))
      return true
    }
    return false
  }

  /** Whether a request that waits for a condition changes something when it goes on: only one of several calls does. */
  #changes({ calls }: Parked): boolean {
    if (calls.length === 1) return false
    this.#find(calls)
    return calls.some(({ operation }, i) => this.#objects[i]!.operations[operation]![1].access !== "read")
  }

  /** Whether a waiting request could go on, and did: to its end, or to another lane. */
  #try(object: SharedObject, place: Place): boolean {
    const { parked } = place
    const session = this.#state.sessions.get(parked.session)!
    this.#wasJoint = false
    this.#find(parked.calls)
    const stale = this.#staleHold(session, parked)
    if (stale !== undefined) {
      this.#state.index++
      this.withdraw(session, parked, "fenced out")
      this.#fail(session, parked, stale)
      return true
    }
    const verdict = this.#decide(session, parked, parked)
    if (verdict === "wait") return this.#waitOn(object, session, place)
    Waiting.unpark(this.#state, session, parked)
    if (verdict === "ready") this.#carryOut(session, parked, parked.since)
    else this.#fail(session, parked, verdict)
    return true
  }

  /** Whether a request that must still wait has moved to another lane. */
  #waitOn(object: SharedObject, session: Session, place: Place): boolean {
    const lane = this.#nextLane(place)
    this.#setTime(place.parked)
    if (lane === undefined) this.#joinLanes(place.parked)
    else Waiting.move(this.#state, object, session, place.parked, lane)
    return lane !== undefined
  }

  /** The other lane in which a waiting call was decided to wait from now on. */
  #nextLane({ call, lane }: Place): string | undefined {
    const decision = this.#decisions[call]!
    return decision._tag === "Wait" && decision.lane !== lane ? decision.lane : undefined
  }

  #staleHold(session: Session, parked: Parked): Refusal | undefined {
    this.#refused = parked.calls.findIndex((_, i) => this.#operation(parked, i).guarded)
    return this.#refused < 0 ? undefined : Admission.staleHold(this.#state, session, parked.guard)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // taking effect
  // ---------------------------------------------------------------------------------------------------------------

  /**
   * Applies what was decided, and replies. Several calls reply with the index and the length of each reply before it.
   */
  #carryOut(session: Session, request: Request, since: number | undefined): void {
    const { calls, sequence } = request
    const { index: before } = this.#state
    this.#granted = false
    let reply: Reply
    if (calls.length === 1) reply = this.#apply(session, request, 0, since)
    else {
      const replies: Array<Argument> = []
      for (let i = 0; i < calls.length; i++) {
        const parts = this.#apply(session, request, i, since)
        replies.push(this.#state.index, parts.length)
        for (const part of parts) replies.push(part)
      }
      reply = replies
    }
    const { index } = this.#state
    const outcome: Outcome = { _tag: "Success", reply }
    this.#wasJoint = calls.length > 1 && index > before
    const bears = References.importHandles(this.#state, session.id, reply)
    // A read that has waited may be sent again over the link over which it is replied to now: it is not replied to twice.
    if (index > before || session.grace !== undefined && (bears || since !== undefined || !this.#reads(request))) {
      const granted = this.#granted ? index - before : 0
      Replies.remember(this.#state, session, { sequence, index, outcome, granted, link: session.resumes })
    }
    this.#state.outputs.push({ _tag: "Reply", session: session.id, sequence, index, outcome })
  }

  /** Whether every call of a request is a read, as far as its objects exist. */
  #reads({ calls }: RequestInput | Parked): boolean {
    for (let i = 0; i < calls.length; i++) {
      const named = this.#objects[i]?.operations[calls[i]!.operation]
      if (named !== undefined && named[1].access !== "read") return false
    }
    return true
  }

  /** One call: a change takes the next index, applies, grants, and is written down. */
  #apply(session: Session, request: Request, i: number, since: number | undefined): Reply {
    const object = this.#objects[i]!
    const decision = this.#decisions[i]!
    if (decision._tag === "Answer") return decision.reply
    const operation = this.#operation(request, i)
    const { args } = request.calls[i]!
    if (operation.access === "read") return operation.apply(object.state, args, this.#at.of(object, session.id))
    this.#state.index++
    const at = this.#at.of(object, session.id, since)
    const reply = operation.apply(object.state, args, at)
    if (operation.access === "grant") {
      GrantRecords.add(this.#state, session, object, request.sequence, operation.byReceipt, at.expiry)
      this.#granted = true
    }
    this.#state.touched.add(object)
    record(this.#journal, this.#state, "request", request, object, reply, i)
    return reply
  }

  /** Fails a request: of several calls by the one that was refused, whose position is told first. */
  #fail(session: Session, { calls, sequence }: Request, { details, error }: Refusal): void {
    const all = calls.length === 1 ? details : [this.#refused, ...details]
    Replies.fail(this.#state, session, sequence, error, all)
  }

  /** The operation of a call that was admitted. */
  #operation({ calls }: Request, i: number): Operation<unknown> {
    return this.#objects[i]!.operations[calls[i]!.operation]![1]
  }
}

/** Whether a request waits, has a reply that its client may not have, or was undone. */
export const isKnown = ({ answered, fates, parked }: Session, sequence: number): boolean =>
  answered.get(sequence) !== undefined || parked.has(sequence) || fates.has(sequence)
