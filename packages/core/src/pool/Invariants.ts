/**
 * The invariants of the scheduler (P1 to P8 in `Scheduler.ts`), checked from outside, after every step in the tests. A
 * check reads the whole state: never in production.
 */
import type { Command, Ending, Event, Scheduler } from "./Scheduler.ts"
import { type Job, type JobId, type JobList, running, type SchedulerState, type WorkerId } from "./SchedulerState.ts"

/** The invariants that a state breaks: sentences that begin with the number. Empty: it breaks none. */
export const violations = (state: SchedulerState): ReadonlyArray<string> => [...places(state), ...idle(state)]

/** P1 and P5: each job is in one list, its worker has the right sums, and started jobs come first. */
const places = (state: SchedulerState): ReadonlyArray<string> => {
  const broken: Array<string> = []
  const placed = new Set<JobId>()
  const place = (job: Job, isRight: boolean) => {
    if (!isRight || placed.has(job.id)) broken.push(`P1: job ${job.id} is misplaced`)
    placed.add(job.id)
  }
  for (const job of jobsOf(state.queue)) place(job, job.worker === undefined && !job.started && !job.ended)
  for (const worker of state.workers.values()) {
    const jobs = jobsOf(worker.jobs)
    for (const job of jobs) place(job, job.worker === worker)
    const firstWaiting = jobs.findIndex(({ started }) => !started)
    if (firstWaiting >= 0 && jobs.slice(firstWaiting).some(({ started }) => started)) {
      broken.push(`P5: worker ${worker.id} started a job before an earlier one`)
    }
    const sum = (of: (job: Job) => number) => jobs.reduce((total, job) => total + of(job), 0)
    const isRight = worker.jobs.size === jobs.length && worker.bytes === sum(({ bytes }) => bytes) &&
      worker.cancelled === sum(({ cancelled }) => Number(cancelled)) &&
      // Sums of fractions differ by what rounding lost; an unmeasured task counts 10^12.
      Math.abs(worker.expectedMicros - sum(({ expectedMicros }) => expectedMicros)) < 1 &&
      (worker.asked === undefined || worker.asked.worker === worker)
    if (!isRight) broken.push(`P1: worker ${worker.id} has wrong sums`)
  }
  return broken
}

/** P8 */
const idle = ({ queue, workers }: SchedulerState): ReadonlyArray<string> => {
  const living = [...workers.values()].filter(({ killed }) => !killed)
  const idle = living.filter(({ jobs }) => jobs.size === 0)
  const asked = living.filter(({ asked }) => asked !== undefined)
  const lenders = living.filter(({ asked, jobs }) =>
    asked === undefined && jobs.size > 1 && jobs.tail?.cancelled === false
  )
  if (idle.length > 0 && queue.size > 0) return [`P8: worker ${idle[0]!.id} is idle while the queue has jobs`]
  return idle.length > asked.length && lenders.length > 0
    ? [`P8: worker ${idle[0]!.id} is idle while jobs of worker ${lenders[0]!.id} wait`]
    : []
}

/** Checks a run of steps for what a single state does not show: ends, starts, kills and order. */
export class Monitor {
  /** Submitted, and not ended. */
  readonly #open = new Set<JobId>()
  readonly #started = new Set<JobId>()
  readonly #cancelled = new Set<JobId>()
  /** When the graces that were neither stopped nor over began. */
  readonly #graces = new Map<JobId, number>()
  /** When each worker last started or finished a job. */
  readonly #heard = new Map<WorkerId, number>()

