/**
 * Replies that are remembered until their client has acknowledged them (S-8). A session counts their bytes: its server
 * takes no further request while they are too many.
 */
import type { Outcome } from "./Inputs.ts"
import * as Links from "./Links.ts"
import * as Memory from "./Memory.ts"
import type { Reply } from "./Operation.ts"
import type { Answered, EngineState, Session } from "./State.ts"

/**
 * Remembers the reply of a request. A session that cannot be told of its replies, because it has no link, ends with the
 * next time if they have more bytes than may be in flight.
 */
export const remember = (state: EngineState, session: Session, answered: Answered): void => {
  add(session, answered)
  if (session.deadline === undefined || session.answeredBytes <= state.limits.inFlightBytesMax) return
  Links.endAt(state, session, state.now)
}

/** Adds a reply to those that are remembered. */
export const add = (session: Session, answered: Answered): void => {
  session.answered.set(answered)
  session.answeredBytes += bytesOf(answered)
}

/** Replies that a request has failed. If the session has a grace the request may come again, and must fail again. */
export const fail = (state: EngineState, session: Session, sequence: number, error: string, details: Reply): void => {
  const { index } = state
  const outcome: Outcome = { _tag: "Failure", error, details }
  if (session.grace !== undefined) {
    remember(state, session, { sequence, index, outcome, granted: 0, link: session.resumes })
  }
  state.outputs.push({ _tag: "Reply", session: session.id, sequence, index, outcome })
}

/** Forgets the reply of a request and returns it, if it was remembered. */
export const forget = (session: Session, sequence: number): Answered | undefined => {
  const answered = session.answered.get(sequence)
  if (answered === undefined) return undefined
  session.answered.delete(sequence)
  session.answeredBytes -= bytesOf(answered)
  return answered
}

/** The bytes of a remembered reply. */
export const bytesOf = ({ outcome }: Answered): number =>
  Memory.ofReply(outcome._tag === "Success" ? outcome.reply : outcome.details)
