/**
 * The five invariants (`Engine.ts`), checked from outside on the plain state. Used after every step in tests and in
 * the simulator; costs the whole state, so never in production.
 */
import * as Deadlines from "./Deadlines.ts"
import type { Engine } from "./Engine.ts"
import type { CallInput, Output } from "./Inputs.ts"
import * as Lane from "./Lane.ts"
import * as Memory from "./Memory.ts"
import type { Grant } from "./Operation.ts"
import type { Session, SharedObject } from "./State.ts"
import { isCell } from "./Value.ts"

/** What does not hold, as sentences that begin with the invariant's number. Empty: all is well. */
export const violations = (engine: Engine): ReadonlyArray<string> => {
  const broken: Array<string> = []
  for (const object of engine.state.objects.values()) {
    const grants = [...object.grants.values()]
    broken.push(...object.kind.check(object.state, grants).map((line) => `${line} (${object.kind.name} ${object.id})`))
    broken.push(...lanes(engine, object))
    for (const grant of grants) broken.push(...owner(engine, object, grant))
  }
  broken.push(...granted(engine))
  broken.push(...waiting(engine))
  broken.push(...references(engine))
  broken.push(...memory(engine))
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
      if (engine.state.sessions.get(parked.session)?.parked.get(parked.sequence) !== parked) {
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
  [...session.parked.values()].flatMap(({ calls }) => calls)

/** I3: each object counts the waiting calls to it. */
const waiting = ({ state }: Engine): ReadonlyArray<string> => {
  const calls = Map.groupBy([...state.sessions.values()].flatMap(parkedCalls), ({ object }) => object)
  const objects = [...state.objects.values()].filter(({ id, waiting }) => waiting !== (calls.get(id)?.length ?? 0))
  const all = [...calls.values()].flat().length
  return [
    ...all === state.counts.waiters ? [] : [`I3: ${state.counts.waiters} waiters are counted, not ${all}`],
    ...objects.map(({ id, waiting }) => `I3: object ${id} counts ${waiting} waiters`)
  ]
}

const owner = ({ state }: Engine, object: SharedObject, grant: Grant): ReadonlyArray<string> => {
  const session = state.sessions.get(grant.session)
  return session?.grants.get(grant.id) === grant && grant.object === object.id && grant.id <= state.index
    ? []
    : [`I3: grant ${grant.id} of object ${object.id} belongs to no live session`]
}

/** I3: sessions and objects have the same grants, as many as are counted; those with a deadline are in its order. */
const granted = ({ state }: Engine): ReadonlyArray<string> => {
  const { counts, deadlines, examinations, objects, sessions } = state
  const grants = [...objects.values()].flatMap((object) => [...object.grants.values()])
  const bound = [...sessions.values()].reduce((sum, session) => sum + session.grants.size, 0)
  const waiting = [...sessions.values()].flatMap(({ parked }) => [...parked.values()])
  const examined = new Set(waiting.filter(({ deadline }) => deadline !== undefined))
  const ending = new Set(grants.filter(({ deadline }) => deadline !== undefined))
  return [
    ...grants.length === counts.holders && grants.length === bound
      ? []
      : [`I3: ${counts.holders} grants are counted, objects have ${grants.length} and sessions ${bound}`],
    ...deadlines.length === ending.size &&
        deadlines.every((grant, i) =>
          ending.has(grant) && (i === 0 || Deadlines.grantIsBefore(deadlines[i - 1]!, grant))
        )
      ? []
      : ["I3: the grants that end by themselves are not those with a deadline, in its order"],
    ...examinations.length === examined.size &&
        examinations.every((parked, i) =>
          examined.has(parked) && (i === 0 || Deadlines.parkedIsBefore(examinations[i - 1]!, parked))
        )
      ? []
      : ["I3: the requests that are examined again are not those with a deadline, in its order"]
  ]
}

/** I2: the bytes that are counted are those of the objects, their values, and the values of waiting calls. */
const memory = ({ state }: Engine): ReadonlyArray<string> => {
  let bytes = 0
  for (const object of state.objects.values()) {
    bytes += Memory.ofObject(object) + Memory.ofValues(object.kind.values(object.state))
  }
  for (const session of state.sessions.values()) {
    for (const { args } of parkedCalls(session)) bytes += Memory.ofValues(args)
  }
  return bytes === state.bytes ? [] : [`I2: ${state.bytes} bytes are counted, not ${bytes}`]
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
      const call = `${output.session}:${output.sequence}`
      if (this.#ended.has(call)) broken.push(`I3: call ${call} was answered twice`)
      this.#ended.add(call)
    }
    return broken
  }
}
