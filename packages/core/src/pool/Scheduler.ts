/**
 * Decides which worker runs which job: plain data and pure steps, without Effect, a clock or I/O.
 *
 * `step(event, nowMs)` changes the state and appends commands, which the host carries out in their order. The same
 * events at the same times give the same commands.
 *
 * ```text
 *   Submitted ─► in the queue ── Run ─► sent ── Started ─► started ── Finished ─► End
 *                     ▲                   │
 *                     └───────────────────┘  Returned, or its worker ended before it started
 * ```
 *
 * ## Invariants, checked after every step in the tests (`Invariants.ts`)
 *
 * - **P1 One place.** A job is in the queue or with exactly one worker, until it has ended and no worker has it.
 * - **P2 One end.** A submitted job ends exactly once.
 * - **P3 One start.** A job that started is never sent again: a worker reports a start before the job runs.
 * - **P4 Quarantine.** A worker that has a cancelled job, or is being killed, is sent no job.
 * - **P5 Sequence.** A worker starts its jobs in the order in which they were sent.
 * - **P6 Kill.** A worker is killed only when the grace of a cancelled job ends while the worker runs that job, or
 *   after it reported nothing in the whole grace. A cancelled job of a worker that lives is in its grace.
 * - **P7 Order.** The queue is first in, first out. Jobs that come back unstarted go to its head, in their order.
 * - **P8 Work.** No worker is idle while a job is in the queue, or waits behind another job and was not asked back.
 */
import {
  addFirst,
  addLast,
  type Job,
  type JobId,
  makeState,
  makeWorker,
  remove,
  running,
  type SchedulerState,
  type Worker,
  type WorkerId
} from "./SchedulerState.ts"

/** An event of a pool. A report about a job that no worker has any more has no effect. */
export type Event<Call = unknown> =
  | { readonly _tag: "WorkerReady"; readonly worker: WorkerId }
  /** A process ended. Everything that it reported came before. */
  | { readonly _tag: "WorkerEnded"; readonly worker: WorkerId }
  /** A new call. None comes after `Stopped`. */
  | { readonly _tag: "Submitted"; readonly job: Job<Call> }
  /** The caller no longer wants the result. */
  | { readonly _tag: "Cancelled"; readonly job: Job<Call> }
  /** The worker is about to run the job. */
  | { readonly _tag: "Started"; readonly job: Job<Call> }
  /** The worker did not run the job, and will not. */
  | { readonly _tag: "Returned"; readonly job: Job<Call> }
  /** The worker ran the job to its end: the result is there. */
  | { readonly _tag: "Finished"; readonly job: Job<Call>; readonly micros: number }
  /** The time of a `StartGrace` is over. */
  | { readonly _tag: "GraceExpired"; readonly job: Job<Call>; readonly sinceMs: number }
  /** The pool ends. Jobs that a worker has end with it. */
  | { readonly _tag: "Stopped" }

/** How a job ended. Only a finished one has a result. */
export type Ending = "Finished" | "Cancelled" | "Crashed" | "Stopped"

/** A command to the host. */
export type Command<Call = unknown> =
  | { readonly _tag: "Run"; readonly worker: WorkerId; readonly job: Job<Call> }
  /** The worker is to return a job that has not started. One that runs is interrupted if `interrupt` is true. */
  | { readonly _tag: "Withdraw"; readonly worker: WorkerId; readonly job: Job<Call>; readonly interrupt: boolean }
  /** `GraceExpired` is due when the grace has passed, and replaces an earlier one of this job. */
  | { readonly _tag: "StartGrace"; readonly job: Job<Call>; readonly sinceMs: number }
  | { readonly _tag: "StopGrace"; readonly job: Job<Call> }
  /** The job, which is cancelled, did not end in its grace. */
  | { readonly _tag: "Kill"; readonly worker: WorkerId; readonly job: Job<Call> }
  | { readonly _tag: "End"; readonly job: Job<Call>; readonly how: Ending }

/** The most that is sent ahead to one worker: a job that takes unexpectedly long delays no more than this. */
const aheadMicros = 20_000
const aheadJobs = 256
const aheadBytes = 1024 * 1024

/** A busy worker that was not heard of for this long is sent nothing: its job takes longer than expected. */
const silentMs = 20

/** The jobs and the workers of a pool. `Call` is what the host keeps with a job. */
export class Scheduler<Call = unknown> {
  readonly state: SchedulerState<Call> = makeState()
  /** The commands that are not carried out yet, in order. The host removes them. */
  readonly commands: Array<Command<Call>> = []

