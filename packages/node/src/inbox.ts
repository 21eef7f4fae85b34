/**
 * The line of instructions that an owner writes to a process that it starts, as this process receives it. A worker reads
 * it when it loads this file, before user code runs, so no process that the worker starts can take itself for a worker.
 * On Node the preload loads this file first; in a bundle and on Deno, which have no preload, the program's first import of
 * the package does. Nothing else is loaded here: the program of a worker may have a copy of every module of its own.
 */
import { readSync } from "node:fs"
import { TextDecoder } from "node:util"
import { isMainThread } from "node:worker_threads"

/** Reads the line from standard input. Blocks until the owner has written it, which it does at once. */
export const receiveLine = (): string => {
  const decoder = new TextDecoder()
  const chunk = new Uint8Array(64 * 1024)
  let line = ""
  while (!line.endsWith("\n")) {
    const size = readSync(0, chunk)
    // The owner has ended.
    if (size === 0) process.exit(1)
    line += decoder.decode(chunk.subarray(0, size), { stream: true })
  }
  return line
}

/** The environment variable that tells a worker that it has instructions. */
const mark = "EFFECT_MULTIPROCESSING"

/** The environment variable by which the watchdog finds a child that has no instructions yet. */
export const childVariable = "EFFECT_MULTIPROCESSING_CHILD"

/** The environment of a worker. */
export const workerEnvironment: Record<string, string> = { [mark]: "worker" }

/** A worker's line, and whether `runMain` or `layerWorker` has taken it. */
interface Received {
  readonly line: string
  /** The folder in which the worker was started: relative paths in Node's options are relative to it. */
  readonly startFolder: string
  isTaken: boolean
}

const place = Symbol.for("@effect-multiprocessing/node/instructions")

/** Global, because the preload and the program may have loaded two copies of this file. Only they know the symbol. */
const received = globalThis as { [place]?: Received }

// Receives a worker's line, and enters its owner's folder. A process that is no worker has no line.
if (isMainThread && process.env[mark] !== undefined) {
  delete process.env[mark]
  delete process.env[childVariable]
  const line = receiveLine()
  received[place] = { line, startFolder: process.cwd(), isTaken: false }
  process.chdir(JSON.parse(line).folder)
}

/** This worker's line; absent if this process was not started as a worker. */
export const takeLine = (): string | undefined => {
  const worker = received[place]
  if (worker !== undefined) worker.isTaken = true
  return worker?.line
}

/**
 * The folder in which this program was started. Its workers are started there, too: so what their options name is what
 * this program's options named, whatever folder it is in by now.
 */
export const startFolder: string = received[place]?.startFolder ?? process.cwd()

/** Whether this process was started as a worker and its program does not know it. */
export const isUntaken = (): boolean => received[place]?.isTaken === false
