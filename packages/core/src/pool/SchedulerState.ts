/** The state of a pool's scheduler: jobs and workers, as plain data. */
import * as Linked from "../engine/Linked.ts"
import { TaskTimes } from "./TaskTimes.ts"

/** Identifies a job in its pool; never used again. */
export type JobId = number

/** Identifies a worker process in its pool; never used again. */
export type WorkerId = number

/** Payloads of one task, which one worker runs one after the other. */
export interface Job<out Call = unknown> {
  readonly id: JobId
  readonly task: string
  /** Number of payloads. */
  readonly payloads: number
  /** Size of the encoded payloads. */
  readonly bytes: number
  /** What the host keeps with the job. The scheduler does not read it. */
  readonly call: Call
  /** The worker that it was sent to. Undefined: it is in the queue, or it has ended. */
  worker: Worker<Call> | undefined
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
  previous: Job<Call> | undefined
  next: Job<Call> | undefined
}

/** Jobs in order, with their number. */
export interface JobList<out Call = unknown> extends Linked.List<Job<Call>> {
  size: number
}

/** A process that runs jobs. */
export interface Worker<out Call = unknown> {
  readonly id: WorkerId
  /** The jobs that were sent to it, in that order. */
  readonly jobs: JobList<Call>
  /** Sum of the expected run times of its jobs. */
  expectedMicros: number
  /** Sum of the sizes of its jobs. */
  bytes: number
  /** Number of its jobs that are cancelled. */
  cancelled: number
  /** The job that was asked back for an idle worker. */
  asked: Job<Call> | undefined
  /** It is being killed. */
  killed: boolean
  /** It is sent jobs until it is full, then none until half of them are done: so jobs travel together. */
  filling: boolean
  /** When it last started or finished a job, or was sent one while it had none. */
  heardMs: number
}

/** What a scheduler knows. */
export interface SchedulerState<out Call = unknown> {
  /** The time of the latest event. */
  nowMs: number
  /** The pool ends: nothing is sent any more. */
  stopped: boolean
  /** Jobs that wait for a worker, first come first served. */
  readonly queue: JobList<Call>
  readonly workers: Map<WorkerId, Worker<Call>>
  readonly taskTimes: TaskTimes
}

/** The state of a pool that has no worker and no job yet. */
export const makeState = <Call>(): SchedulerState<Call> => ({
  nowMs: 0,
  stopped: false,
  queue: makeList(),
  workers: new Map(),
  taskTimes: new TaskTimes()
})

/** A job that is to be submitted. */
export const makeJob = <Call>(id: JobId, task: string, payloads: number, bytes: number, call: Call): Job<Call> => ({
  id,
  task,
  payloads,
  bytes,
  call,
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
export const makeWorker = <Call>(id: WorkerId): Worker<Call> => ({
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
export const addLast = <Call>(list: JobList<Call>, job: Job<Call>): void => {
  Linked.addLast(list, job)
  list.size++
}

/** Adds a job before the others. */
export const addFirst = <Call>(list: JobList<Call>, job: Job<Call>): void => {
  Linked.addFirst(list, job)
  list.size++
}

/** Removes a job, wherever it is in the list. */
export const remove = <Call>(list: JobList<Call>, job: Job<Call>): void => {
  Linked.remove(list, job)
  list.size--
}

/** The job that a worker runs: the last one that started. The results of those before it are being fetched. */
export const running = <Call>({ jobs }: Worker<Call>): Job<Call> | undefined => {
  let last: Job<Call> | undefined
  for (let job = jobs.head; job?.started === true; job = job.next) last = job
  return last
}

const makeList = <Call>(): JobList<Call> => ({ head: undefined, tail: undefined, size: 0 })
