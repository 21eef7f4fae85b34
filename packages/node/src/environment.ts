/**
 * The environment variable that carries an owner's instructions to the process it starts. The manager's key travels in
 * it, never in arguments or handles. The started process removes the variable before user code runs, so its own
 * children do not inherit the key.
 */
import type { Limits, Manager } from "@effect-multiprocessing/core"
import * as Redacted from "effect/Redacted"

/** The instructions of a manager process. */
export interface ManagerEnvironment {
  readonly endpoint: Manager.Endpoint
  readonly limits: Partial<Limits.Limits> | undefined
  /** The path of a file that gets one line of JSON for every index. */
  readonly journal: string | undefined
}

/** The instructions of a worker process. */
export interface WorkerEnvironment {
  readonly endpoint: Manager.Endpoint
  readonly name: string
  readonly assignment: string
}

const variable = "EFFECT_MULTIPROCESSING"

/** Instructions as an environment variable. */
export const encode = (
  environment: ManagerEnvironment | WorkerEnvironment
): Record<string, Redacted.Redacted<string>> => {
  const { key, path } = environment.endpoint
  return { [variable]: Redacted.make(JSON.stringify({ ...environment, endpoint: { path, key: Redacted.value(key) } })) }
}

/** Reads this process's instructions and removes them from its environment; absent if it was not started with any. */
export const take = <E extends ManagerEnvironment | WorkerEnvironment>(): E | undefined => {
  const text = process.env[variable]
  delete process.env[variable]
  if (text === undefined) return undefined
  // Written by `encode` of the same release: the owner runs the same program.
  const { endpoint, ...rest } = JSON.parse(text)
  return { ...rest, endpoint: { path: endpoint.path, key: Redacted.make(endpoint.key) } }
}
