/**
 * Grants: bound to one call of one session until they are settled or revoked (S-10, S-11). Plain bookkeeping: only the
 * kind knows what it granted.
 */
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
    deadline
  })
}

/** Binds a grant to its session and its object. */
export const bind = (state: EngineState, session: Session, object: SharedObject, grant: Grant): void => {
  state.grants.set(grant.id, grant)
  session.grants.set(grant.id, grant)
  object.grants++
  if (grant.deadline !== undefined) state.deadlines.add(grant.id)
}

/** Ends a grant without undoing anything. */
export const settle = (state: EngineState, grant: Grant): void => {
  state.grants.delete(grant.id)
  state.deadlines.delete(grant.id)
  state.sessions.get(grant.session)?.grants.delete(grant.id)
  const object = state.objects.get(grant.object)!
  object.grants--
  References.released(state, object)
}

/** When the next grant ends by itself. */
export const nextDeadline = (state: EngineState): number | undefined => {
  let next: number | undefined
  for (const id of state.deadlines) {
    const deadline = state.grants.get(id)!.deadline!
    if (next === undefined || deadline < next) next = deadline
  }
  return next
}

/** The grants whose time is over. */
export const due = (state: EngineState): ReadonlyArray<Grant> =>
  [...state.deadlines].map((id) => state.grants.get(id)!).filter((grant) => grant.deadline! <= state.now)
