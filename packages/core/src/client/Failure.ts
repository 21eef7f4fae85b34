/**
 * Errors of calls that a program can catch: from the engine's refusals, and from the end of a connection.
 */
import type { Outcome } from "../engine/Inputs.ts"
import {
  Deadlock,
  DeadlockDetected,
  InvalidRequest,
  LimitExceeded,
  ManagerError,
  type ManagerErrorReason,
  type NotExecuted,
  NotPermitted,
  ObjectDeleted,
  ObjectNotFound,
  type OutcomeUnknown,
  ProducerLost,
  TransitionFailed
} from "../ManagerError.ts"
import { describe } from "./Target.ts"

/** The error of a call whose connection has ended. */
export const lost = (
  target: { readonly description: string },
  operation: string,
  Reason: typeof NotExecuted | typeof OutcomeUnknown,
  why: string
): ManagerError => new ManagerError({ reason: new Reason({ object: target.description, operation, why }) })

/** The refusals that any operation of any kind can meet. */
export const failure = (
  target: { readonly description: string },
  operation: string,
  { details, error }: Extract<Outcome, { readonly _tag: "Failure" }>
): ManagerError => {
  const call = { object: target.description, operation }
  return new ManagerError({ reason: reason(call, error, details) })
}

/** The error of a call to an object whose scope has ended says which scope it was. */
export const inScope = (error: ManagerError, scope: string | undefined): ManagerError =>
  scope === undefined || error.reason._tag !== "ObjectNotFound"
    ? error
    : new ManagerError({
      reason: new ObjectNotFound({ object: error.reason.object, operation: error.reason.operation, scope })
    })

const reason = (
  call: { readonly object: string; readonly operation: string },
  error: string,
  details: ReadonlyArray<unknown>
): ManagerErrorReason => {
  switch (error) {
    case "ObjectNotFound":
      return new ObjectNotFound(call)
    case "StaleHandle":
      return new ObjectNotFound({ ...call, object: `the object whose handle stands in the value (#${details[0]})` })
    case "ObjectDeleted":
      return new ObjectDeleted(call)
    case "ProducerLost":
      return new ProducerLost(call)
    case "Deadlock":
      return new Deadlock({ ...call, capacity: Number(details[0]) })
    case "DeadlockDetected":
      return new DeadlockDetected({ ...call, length: Number(details[0]), cycle: links(details.slice(1)) })
    case "TransitionFailed":
      return new TransitionFailed({ ...call, issue: String(details[0]) })
    case "LimitExceeded":
      return new LimitExceeded({ ...call, limit: String(details[0]), max: Number(details[1]) })
    case "NotPermitted":
      return new NotPermitted({
        ...call,
        role: details[0] === "observer" ? "observer" : "client",
        needs: String(details[1])
      })
    default:
      return new InvalidRequest({ ...call, issue: [error, ...details].join(" ") })
  }
}

/** The holds of a cycle, as the engine tells them (`engine/Deadlock.ts`). */
const links = (
  [kind, name, process, pid, session, token, ...more]: ReadonlyArray<unknown>
): DeadlockDetected["cycle"] =>
  kind === undefined ? [] : [
    {
      process: `${process} (pid ${pid}, session ${session})`,
      holds: describe(String(kind), name as string | number),
      token: Number(token)
    },
    ...links(more)
  ]
