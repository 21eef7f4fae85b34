/**
 * The run times of tasks, as workers measured them. They decide how many jobs are sent ahead to a worker, and the length
 * of a chunk. Plain numbers, in microseconds.
 */

/** Weight of the latest measurement in the mean. */
const weight = 0.2

/** A measurement counts as at most this multiple of the mean: the worker may have waited for its processor. */
const surpriseMax = 8

/** Expected run time of a task that was never measured: nothing is sent ahead with it. */
const unknownMicros = 1e12

/** Run time of a good chunk: long against the way to the worker and back, short enough to share the rest evenly. */
const chunkMicros = 4_000

/** Chunks per worker that the remaining payloads are cut into, at least: the last chunks are short. */
const chunksLeft = 4

/** Payloads of one chunk. */
const chunkMax = 16_384

/** Mean run times for one payload, by task. Recent measurements count most. */
export class TaskTimes {
  readonly #means = new Map<string, number>()

  /** A task ran on `payloads` payloads in `micros` microseconds. */
  record(task: string, payloads: number, micros: number): void {
    const each = Math.max(micros / payloads, 0.01)
    const mean = this.#means.get(task)
    this.#means.set(task, mean === undefined ? each : mean + (Math.min(each, mean * surpriseMax) - mean) * weight)
  }

  /** The expected run time of a task on `payloads` payloads. */
  expectedMicros(task: string, payloads: number): number {
    return (this.#means.get(task) ?? unknownMicros) * payloads
  }

  /** The length of the next chunk, when `left` payloads remain for `workers` workers. */
  chunkLength(task: string, left: number, workers: number): number {
    const mean = this.#means.get(task)
    if (mean === undefined) return 1
    const share = Math.ceil(left / (workers * chunksLeft))
    return Math.max(1, Math.min(share, chunkMax, Math.floor(chunkMicros / mean)))
  }
}
