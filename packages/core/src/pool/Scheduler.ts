/**
 * Who runs what: the decisions of a pool, as plain data and steps. No Effect, no clock of its own, no I/O; what is to
 * happen is told to `Actions`.
 *
 * ```text
 *   Queued ─► Sent ─► Started ─► Ended
 *      ▲        │
 *      └────────┘   taken back, or its worker ended before it had begun
 * ```
 *
 * P1: a job that has not ended is in the queue, or with exactly one worker. P2: the end of a job is told once. P3: a job
 * that has started is never queued again: a worker says that it starts a job before it does. P4: a worker with a
 * cancelled job gets no other one. P5: a worker runs one job at a time, in the order in which they were sent. P6: no
 * worker is killed while it runs a job that is not cancelled.
 */
import * as Linked from "../engine/Linked.ts"
import type { TaskTimes } from "./TaskTimes.ts"

/** Where a job is. */
export type Place = "Queued" | "Sent" | "Started" | "Ended"

/** Payloads of one task for one worker, one after the other. */
export class Job {
  place: Place = "Queued"
  worker: Worker | undefined = undefined
  /** Nobody wants its result any more. */
  cancelled = false
  /** Its end has been told, though a worker may still have it. */
  told = false
  /** How long it may take, as it was thought when it was sent. */
  expectedMicros = 0
  previous: Job | undefined = undefined
  next: Job | undefined = undefined
  readonly task: string
  readonly payloads: number
  readonly bytes: number

  constructor(task: string, payloads: number, bytes: number) {
    this.task = task
    this.payloads = payloads
    this.bytes = bytes
  }
}

/** A process that runs jobs. */
export class Worker {
  readonly jobs = new Jobs()
  /** The sums over its jobs. */
  expectedMicros = 0
  bytes = 0
  cancelled = 0
  /** Asked back, because another worker has nothing to do. */
  asked: Job | undefined = undefined
  /** It is being killed. */
  killed = false
  /** It gets jobs until it has enough, and then none until half of them are done: they travel together. */
  filling = true
  /** When it was last heard of while it had something to do, in milliseconds. */
  heardMs = 0
}

/** Jobs in order. */
class Jobs implements Linked.List<Job> {
  head: Job | undefined = undefined
  tail: Job | undefined = undefined
  size = 0

  addLast(job: Job): void {
    Linked.addLast(this, job)
    this.size++
  }

  addFirst(job: Job): void {
    Linked.addFirst(this, job)
    this.size++
  }

  remove(job: Job): void {
    Linked.remove(this, job)
    this.size--
  }

  /** The first one that is the right one: mostly the head. */
  find(is: (job: Job) => boolean): Job | undefined {
    let job = this.head
    while (job !== undefined && !is(job)) job = job.next
    return job
  }

  /** All of them, the last first. */
  reversed(): ReadonlyArray<Job> {
    const jobs: Array<Job> = []
    for (let job = this.tail; job !== undefined; job = job.previous) jobs.push(job)
    return jobs
  }
}

/** How a job ended that has no result. */
export type EndedWithoutResult = "Cancelled" | "Crashed" | "Stopped"

/** What a scheduler wants done. */
export interface Actions<J extends Job, W extends Worker> {
  readonly run: (worker: W, job: J) => void
  /** Take a job back: only if it has not started, or interrupt it if it has. */
  readonly withdraw: (worker: W, job: J, interrupt: boolean) => void
  /** From now on this cancelled job has the grace to end, then `expired` is to be called. */
  readonly startGrace: (job: J) => void
  readonly kill: (worker: W, job: J) => void
  /** A job has ended; `worker` had started it. */
  readonly end: (job: J, how: EndedWithoutResult, worker: W | undefined) => void
  readonly nowMs: () => number
}

/** What is sent ahead to a worker takes no longer than this, all in all: one that is slow holds up no more. */
const aheadMicros = 20_000

/** Jobs and bytes sent ahead to one worker. */
const aheadJobs = 256
const aheadBytes = 1024 * 1024

/** A worker not heard of for this long has nothing sent ahead: what it runs takes longer than was thought. */
const silentMs = 20

/** The jobs and the workers of a pool. */
export class Scheduler<J extends Job, W extends Worker> {
  readonly workers = new Set<W>()
  readonly #queue = new Jobs()
  readonly #taskTimes: TaskTimes
  readonly #actions: Actions<J, W>
  #stopped = false

  constructor(taskTimes: TaskTimes, actions: Actions<J, W>) {
    this.#taskTimes = taskTimes
    this.#actions = actions
  }

  /** A worker is ready. */
  add(worker: W): void {
    this.workers.add(worker)
    this.#dispatch()
  }

