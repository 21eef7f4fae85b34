/**
 * The five invariants (`Engine.ts`), checked from outside on the plain state. Used after every step in tests and in
 * the simulator; costs the whole state, so never in production.
 */
import type { Engine } from "./Engine.ts"
import type { CallInput, Output } from "./Inputs.ts"
import * as Lane from "./Lane.ts"
import type { Grant } from "./Operation.ts"
import type { Session, SharedObject } from "./State.ts"
import { isCell } from "./Value.ts"

/** What does not hold, as sentences that begin with the invariant's number. Empty: all is well. */
export const violations = (engine: Engine): ReadonlyArray<string> => {
  const broken: Array<string> = []
  const granted = Map.groupBy(engine.state.grants.values(), ({ object }) => object)
  for (const object of engine.state.objects.values()) {
    const grants = granted.get(object.id) ?? []
    broken.push(...object.kind.check(object.state, grants).map((line) => `${line} (${object.kind.name} ${object.id})`))
    broken.push(...lanes(engine, object))
    if (grants.length !== object.grants) broken.push(`I3: object ${object.id} counts ${object.grants} grants`)
  }
  for (const grant of engine.state.grants.values()) broken.push(...owner(engine, grant))
  broken.push(...waiting(engine))
  broken.push(...references(engine))
  return broken
}

/** I3 and I4 for the lanes of one object. */
const lanes = (engine: Engine, object: SharedObject): ReadonlyArray<string> => {
  const broken: Array<string> = []
  for (const lane of object.lanes.values()) {
    let arrival = 0
    /** By a change before it. */
    let held = false
    for (const { isRead, parked } of Lane.places(lane)) {
      if (parked.arrival <= arrival) broken.push(`I4: lane of object ${object.id} is out of order`)
      arrival = parked.arrival
      if (engine.state.sessions.get(parked.session)?.requests.get(parked.sequence) !== parked) {
        broken.push(`I3: request ${parked.session}:${parked.sequence} waits without a live session`)
      }
      if (!held && !engine.mustWait(parked)) {
        broken.push(`I4: request ${parked.session}:${parked.sequence} could go on ${object.kind.name} ${object.id}`)
      }
      held ||= !isRead
    }
  }
  return broken
}

/** The calls of all requests of a session that wait. */
const parkedCalls = (session: Session): ReadonlyArray<CallInput> =>
  [...session.requests.values()].flatMap((request) => request._tag === "Parked" ? request.calls : [])

/** I3: each object counts the waiting calls to it, and each session its waiting requests. */
const waiting = ({ state }: Engine): ReadonlyArray<string> => {
  const calls = Map.groupBy([...state.sessions.values()].flatMap(parkedCalls), ({ object }) => object)
  const objects = [...state.objects.values()].filter(({ id, waiting }) => waiting !== (calls.get(id)?.length ?? 0))
  const sessions = [...state.sessions.values()].filter(({ parked, requests }) =>
    parked !== [...requests.values()].filter(({ _tag }) => _tag === "Parked").length
  )
  return [
    ...objects.map(({ id, waiting }) => `I3: object ${id} counts ${waiting} waiters`),
    ...sessions.map(({ id, parked }) => `I3: session ${id} counts ${parked} waiting requests`)
  ]
}

const owner = (engine: Engine, grant: Grant): ReadonlyArray<string> => {
  const session = engine.state.sessions.get(grant.session)
  return session?.grants.get(grant.id) === grant && grant.id <= engine.state.index
    ? []
    : [`I3: grant ${grant.id} belongs to no live session`]
}

/** Reference counts equal what the roots and states hold. */
const references = (engine: Engine): ReadonlyArray<string> => {
  const counted = new Map<number, number>([[0, 1]])
  const add = (id: number, times: number) => counted.set(id, (counted.get(id) ?? 0) + times)
  for (const session of engine.state.sessions.values()) {
    for (const [id, times] of session.imports) add(id, times)
    for (const { args } of parkedCalls(session)) {
      for (const argument of args) if (isCell(argument)) { for (const id of argument.handles) add(id, 1) }
    }
  }
  for (const object of engine.state.objects.values()) {
    for (const cell of object.kind.values(object.state)) for (const id of cell.handles) add(id, 1)
  }
  return [...engine.state.objects.values()]
    .filter((object) => object.references !== (counted.get(object.id) ?? 0))
    .map((object) =>
      `I2: object ${object.id} counts ${object.references} references, not ${counted.get(object.id) ?? 0}`
    )
}

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
    for (const grant of engine.state.grants.values()) {
      if (this.#granted.has(grant.id)) continue
      this.#granted.add(grant.id)
      const last = this.#tokens.get(grant.object) ?? 0
      if (grant.id < last) broken.push(`I5: token ${grant.id} after ${last} on object ${grant.object}`)
      this.#tokens.set(grant.object, Math.max(last, grant.id))
    }
    for (const output of outputs) {
      if (output._tag !== "Reply") continue
      const call = `${output.session}:${output.sequence}`
      if (this.#ended.has(call)) broken.push(`I3: call ${call} was answered twice`)
      this.#ended.add(call)
    }
    return broken
  }
}
