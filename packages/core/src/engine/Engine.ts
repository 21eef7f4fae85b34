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
 *   request ──► admit ──► decide ─ ready ─► apply ───► reply      then, for every object touched:
 *                │           └─── wait ──► park                   serve its lanes to a fixpoint,
 *                └ refused ─► reply                               and collect unreferenced objects
 *   cancel ───► withdraw a parked request, or revoke what an answered one was granted
 *   end ──────► withdraw, revoke, drop, in one step; then serve
 *   unlinked ─► end, unless the session has a grace: then it ends at its deadline, or linked comes before
 *   time ─────► revoke grants and end sessions whose deadline has passed
 * ```
 *
 * Indexes (S-4): a committed change, a withdrawal, a revocation and a session's end take one each. Receipts, reference
 * counts and forgetting an unused object take none: their order cannot be observed.
 */
import * as Deadlines from "./Deadlines.ts"
import * as Directory from "./Directory.ts"
import type { Input, OperationTable, Output, RequestInput, SessionId } from "./Inputs.ts"
import type { Journal } from "./Journal.ts"
import type { AnyKind } from "./Kind.ts"
import * as Links from "./Links.ts"
import { OrderedMap } from "./OrderedMap.ts"
import * as References from "./References.ts"
import { isKnown, Requests } from "./Requests.ts"
import { Sessions } from "./Sessions.ts"
import type { EngineLimits, EngineState, Parked, Session, SharedObject } from "./State.ts"
import { Step } from "./Step.ts"
import { Touched } from "./Touched.ts"
import { directory, type ObjectId } from "./Value.ts"
import * as Watchers from "./Watchers.ts"

/** How an engine is made. */
export interface EngineOptions {
  readonly epoch: number
  readonly kinds: ReadonlyArray<AnyKind>
  readonly limits: EngineLimits
  /** Told of every index as it is taken. */
  readonly journal?: Journal | undefined
}

/** A manager's state and the one function that changes it. */
export class Engine {
  readonly state: EngineState
  readonly #requests: Requests
  readonly #sessions: Sessions

  constructor(options: EngineOptions) {
    const kinds = [Directory.kind, ...options.kinds]
    this.state = {
      epoch: options.epoch,
      limits: options.limits,
      kinds: new Map(kinds.map((kind) => [kind.name, kind])),
      operations: new Map(kinds.map((kind) => [kind, Object.entries(kind.operations)])),
      index: 0,
      now: 0,
      nextObject: directory + 1,
      arrivals: 0,
      lastSession: 0,
      sessions: new Map(),
      objects: new OrderedMap(),
      names: new Map(),
      joint: new Set(),
      stalled: new Map(),
      counts: { waiters: 0, holders: 0 },
      bytes: 0,
      deadlines: [],
      examinations: [],
      unlinked: [],
      unreferenced: new Set(),
      suspects: new Set(),
      dropsSinceTrace: 0,
      touched: new Touched<SharedObject>(),
      outputs: []
    }
    const at = new Step(this.state)
    this.#requests = new Requests(this.state, at, options.journal)
    this.#sessions = new Sessions(this.state, at, options.journal, this.#requests)
    Directory.addTo(this.state)
  }

  /** The operations of every kind, in the order of their positions. */
  get operationTable(): OperationTable {
    return Object.fromEntries(
      [...this.state.operations].map((
        [kind, list]
      ) => [kind.name, list.map(([name, { access }]) => [name, access] as const)])
    )
  }

  /** The name of an operation by its position; undefined if the object is not there or has no such operation. */
  nameOf(object: ObjectId, position: number): string | undefined {
    return this.state.objects.get(object)?.operations[position]?.[0]
  }

  /** The position of an operation by its name; undefined if the object is not there or has no such operation. */
  positionOf(object: ObjectId, name: string): number | undefined {
    const position = this.state.objects.get(object)?.operations.findIndex(([other]) => other === name)
    return position === -1 ? undefined : position
  }

  /** Takes the outputs of the steps since they were last taken, in order. */
  takeOutputs(): ReadonlyArray<Output> {
    const { outputs } = this.state
    this.state.outputs = []
    return outputs
  }

  /** When the host should bring the time next, if at all. */
  get nextDeadline(): number | undefined {
    return Deadlines.first(this.state)
  }

  /** Applies one input. A throw is a bug of a kind: the host must stop, because the state is unknown (S-2). */
  step(input: Input): void {
    if (input._tag === "Time") this.#sessions.advance(input.now)
    else if (input._tag === "Open") this.#sessions.open(input.label, input.grace, input.rights)
    else {
      const session = this.state.sessions.get(input.session)
      // A message that was sent before the end of its session may be read after it. It has no effect (I3).
      if (session === undefined) return
      switch (input._tag) {
        case "Request":
          this.#requests.take(session, input)
          break
        case "Acknowledge":
          this.#sessions.acknowledge(session, input.from, input.to)
          break
        case "Cancel":
          this.#sessions.cancel(session, input.sequence)
          break
        case "Drop":
          References.drop(this.state, session.id, input.object, input.times)
          break
        case "Imports":
          References.reconcile(this.state, session, input)
          break
        case "Holds":
          this.#sessions.compare(session, input.grants)
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
        case "Congestion":
          Watchers.congestion(this.state, session, input.isCongested)
          break
        case "Unlinked":
          this.#sessions.unlink(session)
          break
        case "Linked":
          Links.renew(this.state, session)
          break
        case "End":
          this.#sessions.end(session)
      }
    }
    for (let object = this.state.touched.take(); object !== undefined; object = this.state.touched.take()) {
      object.changedAt = this.state.now
      this.#requests.serve(object)
    }
    References.collect(this.state, this.#tellGone)
  }

  /** Whether a request only gives back, or is refused because its objects are gone: no limit may hold it up (S-8). */
  settles(request: RequestInput): boolean {
    return this.#requests.settles(request)
  }

  /** Whether a request gives back now what its session has. */
  settlesNow(request: RequestInput): boolean {
    const session = this.state.sessions.get(request.session)
    return session !== undefined && this.#requests.settlesNow(session, request)
  }

  /** Whether a request of a session waits, or has a reply or a fate that its client may not know. */
  isKnown(session: SessionId, sequence: number): boolean {
    const known = this.state.sessions.get(session)
    return known !== undefined && isKnown(known, sequence)
  }

  /** Whether a waiting request would still have to wait where it stands (I4). */
  mustWait(parked: Parked): boolean {
    return this.#requests.mustWait(parked)
  }

  #watch(session: Session, input: Extract<Input, { readonly _tag: "Watch" }>): void {
    const { credit, object, sequence } = input
    if (this.#requests.isNew(session, sequence)) Watchers.watch(this.state, session, object, sequence, credit)
  }

  readonly #tellGone = (object: SharedObject): void => Watchers.tellGone(this.state, object)
}
