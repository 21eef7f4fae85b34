/**
 * The five invariants (`Engine.ts`), checked from outside on the plain state. Used after every step in tests and in
 * the simulator; costs the whole state, so never in production.
 */
import * as Deadlines from "./Deadlines.ts"
import * as Deadlock from "./Deadlock.ts"
import type { Engine } from "./Engine.ts"
import type { Output, SessionId } from "./Inputs.ts"
import * as Lane from "./Lane.ts"
import * as Memory from "./Memory.ts"
import type { Grant } from "./Operation.ts"
import * as Replies from "./Replies.ts"
import type { EngineState, Parked, Session, SharedObject } from "./State.ts"
import { type Cell, isCell, type ObjectId } from "./Value.ts"

/** What does not hold, as sentences that begin with the invariant's number. Empty: all is well. */
export const violations = (engine: Engine): ReadonlyArray<string> => {
  const broken: Array<string> = []
  const census = new Census(engine.state)
  for (const object of engine.state.objects.values()) {
    const grants = [...object.grants.values()]
    for (const line of object.kind.check(object.state, grants)) {
      broken.push(`${line} (${object.kind.name} ${object.id})`)
    }
    lanes(engine, object, broken)
    for (const grant of grants) owner(engine, object, grant, broken)
    counted(object, census, broken)
  }
  totals(engine.state, census, broken)
  made(engine.state, broken)
  stalled(engine.state, census, broken)
  timed(engine.state, census, broken)
  return broken
}

/** What there is, counted in one walk over the state. */
class Census {
  grants = 0
  /** Grants that sessions have. */
  bound = 0
  waiters = 0
  bytes = 0
  readonly references = new Map<ObjectId, number>([[0, 1]])
  /** Waiting calls, by their objects. */
  readonly waiting = new Map<ObjectId, number>()
  /** Sessions that count the bytes of their replies wrongly. */
  readonly miscounted: Array<string> = []
  /** Grants, and requests, with a deadline. */
  readonly ending = new Set<Grant>()
  readonly examined = new Set<Parked>()
  /** Holds that waiting requests stall. */
  stalled = 0
  /** Sessions without a link. */
  readonly unlinked = new Set<Session>()

  constructor({ objects, sessions }: EngineState) {
    for (const object of objects.values()) this.#object(object)
    for (const session of sessions.values()) this.#session(session)
  }

  #object(object: SharedObject): void {
    this.bytes += Memory.ofObject(object)
    for (const cell of object.kind.values(object.state)) this.#value(cell)
    this.grants += object.grants.size
    for (const grant of object.grants.values()) if (grant.deadline !== undefined) this.ending.add(grant)
  }

  #session(session: Session): void {
    const { answered, answeredBytes, deadline, grants, id, imports, parked } = session
    if (deadline !== undefined) this.unlinked.add(session)
    this.bound += grants.size
    const bytes = answered.values().reduce((sum, request) => sum + Replies.bytesOf(request), 0)
    if (bytes !== answeredBytes) {
      this.miscounted.push(`I2: session ${id} counts ${answeredBytes} bytes of replies, not ${bytes}`)
    }
    for (const [id, times] of imports) count(this.references, id, times)
    for (const request of parked.values()) {
      if (request.deadline !== undefined) this.examined.add(request)
      this.stalled += request.stalls
      for (const { args, object } of request.calls) {
        this.waiters++
        count(this.waiting, object, 1)
        for (const argument of args) if (isCell(argument)) this.#value(argument)
      }
    }
  }

  #value(cell: Cell): void {
    this.bytes += Memory.ofCell(cell)
    for (const id of cell.handles) count(this.references, id, 1)
  }
}

const count = (counts: Map<ObjectId, number>, id: ObjectId, times: number): void => {
  counts.set(id, (counts.get(id) ?? 0) + times)
}

/** I3 and I4 for the lanes of one object. */
const lanes = (engine: Engine, object: SharedObject, broken: Array<string>): void => {
  for (const lane of object.lanes.values()) {
    let arrival = 0
    /** By a change before it. */
    let held = false
    for (const { condition, isRead, parked } of Lane.places(lane)) {
      if (parked.arrival <= arrival) broken.push(`I4: lane of object ${object.id} is out of order`)
      arrival = parked.arrival
      if (engine.state.sessions.get(parked.session)?.parked.get(parked.sequence) !== parked) {
        broken.push(`I3: request ${parked.session}:${parked.sequence} waits without a live session`)
      }
      if (!held && !engine.mustWait(parked)) {
        broken.push(`I4: request ${parked.session}:${parked.sequence} could go on ${object.kind.name} ${object.id}`)
      }
      held ||= !isRead && condition === undefined
    }
  }
}

