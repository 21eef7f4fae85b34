/**
 * Removing an object that is still used (S-27): its waiters fail, its grants end, its watchers are told.
 */
import * as GrantRecords from "./GrantRecords.ts"
import * as References from "./References.ts"
import * as Replies from "./Replies.ts"
import type { EngineState, Parked, SharedObject } from "./State.ts"
import * as Waiting from "./Waiting.ts"
import * as Watchers from "./Watchers.ts"

/** Removes an object. Waiting calls fail with `ObjectDeleted`; the holders are told of their grants. */
export const remove = (state: EngineState, object: SharedObject): void => {
  for (const lane of object.lanes.values()) {
    for (let place = lane.head; place !== undefined; place = lane.head) fail(state, object, place.parked)
  }
  // Those whose call to it has no place: another call of the same request waits.
  if (object.waiting > 0) {
    for (const parked of state.joint) {
      if (parked.calls.some((call) => call.object === object.id)) fail(state, object, parked)
    }
  }
  for (const grant of object.grants.values()) {
    GrantRecords.settle(state, grant)
    state.outputs.push({ _tag: "Revoked", session: grant.session, grant: grant.id })
  }
  Watchers.tellGone(state, object)
  References.destroy(state, object)
}

const fail = (state: EngineState, object: SharedObject, parked: Parked): void => {
  const { calls, sequence } = parked
  const session = state.sessions.get(parked.session)!
  Waiting.unpark(state, session, parked)
  const details = calls.length === 1 ? [] : [calls.findIndex((call) => call.object === object.id)]
  Replies.fail(state, session, sequence, "ObjectDeleted", details)
}
