/** The state of a pool's scheduler: jobs and workers, as plain data. */
import * as Linked from "../engine/Linked.ts"
import { TaskTimes } from "./TaskTimes.ts"

/** Identifies a job in its pool; never used again. */
export type JobId = number

/** Identifies a worker process in its pool; never used again. */
export type WorkerId = number

/** Payloads of one task, which one worker runs one after the other. */
export interface Job {
  readonly id: JobId
  readonly task: string
  /** Number of payloads. */
  readonly payloads: number
  /** Size of the encoded payloads. */
  readonly bytes: number
  /** The worker that it was sent to. Undefined: it is in the queue. */
  worker: Worker | undefined
  /** The worker reported that it starts the job. */
  started: boolean
  /** The caller no longer wants its result. */
  cancelled: boolean
  /** Its end was reported (P2). A worker may still have it. */
  ended: boolean
  /** When its latest grace began: an earlier one has no effect. */
  graceSinceMs: number
  /** Its run time, as it was expected when the job was sent. */
  expectedMicros: number
  previous: Job | undefined
  next: Job | undefined
}

/** Jobs in order, with their number. */
export interface JobList extends Linked.List<Job> {
  size: number
}

/** A process that runs jobs. */
export interface Worker {
  readonly id: WorkerId
  /** The jobs that were sent to it, in that order. */
  readonly jobs: JobList
  /** Sum of the expected run times of its jobs. */
  expectedMicros: number
  /** Sum of the sizes of its jobs. */
  bytes: number
  /** Number of its jobs that are cancelled. */
  cancelled: number
  /** The job that was asked back for an idle worker. */
  asked: Job | undefined
  /** It is being killed. */
  killed: boolean
  /** It is sent jobs until it is full, then none until half of them are done: so jobs travel together. */
  filling: boolean
  /** When it last started or finished a job, or was sent one while it had none. */
  heardMs: number
}

/** What a scheduler knows. */
export interface SchedulerState {
  /** The time of the latest event. */
  nowMs: number
  /** The pool ends: nothing is sent any more. */
  stopped: boolean
  /** Jobs that wait for a worker, first come first served. */
  readonly queue: JobList
  /** Every job that is in the queue or with a worker. */
  readonly jobs: Map<JobId, Job>
  readonly workers: Map<WorkerId, Worker>
  readonly taskTimes: TaskTimes
}

/** The state of a pool that has no worker and no job yet. */
export const makeState = (): SchedulerState => ({
  nowMs: 0,
  stopped: false,
  queue: makeList(),
  jobs: new Map(),
  workers: new Map(),
  taskTimes: new TaskTimes()
})

/** A job that was just submitted. */
export const makeJob = (id: JobId, task: string, payloads: number, bytes: number): Job => ({
  id,
  task,
  payloads,
  bytes,
  worker: undefined,
  started: false,
  cancelled: false,
  ended: false,
  graceSinceMs: 0,
  expectedMicros: 0,
  previous: undefined,
  next: undefined
})

/** A worker that is ready and idle. */
export const makeWorker = (id: WorkerId): Worker => ({
  id,
  jobs: makeList(),
  expectedMicros: 0,
  bytes: 0,
  cancelled: 0,
  asked: undefined,
  killed: false,
  filling: true,
  heardMs: 0
})

/** Adds a job behind the others. */
export const addLast = (list: JobList, job: Job): void => {
  Linked.addLast(list, job)
  list.size++
}

/** Adds a job before the others. */
export const addFirst = (list: JobList, job: Job): void => {
  Linked.addFirst(list, job)
  list.size++
}

/** Removes a job, wherever it is in the list. */
export const remove = (list: JobList, job: Job): void => {
  Linked.remove(list, job)
  list.size--
}

/** The job that a worker runs: the last one that started. The results of those before it are being fetched. */
export const running = ({ jobs }: Worker): Job | undefined => {
  let last: Job | undefined
  for (let job = jobs.head; job?.started === true; job = job.next) last = job
  return last
}

const makeList = (): JobList => ({ head: undefined, tail: undefined, size: 0 })
