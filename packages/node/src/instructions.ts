/**
 * An owner's instructions to a process that it starts: one line of JSON on the process's standard input. The manager's
 * key travels in it, so it is never in arguments, in the environment or in handles. A process reads its instructions
 * before user code runs, so no process that it starts can take itself for a worker.
 */
import type { Limits, Manager } from "@effect-multiprocessing/core"
import * as Redacted from "effect/Redacted"
import { readSync } from "node:fs"
import { TextDecoder } from "node:util"

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

/** Reads the line that `encode` made. Blocks until the owner has written it, which it does at once. */
export const receive = <I extends ManagerInstructions | WorkerInstructions>(): I => {
  const decoder = new TextDecoder()
  const chunk = new Uint8Array(64 * 1024)
  let line = ""
  while (!line.endsWith("\n")) {
    const size = readSync(0, chunk)
    // The owner has ended.
    if (size === 0) process.exit(1)
    line += decoder.decode(chunk.subarray(0, size), { stream: true })
  }
  // Written by `encode` of the same release: the owner runs the same program.
  const { endpoint, ...rest } = JSON.parse(line)
  return { ...rest, endpoint: { path: endpoint.path, key: Redacted.make(endpoint.key) } }
}

/** The environment variable that tells the preload of a worker that it has instructions. */
const mark = "EFFECT_MULTIPROCESSING"

/** The environment of a worker. */
export const workerEnvironment: Record<string, string> = { [mark]: "worker" }

/** A worker's instructions, and whether `runMain` or `layerWorker` has taken them. */
interface Received {
  readonly instructions: WorkerInstructions
  /** The folder in which the worker was started: relative paths in Node's options are relative to it. */
  readonly startFolder: string
  isTaken: boolean
}

const place = Symbol.for("@effect-multiprocessing/node/instructions")

/** Global, because the preload and the program may have loaded two copies of this file. Only they know the symbol. */
const received = globalThis as { [place]?: Received }

/**
 * In the preload of a worker: reads its instructions, and enters its owner's folder. A process that is no worker has no
 * instructions.
 */
export const receiveInWorker = (): void => {
  if (process.env[mark] === undefined) return
  delete process.env[mark]
  const instructions = receive<WorkerInstructions>()
  received[place] = { instructions, startFolder: process.cwd(), isTaken: false }
  process.chdir(instructions.folder)
}

/** This worker's instructions; absent if this process was not started as a worker. */
export const take = (): WorkerInstructions | undefined => {
  const worker = received[place]
  if (worker !== undefined) worker.isTaken = true
  return worker?.instructions
}

/**
 * The folder in which this program was started. Its workers are started there, too: so what their options name is what
 * this program's options named, whatever folder it is in by now.
 */
export const startFolder: string = received[place]?.startFolder ?? process.cwd()

/** Whether this process was started as a worker and its program does not know it. */
export const isUntaken = (): boolean => received[place]?.isTaken === false
