/**
 * Replies that are remembered until their client has acknowledged them (S-8). A session counts their bytes: its server
 * takes no further request while they are too many.
 */
import * as Memory from "./Memory.ts"
import type { Answered, Session } from "./State.ts"

/** Remembers the reply of a request. */
export const remember = (session: Session, answered: Answered): void => {
  session.answered.set(answered)
  session.answeredBytes += bytesOf(answered)
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
