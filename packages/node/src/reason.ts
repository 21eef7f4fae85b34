/** The system's reason for a failure, as text for people. */
import { getSystemErrorMap } from "node:util"

/** The message of an error's last cause, with the system's description of its code. */
export const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  if (error.cause !== undefined) return reasonOf(error.cause)
  const { errno, message } = error as NodeJS.ErrnoException
  const description = errno === undefined ? "" : getSystemErrorMap().get(errno)?.[1] ?? ""
  // The messages of `spawn` have the code only, others have both.
  return message.includes(description) ? message : `${message}: ${description}`
}
