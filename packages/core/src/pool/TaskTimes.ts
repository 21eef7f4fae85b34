/**
 * How long tasks take, as measured by the workers that ran them: what is sent ahead and how large a chunk is follow
 * from it. Plain numbers, all in microseconds.
 */

/** Weight of the latest measurement. */
const weight = 0.2

/** One measurement counts as no more than so many times what was known: the worker may have had to wait for its processor. */
const surpriseMax = 8

/** What a task that was never measured may take: for ever. */
const unknown = 1e12

/** How long a chunk should take: long against the way to the worker and back, short enough to share the rest fairly. */
const chunkMicros = 4_000

/** Chunks per worker that are still to come when one is cut: the last ones are small. */
const chunksLeft = 4

/** Chunks have no more payloads than this. */
const chunkMax = 16_384

/** Mean times for one payload, by task; recent ones count most. */
export class TaskTimes {
  readonly #tasks = new Map<string, number>()

  /** A task has run on so many payloads. */
  measured(task: string, payloads: number, micros: number): void {
    const each = Math.max(micros / payloads, 0.01)
    const mean = this.#tasks.get(task)
    this.#tasks.set(task, mean === undefined ? each : mean + (Math.min(each, mean * surpriseMax) - mean) * weight)
  }

  /** How long a task may take on so many payloads. */
  expected(task: string, payloads: number): number {
    return (this.#tasks.get(task) ?? unknown) * payloads
  }

  /** How many payloads make a good chunk, when so many are left for so many workers. */
  chunk(task: string, left: number, workers: number): number {
    const mean = this.#tasks.get(task)
    if (mean === undefined) return 1
    const share = Math.ceil(left / (workers * chunksLeft))
    return Math.max(1, Math.min(share, chunkMax, Math.floor(chunkMicros / mean)))
  }
}
