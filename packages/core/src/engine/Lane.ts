/**
 * Lanes: the one waiting mechanism of all kinds (S-13).
 *
 * A lane is a doubly linked list of parked calls. Joining, leaving from anywhere and looking at the head are O(1),
 * so a dead waiter costs its successors nothing.
 */
import type { Lane, Parked, Session, SharedObject } from "./State.ts"

/** The lanes of a new object, empty. */
export const make = (names: ReadonlyArray<string>): ReadonlyMap<string, Lane> =>
  new Map(names.map((name) => [name, { head: undefined, tail: undefined, changes: 0 }]))

/** Parks a call at the tail of its lane. */
export const join = (object: SharedObject, session: Session, parked: Parked): void => {
  const lane = object.lanes.get(parked.lane)!
  parked.previous = lane.tail
  if (lane.tail === undefined) lane.head = parked
  else lane.tail.next = parked
  lane.tail = parked
  if (!parked.isRead) lane.changes++
  object.waiting++
  session.parked++
  session.calls.set(parked.sequence, parked)
}

/** Takes a parked call out of its lane, wherever it stands. */
export const leave = (object: SharedObject, session: Session, parked: Parked): void => {
  const lane = object.lanes.get(parked.lane)!
  if (parked.previous === undefined) lane.head = parked.next
  else parked.previous.next = parked.next
  if (parked.next === undefined) lane.tail = parked.previous
  else parked.next.previous = parked.previous
  parked.previous = undefined
  parked.next = undefined
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
