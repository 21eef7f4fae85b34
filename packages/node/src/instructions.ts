/**
 * An owner's instructions to a process that it starts: one line of JSON on the process's standard input. The manager's
 * key travels in it, so it is never in arguments, in the environment or in handles.
 */
import type { Limits, Manager } from "@effect-multiprocessing/core"
import * as Redacted from "effect/Redacted"
import { receiveLine, takeLine } from "./inbox.ts"

/** The instructions of a manager process. */
export interface ManagerInstructions {
  readonly endpoint: Manager.Endpoint
  readonly limits: Partial<Limits.Limits> | undefined
  /** The path of a file that gets one line of JSON for every index. */
  readonly journal: string | undefined
}

/** The instructions of a worker process. */
export interface WorkerInstructions {
  readonly endpoint: Manager.Endpoint
  readonly name: string
  readonly assignment: string
  /** The owner's folder. */
  readonly folder: string
}

/** Instructions as a line. */
export const encode = (instructions: ManagerInstructions | WorkerInstructions): string => {
  const { key, path } = instructions.endpoint
  return `${JSON.stringify({ ...instructions, endpoint: { path, key: Redacted.value(key) } })}\n`
}

const decode = <I extends ManagerInstructions | WorkerInstructions>(line: string): I => {
  // Written by `encode` of the same release: the owner runs the same program.
  const { endpoint, ...rest } = JSON.parse(line)
  return { ...rest, endpoint: { path: endpoint.path, key: Redacted.make(endpoint.key) } }
}

/** Receives the instructions of a manager. */
export const receiveInManager = (): ManagerInstructions => decode(receiveLine())

/** This worker's instructions; absent if this process was not started as a worker. */
export const take = (): WorkerInstructions | undefined => {
  const line = takeLine()
  return line === undefined ? undefined : decode(line)
}
