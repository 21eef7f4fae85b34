/**
 * A pool without processes: a scheduler, and workers that are lists of messages in both directions. Any message may be
 * under way for any time; a worker may freeze or die at any point. Every step is checked by `Monitor`, and against what
 * the workers really do.
 */
import { Monitor } from "#core/pool/Invariants.ts"
import { type Command, type Ending, type Event, Scheduler } from "#core/pool/Scheduler.ts"
import { type Job, type JobId, makeJob, type WorkerId } from "#core/pool/SchedulerState.ts"
import type { Random } from "#core/testing/Random.ts"

/** A job as its caller and its worker see it. */
export class TestJob {
  readonly id: JobId
  /** "yielding" lets go of its thread and can be interrupted; other tasks block their thread until they end. */
  readonly task: string
  /** How long it runs. */
  readonly ticks: number
  readonly payloads: number
  /** Its result is in a carrier: it finishes some time after the worker is done with it. */
  readonly isFetched: boolean
  /** The job as the scheduler sees it. */
  readonly scheduled: Job<TestJob>
  /** When it really started: once at most. */
  readonly starts: Array<number> = []
  cancelledAt: number | undefined = undefined
  isDone = false
  end: Ending | undefined = undefined

  constructor(id: JobId, task: string, ticks: number, payloads = 1, isFetched = false) {
    this.id = id
    this.task = task
    this.ticks = ticks
    this.payloads = payloads
    this.isFetched = isFetched
    this.scheduled = makeJob(id, task, payloads, 10 * payloads, this)
  }
}

interface ToWorker {
  readonly job: TestJob
  readonly what: "Run" | "Withdraw" | "Interrupt"
}

interface FromWorker {
  readonly job: TestJob
  readonly what: "Started" | "Returned" | "Done"
}

/** A worker process. */
export class TestWorker {
  readonly id: WorkerId
  readonly inbox: Array<ToWorker> = []
  readonly outbox: Array<FromWorker> = []
  readonly waiting: Array<TestJob> = []
  running: { readonly job: TestJob; left: number; isInterrupted: boolean } | undefined
  isFrozen = false
  /** A signal that kills it is under way. */
  isKilled = false
  isDead = false

  constructor(id: WorkerId) {
    this.id = id
  }

  /** One moment of its life. Messages are read when no job runs, or when the running one lets go of the thread. */
  tick(now: number, random: Random): void {
    this.isDead ||= this.isKilled && random.chance(0.3)
    if (this.isFrozen || this.isDead) return
    if (this.running === undefined || this.running.job.task === "yielding") this.#read(random.below(4))
    if (this.running === undefined) {
      const job = this.waiting.shift()
      if (job === undefined) return
      this.outbox.push({ what: "Started", job })
      job.starts.push(now)
      this.running = { job, left: job.ticks, isInterrupted: false }
      return
    }
    const { isInterrupted, job } = this.running
    const isEnding = isInterrupted && job.task === "yielding" ? random.chance(0.5) : --this.running.left <= 0
    if (!isEnding) return
    this.outbox.push({ what: "Done", job })
    job.isDone = true
    this.running = undefined
  }

  /** Reads the messages that have arrived; the others are still under way. */
  #read(arrived: number): void {
    for (const { job, what } of this.inbox.splice(0, arrived)) {
      const at = this.waiting.indexOf(job)
      if (what === "Run") this.waiting.push(job)
      else if (at >= 0) {
        this.waiting.splice(at, 1)
        this.outbox.push({ what: "Returned", job })
      } else if (what === "Interrupt" && this.running?.job === job) this.running.isInterrupted = true
    }
  }
}

/** One step: the event, and the commands that followed, as text. */
export interface LogEntry {
  readonly nowMs: number
  readonly event: Event<TestJob>
  readonly commands: ReadonlyArray<string>
}

/** An event or a command as text, with the id of its job. */
export const textOf = (message: Event | Command): string =>
  JSON.stringify(message, (key, value) => key === "job" ? value.id : value)

/** How long a grace is, in ticks of a millisecond. */
const graceTicks = 30

/** A scheduler with its callers and its workers. */
export class SchedulerHarness {
  readonly scheduler = new Scheduler<TestJob>()
  readonly jobs: Array<TestJob> = []
  readonly workers: Array<TestWorker> = []
  readonly log: Array<LogEntry> = []
  /** The rules that were broken. */
  readonly violations: Array<string> = []
  now = 0
  readonly #monitor = new Monitor()
  /** Graces, those that were stopped or replaced included: their end may be under way already. */
  readonly #graces: Array<Extract<Command<TestJob>, { readonly _tag: "StartGrace" }>> = []
  readonly #fetching: Array<TestJob> = []
  #lastWorker = 0

  submit(task: string, ticks: number, payloads = 1, isFetched = false): TestJob {
    const job = new TestJob(this.jobs.length, task, ticks, payloads, isFetched)
    this.jobs.push(job)
    this.step({ _tag: "Submitted", job: job.scheduled })
    return job
  }