  /** The job of a worker that has this id: mostly the worker's first one. */
  find(worker: WorkerId, id: JobId): Job<Call> | undefined {
    let job = this.state.workers.get(worker)?.jobs.head
    while (job !== undefined && job.id !== id) job = job.next
    return job
  }

  /** Applies one event. Time never goes back. */
  step(event: Event<Call>, nowMs: number): void {
    this.state.nowMs = nowMs
    switch (event._tag) {
      case "WorkerReady":
        this.state.workers.set(event.worker, makeWorker(event.worker))
        return this.#dispatch()
      case "WorkerEnded":
        return this.#workerEnded(event.worker)
      case "Submitted":
        return this.#submit(event.job)
      case "Cancelled":
        return this.#cancel(event.job)
      case "Stopped":
        return this.#stop()
    }
    const { job } = event
    const { worker } = job
    if (worker === undefined) return
    switch (event._tag) {
      case "Started":
        return this.#started(worker, job)
      case "Returned":
        return this.#returned(worker, job)
      case "Finished":
        return this.#finished(worker, job, event.micros)
      case "GraceExpired":
        return this.#graceExpired(worker, job, event.sinceMs)
    }
  }

  // ---------------------------------------------------------------------------------------------------------------
  // callers
  // ---------------------------------------------------------------------------------------------------------------