/** I3: a grant belongs to a live session. */
const owner = ({ state }: Engine, object: SharedObject, grant: Grant, broken: Array<string>): void => {
  const session = state.sessions.get(grant.session)
  if (session?.grants.get(grant.id) === grant && grant.object === object.id && grant.id <= state.index) return
  broken.push(`I3: grant ${grant.id} of object ${object.id} belongs to no live session`)
}

/** I2 and I3: an object counts what refers to it, and the calls that wait for it. */
const counted = ({ id, references, waiting }: SharedObject, census: Census, broken: Array<string>): void => {
  const held = census.references.get(id) ?? 0
  if (references !== held) broken.push(`I2: object ${id} counts ${references} references, not ${held}`)
  if (waiting !== (census.waiting.get(id) ?? 0)) broken.push(`I3: object ${id} counts ${waiting} waiters`)
}

/** I2 and I3: what the manager counts. Sessions and objects have the same number of grants. */
const totals = ({ bytes, counts }: EngineState, census: Census, broken: Array<string>): void => {
  const { bound, grants, miscounted, waiters } = census
  broken.push(...miscounted)
  if (bytes !== census.bytes) broken.push(`I2: ${bytes} bytes are counted, not ${census.bytes}`)
  if (waiters !== counts.waiters) broken.push(`I3: ${counts.waiters} waiters are counted, not ${waiters}`)
  if (grants !== counts.holders || grants !== bound) {
    broken.push(`I3: ${counts.holders} grants are counted, objects have ${grants} and sessions ${bound}`)
  }
}

/** I2: the objects that each session has made. */
const made = ({ objects, sessions }: EngineState, broken: Array<string>): void => {
  const counts = new Map<SessionId, number>()
  for (const { maker } of objects.values()) counts.set(maker, (counts.get(maker) ?? 0) + 1)
  for (const { id, made } of sessions.values()) {
    const exist = counts.get(id) ?? 0
    if (made !== exist) broken.push(`I2: session ${id} counts ${made} objects that it made, not ${exist}`)
  }
}

/** I3: a hold is stalled by the waiting request that says so. */
const stalled = ({ stalled, sessions }: EngineState, census: Census, broken: Array<string>): void => {
  for (const [id, parked] of stalled) {
    if (
      sessions.get(parked.session)?.parked.get(parked.sequence) === parked && Deadlock.stalledBy(parked).includes(id)
    ) {
      continue
    }
    broken.push(`I3: hold ${id} is stalled by no waiting request`)
  }
  if (stalled.size !== census.stalled) broken.push(`I3: ${stalled.size} holds are stalled, not ${census.stalled}`)
}

/** I3: what ends or is examined by time is all that has a deadline, in its order. */
const timed = (
  { deadlines, examinations, unlinked }: EngineState,
  census: Census,
  broken: Array<string>
): void => {
  if (!isOrder(deadlines, census.ending, Deadlines.grantIsBefore)) {
    broken.push("I3: the grants that end by themselves are not those with a deadline, in its order")
  }
  if (!isOrder(examinations, census.examined, Deadlines.parkedIsBefore)) {
    broken.push("I3: the requests that are examined again are not those with a deadline, in its order")
  }
  if (!isOrder(unlinked, census.unlinked, Deadlines.sessionIsBefore)) {
    broken.push("I3: the sessions without a link are not those with a deadline, in its order")
  }
}

const isOrder = <A>(list: ReadonlyArray<A>, all: ReadonlySet<A>, isBefore: (a: A, b: A) => boolean): boolean =>
  list.length === all.size && list.every((item, i) => all.has(item) && (i === 0 || isBefore(list[i - 1]!, item)))

/** Watches a run of steps for what a single state cannot show: dense indexes, growing tokens, one fate per call. */
export class Monitor {
  #index = 0
  readonly #granted = new Set<number>()
  readonly #tokens = new Map<number, number>()
  readonly #ended = new Set<string>()

  /** Call after each step, with the outputs of that step. */
  observe(engine: Engine, outputs: ReadonlyArray<Output>): ReadonlyArray<string> {
    const broken = [...violations(engine)]
    if (engine.state.index < this.#index) broken.push(`I1: index fell from ${this.#index} to ${engine.state.index}`)
    this.#index = engine.state.index
    for (const { grants, id: object } of engine.state.objects.values()) {
      for (const id of grants.keys()) {
        if (this.#granted.has(id)) continue
        this.#granted.add(id)
        const last = this.#tokens.get(object) ?? 0
        if (id < last) broken.push(`I5: token ${id} after ${last} on object ${object}`)
        this.#tokens.set(object, Math.max(last, id))
      }
    }
    for (const output of outputs) {
      if (output._tag !== "Reply") continue
      // After a new link a call may be sent again.
      const link = engine.state.sessions.get(output.session)?.resumes ?? 0
      const call = `${output.session}:${output.sequence} over link ${link}`
      if (this.#ended.has(call)) broken.push(`I3: call ${call} was answered twice`)
      this.#ended.add(call)
    }
    return broken
  }
}
