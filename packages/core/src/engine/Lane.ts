/**
 * Lanes: the one waiting mechanism of all kinds (S-13).
 *
 * A lane is a doubly linked list of places (`Linked.ts`), in the order in which their requests arrived: a dead waiter
 * costs its successors nothing. A request of several calls may stand in several lanes; because all lanes are in the
 * order of arrival, two such requests never wait for one another.
 */
import * as Conditions from "./Conditions.ts"
import * as Linked from "./Linked.ts"
import type { Lane, Parked, Place, SharedObject } from "./State.ts"

/** The lanes of a new object, empty. */
export const make = (names: ReadonlyArray<string>): ReadonlyMap<string, Lane> =>
  new Map(names.map((name) => [name, { head: undefined, tail: undefined, changes: 0 }]))

/** Puts a place into its lane, behind all whose requests arrived before. */
export const enter = (object: SharedObject, place: Place): void => {
  const lane = object.lanes.get(place.lane)!
  let before = lane.tail
  while (before !== undefined && before.parked.arrival > place.parked.arrival) before = before.previous
  Linked.addAfter(lane, before, place)
  if (!place.isRead) lane.changes++
  if (place.condition !== undefined) Conditions.add(object, place, place.condition)
}

/** Takes a place out of its lane, wherever it stands. */
export const leave = (object: SharedObject, place: Place): void => {
  const lane = object.lanes.get(place.lane)!
  Linked.remove(lane, place)
  if (!place.isRead) lane.changes--
  if (place.condition !== undefined) Conditions.remove(object, place, place.condition)
}

/** Whether a change that arrived before a request stands in a lane. A request that is not parked arrives now. */
export const isBehind = (object: SharedObject, name: string, parked: Parked | undefined): boolean => {
  const lane = object.lanes.get(name)!
  if (lane.changes === 0) return false
  if (parked === undefined) return true
  let first = lane.head!
  while (first.isRead) first = first.next!
  return first.parked.arrival < parked.arrival
}

/** The places of a lane, from the head. */
export function* places(lane: Lane): Generator<Place> {
  for (let place = lane.head; place !== undefined; place = place.next) yield place
}