  addWorker(): TestWorker {
    const worker = new TestWorker(++this.#lastWorker)
    this.workers.push(worker)
    this.step({ _tag: "WorkerReady", worker: worker.id })
    return worker
  }

  cancel(job: TestJob): void {
    job.cancelledAt ??= this.now
    this.step({ _tag: "Cancelled", job: job.scheduled })
  }

  stop(): void {
    this.step({ _tag: "Stopped" })
  }

  /** Where a job is, as the scheduler knows it. */
  placeOf({ scheduled: { ended, started, worker } }: TestJob): "Queued" | "Sent" | "Started" | "Gone" {
    return worker === undefined ? ended ? "Gone" : "Queued" : started ? "Started" : "Sent"
  }

  /** Time passes: workers work, some of their messages arrive, graces end, dead workers are noticed. */
  tick(random: Random): void {
    this.now++
    for (const worker of this.workers.slice()) {
      worker.tick(this.now, random)
      for (let messages = random.below(4); messages > 0 && worker.outbox.length > 0; messages--) {
        this.#receive(worker, worker.outbox.shift()!)
      }
      if (worker.isDead && random.chance(0.5)) {
        this.#receiveAll(worker)
        this.workers.splice(this.workers.indexOf(worker), 1)
        this.step({ _tag: "WorkerEnded", worker: worker.id })
      }
    }
    for (const job of this.#fetching.slice()) if (random.chance(0.2)) this.#fetched(job)
    for (const grace of this.#graces.filter(({ sinceMs }) => this.now - sinceMs >= graceTicks)) {
      this.#graces.splice(this.#graces.indexOf(grace), 1)
      // A worker counts as silent only after its messages were received.
      for (const worker of this.workers) this.#receiveAll(worker)
      this.step({ ...grace, _tag: "GraceExpired" })
    }
  }

  /** Time passes until a condition holds, which must be soon. */
  tickUntil(random: Random, condition: () => boolean): void {
    const end = this.now + 5_000
    while (!condition()) {
      if (this.now === end) throw new Error(`nothing came of it: ${this.violations}`)
      this.tick(random)
    }
  }

  step(event: Event<TestJob>): void {
    const { commands } = this.scheduler
    this.violations.push(...this.#monitor.step(this.scheduler, event, this.now))
    const made = commands.splice(0)
    this.log.push({ nowMs: this.now, event, commands: made.map(textOf) })
    for (const command of made) this.#carryOut(command)
  }

  #carryOut(command: Command<TestJob>): void {
    const job = command.job.call
    switch (command._tag) {
      case "Run":
      case "Withdraw": {
        const what = command._tag === "Run" ? "Run" : command.interrupt ? "Interrupt" : "Withdraw"
        return void this.#worker(command.worker)?.inbox.push({ job, what })
      }
      case "StartGrace":
        return void this.#graces.push(command)
      case "StopGrace":
        return
      case "Kill":
        return this.#kill(this.#worker(command.worker)!)
      case "End":
        return this.#end(job, command.how)
    }
  }

  /** P6, as it is for the job that really runs: its caller has gone, and it had a whole grace as a cancelled job. */
  #kill(worker: TestWorker): void {
    worker.isKilled = true
    if (worker.running === undefined || worker.isFrozen) return
    const { cancelledAt = Infinity, id, starts: [startedAt = Infinity] } = worker.running.job
    const graced = this.now - Math.max(cancelledAt, startedAt)
    if (graced < graceTicks) this.violations.push(`P6: job ${id} was killed after ${graced} ticks of its grace`)
  }

  /** P2: an end is true of what the worker really did. */
  #end(job: TestJob, how: Ending): void {
    job.end = how
    if (how === "Finished" && !job.isDone) this.violations.push(`P2: job ${job.id} finished and was not done`)
    if (how === "Crashed" && job.starts.length === 0) this.violations.push(`P2: job ${job.id} did not start`)
  }

  #worker(id: WorkerId): TestWorker | undefined {
    return this.workers.find((worker) => worker.id === id)
  }

  #receiveAll(worker: TestWorker): void {
    for (const message of worker.outbox.splice(0)) this.#receive(worker, message)
  }

  #receive({ id }: TestWorker, { job, what }: FromWorker): void {
    if (job.starts.length > 1) this.violations.push(`P3: job ${job.id} started twice`)
    const scheduled = this.scheduler.find(id, job.id)
    if (scheduled === undefined) this.violations.push(`P1: worker ${id} has job ${job.id}, which it was not sent`)
    else if (what !== "Done") this.step({ _tag: what, job: scheduled })
    else if (job.isFetched) this.#fetching.push(job)
    else this.#finished(job)
  }

  #fetched(job: TestJob): void {
    this.#fetching.splice(this.#fetching.indexOf(job), 1)
    this.#finished(job)
  }

  #finished({ scheduled: job, ticks }: TestJob): void {
    this.step({ _tag: "Finished", job, micros: ticks * 1_000 })
  }
}
