/**
 * A pool without processes: a scheduler, workers that are lists of messages in both directions, and a judge of P1 to P6.
 * Whatever is under way may stay so for any time; a worker may be frozen or die at any point.
 */
import { type EndedWithoutResult, Job, Scheduler, Worker } from "#core/pool/Scheduler.ts"
import { TaskTimes } from "#core/pool/TaskTimes.ts"
import type { Random } from "#core/testing/Random.ts"
import { assert } from "vitest"

/** A job and what is known of it outside the scheduler. */
export class TestJob extends Job {
  readonly id: number
  /** How long it takes, in ticks; a long one blocks its worker's thread. */
  readonly ticks: number
  starts = 0
  ends: Array<EndedWithoutResult | "Done"> = []
  graceEnds: number | undefined

  constructor(id: number, task: string, ticks: number) {
    super(task, 1, 10)
    this.id = id
    this.ticks = ticks
  }
}

type ToWorker = { readonly run: TestJob } | { readonly withdraw: TestJob; readonly interrupt: boolean }
type FromWorker = { readonly kind: "Started" | "Returned" | "Done"; readonly job: TestJob }

/** A worker process, as its end of the link behaves. */
export class TestWorker extends Worker {
  readonly inbox: Array<ToWorker> = []
  readonly outbox: Array<FromWorker> = []
  readonly waiting: Array<TestJob> = []
  running: { readonly job: TestJob; left: number; interrupted: boolean } | undefined
  frozen = false
  dead = false

  /** One moment of its life. A running job keeps the thread: messages are read when none runs, or when it lets go. */
  tick(random: Random): void {
    if (this.frozen || this.dead) return
    if (this.running === undefined || this.running.job.task === "yielding") this.#read()
    if (this.running === undefined) {
      const job = this.waiting.shift()
      if (job === undefined) return
      this.outbox.push({ kind: "Started", job })
      assert.strictEqual(++job.starts, 1, `job ${job.id} has started twice`)
      this.running = { job, left: job.ticks, interrupted: false }
    } else if (
      this.running.interrupted && this.running.job.task === "yielding"
        ? random.chance(0.5)
        : --this.running.left <= 0
    ) {
      this.outbox.push({ kind: "Done", job: this.running.job })
      this.running = undefined
    }
  }

  #read(): void {
    for (const message of this.inbox.splice(0)) {
      if ("run" in message) this.waiting.push(message.run)
      else {
        const at = this.waiting.indexOf(message.withdraw)
        if (at >= 0) {
          this.waiting.splice(at, 1)
          this.outbox.push({ kind: "Returned", job: message.withdraw })
        } else if (message.interrupt && this.running?.job === message.withdraw) this.running.interrupted = true
      }
    }
  }
}

/** Ticks that a cancelled job has to end by itself. */
const grace = 30

/** A scheduler with its workers. */
export class SchedulerHarness {
  readonly jobs: Array<TestJob> = []
  readonly workers: Array<TestWorker> = []
  #now = 0
  readonly scheduler = new Scheduler<TestJob, TestWorker>(new TaskTimes(), {
    run: (worker, job) => {
      assert.strictEqual(job.worker, worker)
      // P4, P6
      assert.isFalse(worker.killed, "a worker that is being killed got a job")
      for (const other of worker.inbox) if ("run" in other) assert.isFalse(other.run.cancelled, "P4")
      assert.isFalse(worker.waiting.some((other) => other.cancelled) || (worker.running?.job.cancelled ?? false), "P4")
      worker.inbox.push({ run: job })
    },
    withdraw: (worker, job, interrupt) => worker.inbox.push({ withdraw: job, interrupt }),
    startGrace: (job) => job.graceEnds = this.#now + grace,
    kill: (worker) => {
      if (worker.running !== undefined && worker.outbox.length === 0) {
        assert.isTrue(worker.running.job.cancelled, "P6: a worker was killed that ran a job which is not cancelled")
      }
      worker.dead = true
    },
    end: (job, how, worker) => {
      job.ends.push(how)
      assert.strictEqual(job.ends.length, 1, `P2: job ${job.id} ended as ${job.ends}`)
      if (how === "Cancelled") assert.isTrue(job.cancelled)
      if (how === "Crashed") assert.isTrue(worker!.dead && job.starts === 1, "only what had begun crashes")
    },
    nowMs: () => this.#now
  })

  submit(task: string, ticks: number): TestJob {
    const job = new TestJob(this.jobs.length, task, ticks)
    this.jobs.push(job)
    this.scheduler.submit(job)
    return job
  }

  hire(): TestWorker {
    const worker = new TestWorker()
    this.workers.push(worker)
    this.scheduler.add(worker)
    return worker
  }

  cancel(job: TestJob): void {
    this.scheduler.cancel(job)
  }

  /** Time passes: workers work, some of what they say is heard, graces end, the dead are buried. */
  tick(random: Random): void {
    this.#now++
    for (const worker of this.workers.slice()) {
      worker.tick(random)
      for (let news = random.below(4); news > 0 && worker.outbox.length > 0; news--) {
        this.#hear(worker, worker.outbox.shift()!)
      }
      if (worker.dead && random.chance(0.5)) {
        // What it had said before its end is heard first.
        for (const news of worker.outbox.splice(0)) this.#hear(worker, news)
        this.workers.splice(this.workers.indexOf(worker), 1)
        this.scheduler.gone(worker)
      }
    }
    for (const job of this.jobs) {
      if (job.graceEnds === undefined || this.#now < job.graceEnds) continue
      job.graceEnds = undefined
      const worker = job.worker as TestWorker | undefined
      // What has been said is heard before a worker counts as silent.
      for (const news of worker?.outbox.splice(0) ?? []) this.#hear(worker!, news)
      this.scheduler.expired(job)
    }
    this.#check()
  }

  #hear(worker: TestWorker, { job, kind }: FromWorker): void {
    if (kind === "Started") this.scheduler.started(worker, job)
    else if (kind === "Returned") this.scheduler.returned(worker, job)
    else if (this.scheduler.done(worker, job, job.ticks * 1_000)) {
      job.ends.push("Done")
      assert.strictEqual(job.ends.length, 1, `P2: job ${job.id} ended as ${job.ends}`)
    }
  }

  /** P1, and that sums are those of the jobs. */
  #check(): void {
    for (const worker of this.workers) {
      let [cancelled, bytes, size] = [0, 0, 0]
      for (let job = worker.jobs.head; job !== undefined; job = job.next) {
        assert.strictEqual(job.worker, worker, "P1")
        cancelled += Number(job.cancelled)
        bytes += job.bytes
        size++
      }
      assert.deepStrictEqual([worker.cancelled, worker.bytes, worker.jobs.size], [cancelled, bytes, size])
    }
  }
}
