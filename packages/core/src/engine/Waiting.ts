/**
 * Parking: the bookkeeping when a request begins to wait and when it stops waiting (S-14).
 */
import * as Deadlines from "./Deadlines.ts"
import * as Deadlock from "./Deadlock.ts"
import * as Lane from "./Lane.ts"
import type { Operation } from "./Operation.ts"
import * as References from "./References.ts"
import type { EngineState, Parked, Place, Session, SharedObject } from "./State.ts"

/** A request begins to wait: its arguments are retained, and the objects that it calls are kept. */
export const park = (state: EngineState, session: Session, parked: Parked): void => {
  session.parked.set(parked.sequence, parked)
  if (parked.stalls > 0) Deadlock.stall(state, parked)
  state.counts.waiters += parked.calls.length
  if (parked.calls.length > 1) state.joint.add(parked)
  for (const { args, object } of parked.calls) {
    References.retainArguments(state, args)
    state.objects.get(object)!.waiting++
  }
}

/** Takes a place in a lane for a call of a parked request, by its operation. */
export const join = (
  object: SharedObject,
  parked: Parked,
  call: number,
  lane: string,
  { access, condition, tally }: Operation<unknown>
): void => {
  const { args } = parked.calls[call]!
  const place: Place = {
    parked,
    call,
    lane,
    isRead: access === "read",
    condition: condition?.(args, parked.since),
    previous: undefined,
    next: undefined
  }
  parked.places.push(place)
  Lane.enter(object, place)
  tally?.(object.state, args, 1)
}

/** Sets the time at which a waiting request is examined again. */
export const examineAt = ({ examinations }: EngineState, parked: Parked, time: number | undefined): void => {
  if (parked.deadline !== undefined) Deadlines.remove(examinations, parked, Deadlines.parkedIsBefore)
  parked.deadline = time
  if (time !== undefined) Deadlines.add(examinations, parked, Deadlines.parkedIsBefore)
}

/** A request stops waiting and leaves all its lanes. Requests behind a change may go then, so its object is touched. */
export const unpark = (state: EngineState, session: Session, parked: Parked): void => {
  for (const place of parked.places) {
    const { args, object: id, operation } = parked.calls[place.call]!
    const object = state.objects.get(id)!
    Lane.leave(object, place)
    object.operations[operation]![1].tally?.(object.state, args, -1)
    if (!place.isRead) state.touched.add(object)
  }
  parked.places.length = 0
  examineAt(state, parked, undefined)
  session.parked.delete(parked.sequence)
  if (parked.stalls > 0) Deadlock.unstall(state, parked)
  state.counts.waiters -= parked.calls.length
  state.joint.delete(parked)
  for (const { args, object: id } of parked.calls) {
    References.releaseArguments(state, args)
    const object = state.objects.get(id)!
    object.waiting--
    References.released(state, object)
  }
}

/**
 * Moves the only place of a parked request to the tail of another lane, and the request to the end of its session's:
 * when the session ends its requests are withdrawn in the order in which they came to where they wait.
 */
export const move = (
  state: EngineState,
  object: SharedObject,
  session: Session,
  parked: Parked,
  lane: string
): void => {
  // A request that may move is of one call, which has a place since it waits.
  const place = parked.places[0]!
  Lane.leave(object, place)
  place.lane = lane
  parked.arrival = ++state.arrivals
  Lane.enter(object, place)
  session.parked.delete(parked.sequence)
  session.parked.set(parked.sequence, parked)
}
