/**
 * The engine: a deterministic state machine with one writer.
 *
 * `step(input)` changes the state and appends outputs. There is no clock, no random, no I/O and no Effect in here:
 * the same inputs give the same state and the same outputs, always.
 *
 * ## Invariants, checked after every step in the tests (`Invariants.ts`)
 *
 * - **I1 One order.** Every state change has exactly one index, dense under one epoch; state and outputs are a
 *   function of the inputs alone.
 * - **I2 Conservation.** At the end of a step every queue item is in exactly one of: queued, out with one live
 *   (session, sequence), settled, dead letter. Permits free + held are all there are.
 * - **I3 One fate.** A (session, sequence) takes effect at most once and ends once: replied, failed, withdrawn or
 *   compensated. After the end step of a session nothing parked, granted or referenced names it.
 * - **I4 No lost wake, no barging.** At the end of a step no head of a lane could go, and nothing is granted past an
 *   earlier waiter of its lane.
 * - **I5 Fence.** At most one current hold per lock; tokens grow per lock; an operation commits only while its session
 *   lives and every hold in its guard is current.
 *
 * ## Life of an input
 *
 * ```text
 *   request ──► admit ──► decide ─ ready ─► commit ──► reply      then, for every object touched:
 *                │           └─── wait ──► park                   serve its lanes to a fixpoint,
 *                └ refused ─► reply                               and collect what nothing refers to
 *   cancel ───► withdraw a parked call, or revoke what an answered one was granted
 *   end ──────► withdraw, revoke, drop, in one step; then serve
 *   time ─────► revoke grants whose deadline has passed
 * ```
 *
 * Indexes (S-4): a committed change, a withdrawal, a revocation and a session's end take one each. Receipts, reference
 * counts and forgetting an unused object are bookkeeping and take none; nobody can observe their order.
 */
import * as Admission from "./Admission.ts"
import * as Directory from "./Directory.ts"
import * as Grants from "./Grants.ts"
import type {
  CancelFate,
  Input,
  JournalEntry,
  OperationTable,
  Outcome,
  Output,
  RequestInput,
  SessionId
} from "./Inputs.ts"
import type { AnyKind } from "./Kind.ts"
import * as Lane from "./Lane.ts"
import type { Client, Decision, Grant, Operation, Refusal, Reply, Withdrawal } from "./Operation.ts"
import { refuse } from "./Operation.ts"
import * as References from "./References.ts"
import type { EngineLimits, EngineState, Parked, Session, SharedObject } from "./State.ts"
import { Step } from "./Step.ts"
import * as Watchers from "./Watchers.ts"

/** How an engine is made. */
export interface EngineOptions {
  readonly epoch: number
  readonly kinds: ReadonlyArray<AnyKind>
  readonly limits: EngineLimits
  /** Told of every index as it is taken. */
  readonly journal?: ((entry: JournalEntry) => void) | undefined
}

/** A manager's state and the one function that changes it. */
export class Engine {
  readonly state: EngineState
  readonly #journal: ((entry: JournalEntry) => void) | undefined
  readonly #operations = new Map<AnyKind, ReadonlyArray<readonly [name: string, operation: Operation<unknown>]>>()
  readonly #at: Step

  constructor(options: EngineOptions) {
    const kinds = [Directory.kind, ...options.kinds]
    this.#journal = options.journal
    this.state = {
      epoch: options.epoch,
      limits: options.limits,
      kinds: new Map(kinds.map((kind) => [kind.name, kind])),
      index: 0,
      now: 0,
      nextObject: Directory.id + 1,
      arrivals: 0,
      sessions: new Map(),
      objects: new Map(),
      names: new Map(),
      grants: new Map(),
      deadlines: new Set(),
      unreferenced: new Set(),
      suspects: new Set(),
      dropsSinceTrace: 0,
      touched: new Set(),
      outputs: []
    }
    for (const kind of kinds) this.#operations.set(kind, Object.entries(kind.operations))
    this.#at = new Step(this.state)
    this.state.objects.set(Directory.id, Directory.object(this.state))
  }