  /** Makes a step and returns the rules that it breaks. */
  step<Call>(scheduler: Scheduler<Call>, event: Event<Call>, nowMs: number): ReadonlyArray<string> {
    const { commands, state } = scheduler
    const line = jobsInLine(state, event)
    const mayKill = this.#mayKill(event)
    const isNewCancel = event._tag === "Cancelled" && !this.#cancelled.has(event.job.id)
    this.#note(event, nowMs)
    const before = commands.length
    scheduler.step(event, nowMs)
    const made = commands.slice(before)
    const broken = made.flatMap((command) => this.#check(state, event, command, mayKill, isNewCancel))
    broken.push(...violations(state))
    const next = [...made.flatMap((command) => command._tag === "Run" ? [command.job.id] : []), ...idsOf(state.queue)]
    const expected = line.filter((job) => this.#open.has(job) && !this.#cancelled.has(job))
    if (next.join() !== expected.join()) broken.push(`P7: jobs ${expected} are in line, not ${next}`)
    broken.push(...this.#lost(state))
    return broken
  }

  #note(event: Event, nowMs: number): void {
    if (!("job" in event)) return
    const { job: { id, worker } } = event
    if (event._tag === "Submitted") this.#open.add(id)
    if (event._tag === "Started") this.#started.add(id)
    if (event._tag === "Cancelled") this.#cancelled.add(id)
    if (worker !== undefined && (event._tag === "Started" || event._tag === "Finished")) {
      this.#heard.set(worker.id, nowMs)
    }
    if (event._tag === "GraceExpired" && this.#graces.get(id) === event.sinceMs) this.#graces.delete(id)
  }

  /** P6: the worker that an event may kill. */
  #mayKill(event: Event): WorkerId | undefined {
    if (event._tag !== "GraceExpired" || this.#graces.get(event.job.id) !== event.sinceMs) return undefined
    const { job, sinceMs } = event
    const { worker } = job
    if (worker === undefined || worker.killed) return undefined
    const current = running(worker)
    const wasSilent = current === undefined && (this.#heard.get(worker.id) ?? 0) <= sinceMs
    return current === job || wasSilent ? worker.id : undefined
  }

  #check(
    state: SchedulerState,
    event: Event,
    command: Command,
    mayKill: WorkerId | undefined,
    isNewCancel: boolean
  ): ReadonlyArray<string> {
    const { id } = command.job
    switch (command._tag) {
      case "Run": {
        const worker = state.workers.get(command.worker)
        const isTaken = worker?.killed === false && jobsOf(worker.jobs).every(({ cancelled }) => !cancelled)
        return [
          ...this.#started.has(id) ? [`P3: job ${id} is sent again`] : [],
          ...isTaken ? [] : [`P4: job ${id} is sent to worker ${command.worker}`]
        ]
      }
      case "Kill":
        return command.worker === mayKill ? [] : [`P6: worker ${command.worker} is killed`]
      case "StartGrace": {
        this.#graces.set(id, command.sinceMs)
        const isDue = isNewCancel || event._tag === "Started" || event._tag === "GraceExpired"
        return isDue && this.#cancelled.has(id) ? [] : [`P6: job ${id} has a grace too many`]
      }
      case "StopGrace":
        this.#graces.delete(id)
        return []
      case "End":
        return this.#open.delete(id) && this.#isEnd(state, event, id, command.how)
          ? []
          : [`P2: job ${id} ends as ${command.how}`]
      case "Withdraw":
        return []
    }
  }

  #isEnd({ stopped }: SchedulerState, event: Event, id: JobId, how: Ending): boolean {
    if (this.#cancelled.has(id) !== (how === "Cancelled")) return false
    switch (how) {
      case "Finished":
        return event._tag === "Finished" && event.job.id === id
      case "Crashed":
        return event._tag === "WorkerEnded" && this.#started.has(id)
      case "Stopped":
        return stopped
      case "Cancelled":
        return true
    }
  }

  /** P2: no job is lost. P6: a cancelled job is in its grace as long as a worker that lives has it, and no longer. */
  #lost({ queue, workers }: SchedulerState): ReadonlyArray<string> {
    const broken: Array<string> = []
    const placed = new Set(idsOf(queue))
    for (const { jobs, killed } of workers.values()) {
      for (const { cancelled, id } of jobsOf(jobs)) {
        placed.add(id)
        if (cancelled && !killed && !this.#graces.has(id)) broken.push(`P6: job ${id} has no grace`)
      }
    }
    for (const id of this.#open) if (!placed.has(id)) broken.push(`P2: job ${id} is lost`)
    for (const id of this.#graces.keys()) if (!placed.has(id)) broken.push(`P6: the grace of job ${id} goes on`)
    return broken
  }
}

/** P7: the jobs that the queue should have after an event, in order, if none of them is sent or ends. */
const jobsInLine = ({ queue, workers }: SchedulerState, event: Event): ReadonlyArray<JobId> => {
  const ended = event._tag === "WorkerEnded" ? workers.get(event.worker) : undefined
  const back = ended === undefined ? [] : jobsOf(ended.jobs).filter(({ started }) => !started).map(({ id }) => id)
  if (event._tag === "Returned" && event.job.worker !== undefined) back.push(event.job.id)
  return [...back, ...idsOf(queue), ...event._tag === "Submitted" ? [event.job.id] : []]
}

const idsOf = (list: JobList): ReadonlyArray<JobId> => jobsOf(list).map(({ id }) => id)

const jobsOf = (list: JobList): ReadonlyArray<Job> => {
  const jobs: Array<Job> = []
  for (let job = list.head; job !== undefined; job = job.next) jobs.push(job)
  return jobs
}
