/**
 * Lanes: the one waiting mechanism of all kinds (S-13).
 *
 * A lane is a doubly linked list of parked calls (`Linked.ts`): a dead waiter costs its successors nothing.
 */
import * as Linked from "./Linked.ts"
import type { Lane, Parked, Session, SharedObject } from "./State.ts"

/** The lanes of a new object, empty. */
export const make = (names: ReadonlyArray<string>): ReadonlyMap<string, Lane> =>
  new Map(names.map((name) => [name, { head: undefined, tail: undefined, changes: 0 }]))

/** Parks a call at the tail of its lane. */
export const join = (object: SharedObject, session: Session, parked: Parked): void => {
  const lane = object.lanes.get(parked.lane)!
  Linked.addLast(lane, parked)
  if (!parked.isRead) lane.changes++
  object.waiting++
  session.parked++
  session.calls.set(parked.sequence, parked)
}

/** Takes a parked call out of its lane, wherever it stands. */
export const leave = (object: SharedObject, session: Session, parked: Parked): void => {
  const lane = object.lanes.get(parked.lane)!
  Linked.remove(lane, parked)
  if (!parked.isRead) lane.changes--
  object.waiting--
  session.parked--
  session.calls.delete(parked.sequence)
}

/**
 * Moves a parked call to the tail of another lane of its object, and of its session's calls: when the session ends they
 * are withdrawn in the order in which they came to where they wait.
 */
export const move = (object: SharedObject, session: Session, parked: Parked, lane: string, arrival: number): void => {
  leave(object, session, parked)
  parked.lane = lane
  parked.arrival = arrival
  join(object, session, parked)
}

/** The parked calls of a lane, from the head. */
export function* calls(lane: Lane): Generator<Parked> {
  for (let parked = lane.head; parked !== undefined; parked = parked.next) yield parked
}