  /** The operations of every kind, in the order of their positions. */
  get operationTable(): OperationTable {
    return Object.fromEntries(
      [...this.#operations].map((
        [kind, list]
      ) => [kind.name, list.map(([name, { access }]) => [name, access] as const)])
    )
  }

  /** Takes the outputs of the steps since they were last taken, in order. */
  takeOutputs(): ReadonlyArray<Output> {
    const { outputs } = this.state
    this.state.outputs = []
    return outputs
  }

  /** When the host should bring the time next, if at all. */
  get nextDeadline(): number | undefined {
    return Grants.nextDeadline(this.state)
  }

  /** Applies one input. A throw from here is a bug of a kind: the host must stop, never go on with unknown state (S-2). */
  step(input: Input): void {
    if (input._tag === "Time") this.#time(input.now)
    else if (input._tag === "Open") this.#open(input.session, input.label)
    else {
      const session = this.state.sessions.get(input.session)
      // What a session sent before its end may be read after it: it has no effect (I3).
      if (session === undefined) return
      switch (input._tag) {
        case "Request":
          this.#request(session, input)
          break
        case "Acknowledge":
          this.#acknowledge(session, input.from, input.to)
          break
        case "Cancel":
          this.#cancel(session, input.sequence)
          break
        case "Drop":
          References.drop(this.state, session.id, input.object, input.times)
          break
        case "Watch":
          this.#watch(session, input)
          break
        case "Credit":
          Watchers.credit(this.state, session, input.sequence, input.credit)
          break
        case "Unwatch":
          Watchers.unwatch(this.state, session, input.sequence)
          break
        case "End":
          this.#end(session)
      }
    }
    for (const object of this.state.touched) {
      this.state.touched.delete(object)
      this.#serve(object)
    }
    References.collect(this.state, this.#tellGone)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // requests
  // ---------------------------------------------------------------------------------------------------------------

  #open(id: SessionId, label: Client): void {
    this.state.sessions.set(id, {
      id,
      label,
      lastSequence: 0,
      calls: new Map(),
      parked: 0,
      grants: new Map(),
      imports: new Map(),
      watches: new Map()
    })
  }

  #request(session: Session, request: RequestInput): void {
    const object = this.state.objects.get(request.object)
    const operation = object === undefined ? undefined : this.#operation(object, request.operation)
    // What gives something back may have overtaken others (S-8); a second time it finds nothing.
    if (operation?.settles !== true && !this.#isNew(session, request.sequence)) return
    if (object === undefined) return this.#fail(session, request, refuse("ObjectNotFound"))
    if (operation === undefined) return this.#fail(session, request, refuse("UnknownOperation", object.kind.name))
    const refused = Admission.refusal(this.state, session, operation, request)
    if (refused !== undefined) return this.#fail(session, request, refused)

    const { access, lane } = operation
    // S-13: a change stands behind those who wait; a refusal, an answer or a read takes nothing from them.
    const isBehind = lane !== undefined && object.lanes.get(lane)!.changes > 0
    const at = this.#at.of(object, session.id, undefined, isBehind)
    const decision = operation.decide(object.state, request.args, at)
    if (decision._tag === "Wait" || decision._tag === "Ready" && isBehind && access !== "read") {
      this.#park(session, object, operation, request, lane!)
    } else this.#carryOut(session, object, operation, request, decision)
  }

  /** Does what has been decided: the call, waiting or new, ends. */
  #carryOut(
    session: Session,
    object: SharedObject,
    operation: Operation<unknown>,
    call: RequestInput | Parked,
    decision: Exclude<Decision, { readonly _tag: "Wait" }>
  ): void {
    if (decision._tag === "Refuse") return this.#fail(session, call, decision)
    if (decision._tag === "Ready" && operation.access !== "read") return this.#commit(session, object, operation, call)
    const reply = decision._tag === "Answer"
      ? decision.reply
      : operation.apply(object.state, call.args, this.#at.of(object, session.id))
    this.#reply(session, call.sequence, this.state.index, { _tag: "Success", reply })
  }

  /** A sequence is used once. Asked again: the same reply while it is remembered, else nothing (S-7, I3). */
  #isNew(session: Session, sequence: number): boolean {
    if (sequence > session.lastSequence) {
      session.lastSequence = sequence
      return true
    }
    const call = session.calls.get(sequence)
    if (call?._tag === "Answered") {
      const { index, outcome } = call
      this.state.outputs.push({ _tag: "Reply", session: session.id, sequence, index, outcome })
    }
    return false
  }

  #fail(session: Session, call: RequestInput | Parked, refusal: Refusal): void {
    const { details, error } = refusal
    this.#reply(session, call.sequence, this.state.index, { _tag: "Failure", error, details })
  }

  #park(
    session: Session,
    object: SharedObject,
    operation: Operation<unknown>,
    request: RequestInput,
    lane: string
  ): void {
    const { waitersPerObjectMax } = this.state.limits
    if (object.waiting >= waitersPerObjectMax) {
      return this.#fail(session, request, refuse("LimitExceeded", "waitersPerObjectMax", waitersPerObjectMax))
    }
    References.retainArguments(this.state, request.args)
    const parked: Parked = {
      _tag: "Parked",
      session: session.id,
      sequence: request.sequence,
      object: object.id,
      operation: request.operation,
      args: request.args,
      guard: request.guard,
      arrival: ++this.state.arrivals,
      lane,
      since: this.state.index,
      isRead: operation.access === "read",
      previous: undefined,
      next: undefined
    }
    Lane.join(object, session, parked)
    this.state.outputs.push({ _tag: "Parked", session: session.id, sequence: request.sequence })
    if (operation.enter === undefined) return
    parked.since = ++this.state.index
    this.#record("entered", parked, object, [])
    operation.enter(object.state, parked.args, this.#at.of(object, session.id, parked.since))
    this.state.touched.add(object)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // commits
  // ---------------------------------------------------------------------------------------------------------------

  /** One change: takes the next index, applies, grants, remembers, replies. */
  #commit(session: Session, object: SharedObject, operation: Operation<unknown>, call: RequestInput | Parked): void {
    const index = ++this.state.index
    const at = this.#at.of(object, session.id, "since" in call ? call.since : undefined)
    const reply = operation.apply(object.state, call.args, at)
    if (operation.access === "grant") {
      Grants.add(this.state, session, object, call.sequence, operation.byReceipt, at.expiry)
    }
    this.state.touched.add(object)
    this.#record("request", call, object, reply)
    const outcome: Outcome = { _tag: "Success", reply }
    session.calls.set(call.sequence, {
      _tag: "Answered",
      index,
      outcome,
      grant: operation.access === "grant" ? index : undefined
    })
    this.#reply(session, call.sequence, index, outcome)
  }

  /** Ends a grant and lets the kind take back what it stood for. */
  #revoke(grant: Grant, reason: Withdrawal): void {
    const object = this.state.objects.get(grant.object)!
    Grants.settle(this.state, grant)
    object.kind.revoke?.(object.state, grant, reason, this.#at.of(object, grant.session))
    this.state.touched.add(object)
  }

  #reply(session: Session, sequence: number, index: number, outcome: Outcome): void {
    if (outcome._tag === "Success") References.importHandles(this.state, session.id, outcome.reply)
    this.state.outputs.push({ _tag: "Reply", session: session.id, sequence, index, outcome })
  }

  /** I4: tries the lanes of an object, in order, until nobody can go. A change that must wait holds up its lane (S-13). */
  #serve(object: SharedObject): void {
    while (object.waiting > 0 && this.#serveOne(object));
  }

  /** Whether a change went on: waiting reads see each change before the next one is made (S-29). */
  #serveOne(object: SharedObject): boolean {
    for (const lane of object.lanes.values()) {
      for (let parked = lane.head, next; parked !== undefined; parked = next) {
        next = parked.next
        const went = this.#try(object, parked)
        if (!parked.isRead && went) return true
        if (!parked.isRead) break
      }
    }
    return false
  }

  /** Whether a waiting call could go on, and did: to its end, or to another lane. */
  #try(object: SharedObject, parked: Parked): boolean {
    const session = this.state.sessions.get(parked.session)!
    const operation = this.#operation(object, parked.operation)!
    const stale = operation.guarded ? Admission.staleHold(this.state, session, parked.guard) : undefined
    if (stale !== undefined) {
      this.state.index++
      this.#withdraw(session, parked, "fenced out")
      this.#fail(session, parked, stale)
      return true
    }
    const decision = operation.decide(object.state, parked.args, this.#at.of(object, session.id, parked.since))
    if (decision._tag === "Wait") {
      if (!moves(parked, decision)) return false
      Lane.move(object, session, parked, decision.lane, ++this.state.arrivals)
      return true
    }
    Lane.leave(object, session, parked)
    this.#carryOut(session, object, operation, parked, decision)
    References.releaseArguments(this.state, parked.args)
    References.released(this.state, object)
    return true
  }

  /** Whether a request only gives back what was granted: such a one no limit may hold up (S-8). */
  settles(request: RequestInput): boolean {
    const object = this.state.objects.get(request.object)
    return object !== undefined && this.#operation(object, request.operation)?.settles === true
  }

  /** Whether a parked call would still have to wait (I4). */
  mustWait(object: SharedObject, parked: Parked): boolean {
    const operation = this.#operation(object, parked.operation)!
    const decision = operation.decide(object.state, parked.args, this.#at.of(object, parked.session, parked.since))
    return decision._tag === "Wait" && !moves(parked, decision)
  }

  #operation(object: SharedObject, position: number): Operation<unknown> | undefined {
    return this.#operations.get(object.kind)![position]?.[1]
  }

  // ---------------------------------------------------------------------------------------------------------------
  // receipts, cancels, ends
  // ---------------------------------------------------------------------------------------------------------------

  /** S-8: the client has these replies. Costs the smaller of the range and what is remembered. */
  #acknowledge(session: Session, from: number, to: number): void {
    if (to - from < session.calls.size) {
      for (let sequence = from; sequence <= to; sequence++) this.#receive(session, sequence)
    } else {
      for (const sequence of session.calls.keys()) {
        if (from <= sequence && sequence <= to) this.#receive(session, sequence)
      }
    }
  }

  #receive(session: Session, sequence: number): void {
    const call = session.calls.get(sequence)
    if (call?._tag !== "Answered") return
    session.calls.delete(sequence)
    const grant = call.grant === undefined ? undefined : session.grants.get(call.grant)
    if (grant?.byReceipt !== true) return
    const object = this.state.objects.get(grant.object)!
    Grants.settle(this.state, grant)
    object.kind.received?.(object.state, grant, this.#at.of(object, session.id))
    this.state.touched.add(object)
  }

  /** S-10: cancel is idempotent and always answered; its outcome replaces the reply. */
  #cancel(session: Session, sequence: number): void {
    this.state.outputs.push({ _tag: "Cancelled", session: session.id, sequence, fate: this.#undo(session, sequence) })
  }

  #undo(session: Session, sequence: number): CancelFate {
    const call = session.calls.get(sequence)
    if (call === undefined) return "stands"
    if (call._tag === "Parked") {
      this.state.index++
      this.#withdraw(session, call, "cancelled")
      return "withdrawn"
    }
    session.calls.delete(sequence)
    const grant = call.grant === undefined ? undefined : session.grants.get(call.grant)
    if (grant === undefined) return "stands"
    this.state.index++
    this.#record("revoked", grant, this.state.objects.get(grant.object)!, [grant.id, "cancelled"])
    this.#revoke(grant, "cancelled")
    return "compensated"
  }

  #withdraw(session: Session, parked: Parked, reason: Withdrawal): void {
    const object = this.state.objects.get(parked.object)!
    Lane.leave(object, session, parked)
    if (reason !== "session ended") this.#record("withdrawn", parked, object, [reason])
    const { withdraw } = this.#operation(object, parked.operation)!
    withdraw?.(object.state, parked.args, reason, this.#at.of(object, session.id, parked.since))
    References.releaseArguments(this.state, parked.args)
    References.released(this.state, object)
    // Nobody waits for a read to go: to leave costs it nothing (S-13).
    if (!parked.isRead) this.state.touched.add(object)
  }

  /** S-11, in one step and under one index: withdraw, revoke in order of acquisition, drop; then the lanes are served. */
  #end(session: Session): void {
    this.state.index++
    const ended = { session: session.id, sequence: 0, args: [] }
    // What it still held comes back under this index: the journal says so (S-31).
    this.#record("ended", ended, this.state.objects.get(Directory.id)!, [...session.grants.keys()])
    for (const call of session.calls.values()) {
      if (call._tag === "Parked") this.#withdraw(session, call, "session ended")
    }
    for (const grant of session.grants.values()) this.#revoke(grant, "session ended")
    for (const sequence of session.watches.keys()) Watchers.unwatch(this.state, session, sequence)
    for (const [object, times] of session.imports) References.drop(this.state, session.id, object, times)
    this.state.sessions.delete(session.id)
  }

  #time(now: number): void {
    this.state.now = Math.max(this.state.now, now)
    for (const grant of Grants.due(this.state)) {
      this.state.index++
      this.#record("revoked", grant, this.state.objects.get(grant.object)!, [grant.id, "deadline"])
      this.#revoke(grant, "deadline")
    }
  }

  #watch(session: Session, input: Extract<Input, { readonly _tag: "Watch" }>): void {
    if (!this.#isNew(session, input.sequence)) return
    const outcome = Watchers.watch(this.state, session, input.object, input.sequence, input.credit)
    this.#reply(session, input.sequence, this.state.index, outcome)
  }

  readonly #tellGone = (object: SharedObject): void => Watchers.tell(this.state, object, "ended", [])

  #record(
    cause: JournalEntry["cause"],
    call: { readonly session: SessionId; readonly sequence: number } & Partial<Pick<Parked, "args" | "operation">>,
    object: SharedObject,
    reply: Reply
  ): void {
    this.#journal?.({
      index: this.state.index,
      cause,
      session: call.session,
      sequence: call.sequence,
      object: object.id,
      kind: object.kind.name,
      operation: call.operation === undefined ? "" : this.#operations.get(object.kind)![call.operation]![0],
      args: call.args ?? [],
      reply
    })
  }
}

/** Whether a waiting call is to wait in another lane. */
const moves = (
  parked: Parked,
  decision: Extract<Decision, { readonly _tag: "Wait" }>
): decision is { readonly _tag: "Wait"; readonly lane: string } =>
  decision.lane !== undefined && decision.lane !== parked.lane
