/** Why a command failed, as its exit code and one line for standard error. */
import { ManagerError, Untyped } from "@effect-multiprocessing/core"
import * as Data from "effect/Data"

/** Exit codes. 0 is success, and an end by a signal has 128 and the number of the signal, as in a shell. */
export const exitCodes = {
  /** The command failed: the manager refused it, or the connection ended. */
  failed: 1,
  /** The command line is wrong. Nothing was done. */
  usage: 2,
  /** There is no object, entry or item of this name. */
  notFound: 3,
  /** No manager was reached: it does not run, or it refused the key. */
  unreachable: 4,
  /** The key does not permit the command. Nothing was changed. */
  notPermitted: 5
} as const

/** A failed command. */
export class Failure extends Data.TaggedError("Failure")<{ readonly code: number; readonly message: string }> {}

/** A failure of a command line that cannot be carried out. */
export const wrongUsage = (message: string): Failure => new Failure({ code: exitCodes.usage, message })

/** The failure of a command by an error of the library, or by any other. */
export const failureOf = (error: unknown): Failure => {
  if (error instanceof Failure) return error
  const message = (error instanceof Error ? error.message : String(error)).replaceAll(/\s*\n\s*/g, " ")
  return new Failure({ message, code: codeOf(error) })
}

const codeOf = (error: unknown): number => {
  if (error instanceof Untyped.NoSuchObject) return exitCodes.notFound
  if (!(error instanceof ManagerError.ManagerError)) return exitCodes.failed
  switch (error.reason._tag) {
    case "ConnectFailed":
    case "HandshakeRefused":
      return exitCodes.unreachable
    case "NotPermitted":
      return exitCodes.notPermitted
    case "ObjectNotFound":
      return exitCodes.notFound
    default:
      return exitCodes.failed
  }
}
