/**
 * Removing an object that is still used (S-27): its waiters fail, its grants end, its watchers are told.
 */
import * as Grants from "./Grants.ts"
import * as Lane from "./Lane.ts"
import * as References from "./References.ts"
import type { EngineState, SharedObject } from "./State.ts"
import * as Watchers from "./Watchers.ts"

/** Removes an object. Waiting calls fail with `ObjectDeleted`; holds that may stand in a guard are told as revoked. */
export const remove = (state: EngineState, object: SharedObject): void => {
  for (const lane of object.lanes.values()) {
    for (let parked = lane.head; parked !== undefined; parked = lane.head) {
      const { sequence } = parked
      const session = state.sessions.get(parked.session)!
      Lane.leave(object, session, parked)
      References.releaseArguments(state, parked.args)
      const outcome = { _tag: "Failure", error: "ObjectDeleted", details: [] } as const
      state.outputs.push({ _tag: "Reply", session: session.id, sequence, index: state.index, outcome })
    }
  }
  for (const grant of state.grants.values()) {
    if (grant.object !== object.id) continue
    Grants.settle(state, grant)
    if (object.kind.fences === true) state.outputs.push({ _tag: "Revoked", session: grant.session, grant: grant.id })
  }
  Watchers.tell(state, object, "ended", [])
  References.destroy(state, object)
  state.touched.delete(object)
}
