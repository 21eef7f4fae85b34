/**
 * Sessions without a link: each goes on until its grace is over, or until its client has a new link (S-6).
 */
import * as Deadlines from "./Deadlines.ts"
import type { EngineState, Session } from "./State.ts"
import * as Watchers from "./Watchers.ts"

/** The link of a session with a grace is lost. Nothing is told to it any more, so its subscriptions end. */
export const lose = (state: EngineState, session: Session, milliseconds: number): void => {
  unwatch(state, session)
  if (session.deadline === undefined) endAt(state, session, state.now + milliseconds)
}

/** A session has a new link. The client subscribes again: changes that were told over the old link may be lost. */
export const renew = (state: EngineState, session: Session): void => {
  unwatch(state, session)
  forget(state, session)
  session.isCongested = false
  session.resumes++
}

/** Sets the time at which a session ends that has no link. */
export const endAt = (state: EngineState, session: Session, deadline: number): void => {
  forget(state, session)
  session.deadline = deadline
  Deadlines.add(state.unlinked, session, Deadlines.sessionIsBefore)
}

/** A session has a link, or has ended. */
export const forget = (state: EngineState, session: Session): void => {
  if (session.deadline !== undefined) Deadlines.remove(state.unlinked, session, Deadlines.sessionIsBefore)
  session.deadline = undefined
}

const unwatch = (state: EngineState, session: Session): void => {
  for (const sequence of session.watches.keys()) Watchers.unwatch(state, session, sequence)
}