  submit(job: J): void {
    this.#queue.addLast(job)
    // Behind one that no worker takes now it has to wait anyway.
    if (this.#queue.size === 1) this.#dispatch()
  }

  /** The caller has gone. The job ends now if no worker has it, else when its worker says so or ends. */
  cancel(job: J): void {
    if (job.place === "Ended" || job.cancelled) return
    job.cancelled = true
    const worker = job.worker as W | undefined
    if (worker === undefined) {
      this.#queue.remove(job)
      return this.#end(job, "Cancelled")
    }
    worker.cancelled++
    this.#actions.withdraw(worker, job, true)
    this.#actions.startGrace(job)
    // Those behind it need not wait until it has ended (P4).
    if (job.place === "Started") {
      for (let other = worker.jobs.tail; other !== undefined && other !== job; other = other.previous) {
        if (!other.cancelled) this.#actions.withdraw(worker, other as J, false)
      }
    }
  }

  /** A worker is about to run a job. */
  started(worker: W, job: J): void {
    worker.heardMs = this.#actions.nowMs()
    job.place = "Started"
    // It was cancelled too late not to begin: its grace is that of a task that runs.
    if (job.cancelled) this.#actions.startGrace(job)
    this.#answered(worker, job)
  }

  /** A worker has not run a job and will not. */
  returned(worker: W, job: J): void {
    this.#leave(worker, job)
    this.#answered(worker, job)
    if (job.cancelled) this.#end(job, "Cancelled")
    else if (this.#stopped) this.#end(job, "Stopped")
    else this.#queue.addFirst(job)
    this.#dispatch()
  }

  /** A worker has run a job, in so long. Whether its end is to be told: it has a result, or a failure. */
  done(worker: W, job: J, micros: number): boolean {
    worker.heardMs = this.#actions.nowMs()
    this.#leave(worker, job)
    this.#answered(worker, job)
    if (!job.cancelled) this.#taskTimes.measured(job.task, job.payloads, micros)
    job.place = "Ended"
    const { told } = job
    job.told = true
    this.#dispatch()
    return !told
  }

  /**
   * The grace of a cancelled job is over: its worker is killed, unless that runs somebody else's job and has not come to
   * answer. Then the job will not run there, and its caller need not wait for the answer (P6).
   */
  expired(job: J): void {
    const worker = job.worker as W | undefined
    if (worker === undefined || worker.killed) return
    const running = worker.jobs.head!
    if (running.place === "Started" && !running.cancelled) return this.#tell(job, "Cancelled")
    worker.killed = true
    this.#actions.kill(worker, job)
  }

  /** A worker has ended: what it had begun has crashed, the rest goes back to the head of the queue, in order. */
  gone(worker: W): void {
    this.workers.delete(worker)
    for (const job of worker.jobs.reversed() as ReadonlyArray<J>) {
      const { place } = job
      this.#leave(worker, job)
      const had = place === "Started" ? worker : undefined
      if (job.cancelled) this.#end(job, "Cancelled", had)
      else if (this.#stopped) this.#end(job, "Stopped", had)
      else if (had !== undefined) this.#end(job, "Crashed", had)
      else this.#queue.addFirst(job)
    }
    this.#dispatch()
  }

  /** The pool ends: what no worker has ends now, the rest with its worker. */
  stop(): void {
    this.#stopped = true
    for (let job = this.#queue.head; job !== undefined; job = this.#queue.head) {
      this.#queue.remove(job)
      this.#end(job as J, "Stopped")
    }
  }

  // ---------------------------------------------------------------------------------------------------------------

  #end(job: J, how: EndedWithoutResult, worker?: W): void {
    job.place = "Ended"
    this.#tell(job, how, worker)
  }

  #tell(job: J, how: EndedWithoutResult, worker?: W): void {
    if (job.told) return
    job.told = true
    this.#actions.end(job, how, worker)
  }

  /** On its way to the queue or to its end. */
  #leave(worker: W, job: J): void {
    worker.jobs.remove(job)
    worker.expectedMicros -= job.expectedMicros
    worker.bytes -= job.bytes
    if (job.cancelled) worker.cancelled--
    // What was added up from fractions need not come out even.
    if (worker.jobs.size === 0) worker.expectedMicros = 0
    job.worker = undefined
    job.place = "Queued"
  }

  #answered(worker: W, job: J): void {
    if (worker.asked !== job) return
    worker.asked = undefined
    this.#share()
  }

  #dispatch(): void {
    while (this.#queue.head !== undefined) {
      const job = this.#queue.head as J
      const expected = this.#taskTimes.expected(job.task, job.payloads)
      const worker = this.#leastLoaded(job, expected)
      if (worker === undefined) return
      this.#queue.remove(job)
      if (worker.jobs.size === 0) worker.heardMs = this.#actions.nowMs()
      worker.jobs.addLast(job)
      worker.expectedMicros += job.expectedMicros = expected
      worker.bytes += job.bytes
      job.worker = worker
      job.place = "Sent"
      this.#actions.run(worker, job)
    }
    this.#share()
  }

  #leastLoaded(job: J, expected: number): W | undefined {
    let best: W | undefined
    for (const worker of this.workers) {
      if (best !== undefined && best.expectedMicros <= worker.expectedMicros) continue
      if (this.#admits(worker, job, expected)) best = worker
      if (best?.jobs.size === 0) return best
    }
    return best
  }

  #admits(worker: W, job: J, expected: number): boolean {
    if (worker.killed || worker.cancelled > 0) return false
    const { jobs: { size } } = worker
    if (size === 0) return worker.filling = true
    if (size <= aheadJobs / 2 && worker.expectedMicros <= aheadMicros / 2) worker.filling = true
    const fits = size < aheadJobs && worker.expectedMicros + expected <= aheadMicros &&
      worker.bytes + job.bytes <= aheadBytes && this.#actions.nowMs() - worker.heardMs <= silentMs
    return worker.filling &&= fits
  }

  /** Asks a worker with something to spare for its last job, when another one has nothing to do. */
  #share(): void {
    if (this.#queue.head !== undefined) return
    let idle = 0
    let longest: W | undefined
    for (const worker of this.workers) {
      if (worker.jobs.size === 0) idle++
      else if (worker.asked === undefined && worker.jobs.size > Math.max(1, longest?.jobs.size ?? 0)) longest = worker
      else if (worker.asked !== undefined) idle--
    }
    const job = longest?.jobs.tail as J | undefined
    if (idle <= 0 || longest === undefined || job === undefined || job.cancelled) return
    longest.asked = job
    this.#actions.withdraw(longest, job, false)
  }
}
