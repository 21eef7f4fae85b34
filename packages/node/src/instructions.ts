/**
 * An owner's instructions to a process that it starts: one line of JSON on the process's standard input. The manager's
 * key travels in it, so it is never in arguments, in the environment or in handles.
 */
import type { Limits, Manager } from "@effect-multiprocessing/core"
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import { receiveLine, takeLine } from "./inbox.ts"

/** The instructions of a manager process. */
export interface ManagerInstructions {
  readonly endpoint: Manager.SocketEndpoint
  readonly limits: Partial<Limits.Limits> | undefined
  /** The path of a file that gets one line of JSON for every index. */
  readonly journal: string | undefined
}

/** The instructions of a manager process that runs the program of the user, because it has own kinds. */
export interface OwnManagerInstructions extends ManagerInstructions {
  /** The names of the kinds. */
  readonly kinds: ReadonlyArray<string>
  /** The owner's folder. */
  readonly folder: string
}

/** The instructions of a worker process. */
export interface WorkerInstructions {
  readonly endpoint: Manager.Endpoint
  readonly name: string
  readonly assignment: string
  /** The owner's folder. */
  readonly folder: string
}

type Instructions = ManagerInstructions | OwnManagerInstructions | WorkerInstructions

/** Instructions as a line. */
export const encode = (instructions: Instructions): string => {
  const { key, reconnect, ...rest } = instructions.endpoint
  const tls = "tls" in rest && rest.tls !== undefined
    ? { ...rest.tls, key: rest.tls.key && Redacted.value(rest.tls.key) }
    : undefined
  // A schedule is no data.
  const times = reconnect && {
    grace: Duration.toMillis(reconnect.grace),
    maxStall: reconnect.maxStall && Duration.toMillis(reconnect.maxStall)
  }
  const endpoint = { ...rest, key: Redacted.value(key), tls, reconnect: times }
  return `${JSON.stringify({ ...instructions, endpoint })}\n`
}

const decode = <I extends Instructions>(line: string): I => {
  // Written by `encode` of the same release: the owner runs the same program.
  const { endpoint, ...rest } = JSON.parse(line)
  const { key, tls } = endpoint
  const hidden = tls?.key === undefined ? tls : { ...tls, key: Redacted.make(tls.key) }
  return { ...rest, endpoint: { ...endpoint, key: Redacted.make(key), tls: hidden } }
}

/** Receives the instructions of a manager that runs no program of the user. */
export const receiveInManager = (): ManagerInstructions => decode(receiveLine())

/** The instructions of this process; absent if it was not started by another program. */
export const take = (): OwnManagerInstructions | WorkerInstructions | undefined => {
  const line = takeLine()
  return line === undefined ? undefined : decode(line)
}

/** The instructions of this process if it is a worker. */
export const takeWorker = (): WorkerInstructions | undefined => {
  const instructions = take()
  return instructions !== undefined && isWorker(instructions) ? instructions : undefined
}

/** Whether instructions are those of a worker. */
export const isWorker = (
  instructions: OwnManagerInstructions | WorkerInstructions
): instructions is WorkerInstructions => "assignment" in instructions
