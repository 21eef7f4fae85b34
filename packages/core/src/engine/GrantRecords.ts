/**
 * The records of grants, each bound to one call of one session until it is settled or revoked (S-10, S-11). A call is
 * granted something in `Requests.ts`, when its kind decides that it may go; only the kind knows what it granted.
 */
import * as Deadlines from "./Deadlines.ts"
import type { Grant } from "./Operation.ts"
import * as References from "./References.ts"
import type { EngineState, Session, SharedObject } from "./State.ts"

/** Grants, under the index of the change that is being applied. */
export const add = (
  state: EngineState,
  session: Session,
  object: SharedObject,
  sequence: number,
  byReceipt: boolean,
  expiry: number | undefined
): void => {
  const deadline = expiry === undefined ? undefined : state.now + expiry
  bind(state, session, object, {
    id: state.index,
    session: session.id,
    sequence,
    object: object.id,
    byReceipt,
    grantedAt: state.now,
    deadline
  })
}

/** Binds a grant to its session and its object. */
export const bind = (state: EngineState, session: Session, object: SharedObject, grant: Grant): void => {
  session.grants.set(grant.id, grant)
  object.grants.set(grant.id, grant)
  state.counts.holders++
  if (grant.deadline !== undefined) Deadlines.add(state.deadlines, grant, Deadlines.grantIsBefore)
}

/** Ends a grant without undoing anything. */
export const settle = (state: EngineState, grant: Grant): void => {
  const object = state.objects.get(grant.object)!
  state.sessions.get(grant.session)?.grants.delete(grant.id)
  object.grants.delete(grant.id)
  state.counts.holders--
  if (grant.deadline !== undefined) Deadlines.remove(state.deadlines, grant, Deadlines.grantIsBefore)
  References.released(state, object)
}
