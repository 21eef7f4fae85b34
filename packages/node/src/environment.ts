/**
 * What a started process is told by the one that started it. The key travels in the environment of the spawn, never
 * in arguments or handles, and is taken out before any user code runs: its own children do not inherit it.
 */
import type { Limits, Manager } from "@effect-multiprocessing/core"
import * as Redacted from "effect/Redacted"

/** For the manager process. */
export interface ManagerEnvironment {
  readonly endpoint: Manager.Endpoint
  readonly limits: Partial<Limits.Limits> | undefined
  /** File that gets one line of JSON for every index. */
  readonly journal: string | undefined
}

/** For a worker process. */
export interface WorkerEnvironment {
  readonly endpoint: Manager.Endpoint
  readonly name: string
  readonly assignment: string
}

const variable = "EFFECT_MULTIPROCESSING"

/** The environment variable for a process to be started. */
export const encode = (
  environment: ManagerEnvironment | WorkerEnvironment
): Record<string, Redacted.Redacted<string>> => {
  const { key, path } = environment.endpoint
  return { [variable]: Redacted.make(JSON.stringify({ ...environment, endpoint: { path, key: Redacted.value(key) } })) }
}

/** Takes what this process was told out of its environment. */
export const take = <E extends ManagerEnvironment | WorkerEnvironment>(): E | undefined => {
  const text = process.env[variable]
  delete process.env[variable]
  if (text === undefined) return undefined
  // Written by `encode` of the same release: the process that started this one runs the same program.
  const { endpoint, ...rest } = JSON.parse(text)
  return { ...rest, endpoint: { path: endpoint.path, key: Redacted.make(endpoint.key) } }
}