  #submit(job: Job<Call>): void {
    const { queue } = this.state
    addLast(queue, job)
    // Behind a job that no worker takes now it has to wait anyway.
    if (queue.size === 1) this.#dispatch()
  }

  /** The job ends now if no worker has it, else when its worker reports it or ends, or its grace does. */
  #cancel(job: Job<Call>): void {
    if (job.cancelled || job.ended) return
    const { worker } = job
    job.cancelled = true
    if (worker === undefined) {
      remove(this.state.queue, job)
      return this.#end(job, "Cancelled")
    }
    worker.cancelled++
    this.#withdraw(worker, job, true)
    this.#startGrace(job)
    if (!job.started) return
    // The jobs behind it need not wait for its end: another worker can run them.
    for (let other = worker.jobs.tail; other !== undefined && other !== job; other = other.previous) {
      if (!other.cancelled) this.#withdraw(worker, other, false)
    }
  }

  /** Jobs in the queue end now, the others with their workers. */
  #stop(): void {
    const { queue } = this.state
    this.state.stopped = true
    for (let job = queue.head; job !== undefined; job = queue.head) {
      remove(queue, job)
      this.#end(job, "Stopped")
    }
  }

  // ---------------------------------------------------------------------------------------------------------------
  // workers
  // ---------------------------------------------------------------------------------------------------------------

  #started(worker: Worker<Call>, job: Job<Call>): void {
    worker.heardMs = this.state.nowMs
    job.started = true
    // The cancellation came too late to withdraw it: as a task that runs it has the whole grace for its finalizers.
    if (job.cancelled) this.#startGrace(job)
    this.#clearAsked(worker, job)
  }

  #returned(worker: Worker<Call>, job: Job<Call>): void {
    this.#release(worker, job)
    // Before this job is dispatched: the next one comes back while the idle worker runs this one.
    this.#clearAsked(worker, job)
    this.#requeue(job)
    this.#dispatch()
  }

  #finished(worker: Worker<Call>, job: Job<Call>, micros: number): void {
    worker.heardMs = this.state.nowMs
    this.#release(worker, job)
    this.#clearAsked(worker, job)
    if (!job.cancelled) this.state.taskTimes.record(job.task, job.payloads, micros)
    this.#end(job, job.cancelled ? "Cancelled" : "Finished")
    this.#dispatch()
  }

  /** A job that it started has crashed. The others go back to the head of the queue, in their order (P7). */
  #workerEnded(id: WorkerId): void {
    const worker = this.state.workers.get(id)
    if (worker === undefined) return
    this.state.workers.delete(id)
    for (let job = worker.jobs.tail; job !== undefined; job = worker.jobs.tail) {
      this.#release(worker, job)
      this.#requeue(job)
    }
    this.#dispatch()
  }

  /**
   * Kills the worker if it runs the job, or if it neither started nor finished anything in the whole grace. Else the
   * job is behind another one, which must not be harmed (P6): the caller goes, and the job is given another grace.
   */
  #graceExpired(worker: Worker<Call>, job: Job<Call>, sinceMs: number): void {
    if (worker.killed || job.graceSinceMs !== sinceMs) return
    const current = running(worker)
    if (current === job || current === undefined && worker.heardMs <= job.graceSinceMs) {
      worker.killed = true
      this.commands.push({ _tag: "Kill", worker: worker.id, job })
      // A job that it was asked for comes back with its end: another worker can be asked before.
      this.#share()
    } else {
      this.#end(job, "Cancelled")
      this.#startGrace(job)
    }
  }

  // ---------------------------------------------------------------------------------------------------------------
  // moves
  // ---------------------------------------------------------------------------------------------------------------

  #withdraw(worker: Worker<Call>, job: Job<Call>, interrupt: boolean): void {
    this.commands.push({ _tag: "Withdraw", worker: worker.id, job, interrupt })
  }

  #startGrace(job: Job<Call>): void {
    job.graceSinceMs = this.state.nowMs
    this.commands.push({ _tag: "StartGrace", job, sinceMs: job.graceSinceMs })
  }

  /** The worker no longer has the job. */
  #release(worker: Worker<Call>, job: Job<Call>): void {
    remove(worker.jobs, job)
    worker.expectedMicros -= job.expectedMicros
    worker.bytes -= job.bytes
    // A sum of fractions may miss zero.
    if (worker.jobs.size === 0) worker.expectedMicros = 0
    job.worker = undefined
    if (!job.cancelled) return
    worker.cancelled--
    this.commands.push({ _tag: "StopGrace", job })
  }

  /** A job that a worker did not finish goes back to the queue, unless it may have run or nobody waits for it (P3). */
  #requeue(job: Job<Call>): void {
    if (job.cancelled) this.#end(job, "Cancelled")
    else if (this.state.stopped) this.#end(job, "Stopped")
    else if (job.started) this.#end(job, "Crashed")
    else addFirst(this.state.queue, job)
  }

  /** Reports the end of a job, once (P2). */
  #end(job: Job<Call>, how: Ending): void {
    if (job.ended) return
    job.ended = true
    this.commands.push({ _tag: "End", job, how })
  }

  /** The job that a worker was asked for has come back, or has started: another one can be asked for. */
  #clearAsked(worker: Worker<Call>, job: Job<Call>): void {
    if (worker.asked !== job) return
    worker.asked = undefined
    this.#share()
  }

  // ---------------------------------------------------------------------------------------------------------------
  // decisions
  // ---------------------------------------------------------------------------------------------------------------

  /** Sends jobs from the head of the queue until no worker takes the next one. */
  #dispatch(): void {
    const { nowMs, queue, taskTimes } = this.state
    for (let job = queue.head; job !== undefined; job = queue.head) {
      const expectedMicros = taskTimes.expectedMicros(job.task, job.payloads)
      const worker = this.#leastLoaded(job, expectedMicros)
      if (worker === undefined) return
      remove(queue, job)
      if (worker.jobs.size === 0) worker.heardMs = nowMs
      addLast(worker.jobs, job)
      worker.expectedMicros += expectedMicros
      worker.bytes += job.bytes
      job.expectedMicros = expectedMicros
      job.worker = worker
      this.commands.push({ _tag: "Run", worker: worker.id, job })
    }
    this.#share()
  }

  #leastLoaded(job: Job<Call>, expectedMicros: number): Worker<Call> | undefined {
    let best: Worker<Call> | undefined
    for (const worker of this.state.workers.values()) {
      if (best !== undefined && best.expectedMicros <= worker.expectedMicros) continue
      if (this.#takes(worker, job, expectedMicros)) best = worker
      if (best?.jobs.size === 0) return best
    }
    return best
  }

  /** Whether a worker is to be sent a job now. Notes whether the worker is full. */
  #takes(worker: Worker<Call>, job: Job<Call>, expectedMicros: number): boolean {
    if (worker.killed || worker.cancelled > 0) return false
    const { jobs: { size } } = worker
    if (size === 0) return worker.filling = true
    if (size <= aheadJobs / 2 && worker.expectedMicros <= aheadMicros / 2) worker.filling = true
    const fits = size < aheadJobs && worker.expectedMicros + expectedMicros <= aheadMicros &&
      worker.bytes + job.bytes <= aheadBytes && this.state.nowMs - worker.heardMs <= silentMs
    return worker.filling &&= fits
  }

  /** Asks the worker that has the most jobs for its last one, while another worker is idle (P8). */
  #share(): void {
    if (this.state.queue.head !== undefined) return
    let idle = 0
    let most: Worker<Call> | undefined
    for (const worker of this.state.workers.values()) {
      if (worker.killed) continue
      if (worker.jobs.size === 0) idle++
      else if (worker.asked !== undefined) idle--
      else if (worker.jobs.size > (most?.jobs.size ?? 1) && worker.jobs.tail?.cancelled === false) most = worker
    }
    if (idle <= 0 || most?.jobs.tail === undefined) return
    most.asked = most.jobs.tail
    this.#withdraw(most, most.asked, false)
  }
}
