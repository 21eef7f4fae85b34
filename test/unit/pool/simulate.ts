/** Random lives of a pool: one seed is one life. */
import { Scheduler } from "#core/pool/Scheduler.ts"
import { Random } from "#core/testing/Random.ts"
import { type LogEntry, SchedulerHarness, TestJob, textOf } from "./SchedulerHarness.ts"

/** Puts a known bug into a scheduler. */
export type Mutate = (scheduler: Scheduler<TestJob>) => void

/** How long a caller of a pool with frozen workers waits before it cancels, in ticks. */
const patienceTicks = 500

/** How long a pool may take to end every job, in ticks. */
const calmTicks = 2_000

/**
 * Jobs are submitted and cancelled; workers freeze, thaw, die and are replaced; a pool may be stopped. Then no more jobs
 * come, and every job must end. Stops at the first violation.
 */
export const simulate = (seed: number, mutate: Mutate = () => {}): SchedulerHarness => {
  const random = new Random(seed)
  const harness = new SchedulerHarness()
  mutate(harness.scheduler)
  const size = 1 + random.below(4)
  for (let i = 0; i < size; i++) harness.addWorker()
  const stopsAt = random.chance(0.2) ? random.below(250) : Infinity
  for (let tick = 0; tick < 250 && tick < stopsAt && harness.violations.length === 0; tick++) {
    live(harness, random, size)
  }
  if (stopsAt < Infinity) stop(harness, random)
  else calm(harness, random, size)
  return harness
}

/** One tick in which anything may happen. */
const live = (harness: SchedulerHarness, random: Random, size: number): void => {
  for (let jobs = random.chance(0.3) ? random.below(4) : 0; jobs > 0; jobs--) {
    const task = random.pick(["short", "long", "yielding"])
    const ticks = random.chance(0.9) ? 1 : 1 + random.below(60)
    const payloads = random.chance(0.9) ? 1 : 1 + random.below(100_000)
    harness.submit(task, ticks, payloads, random.chance(0.2))
  }
  const { jobs, workers } = harness
  // Mostly one that has not ended.
  if (jobs.length > 0 && random.chance(0.2)) {
    harness.cancel(jobs[jobs.length - 1 - random.below(Math.min(8, jobs.length))]!)
  }
  if (workers.length > 0) {
    const worker = random.pick(workers)
    if (random.chance(0.02)) worker.isFrozen = !worker.isFrozen
    if (random.chance(0.02)) worker.isDead = true
  }
  replace(harness, size, () => random.chance(0.3))
  harness.tick(random)
}

/** No more jobs come. Workers thaw, or they stay frozen and every caller loses its patience. */
const calm = (harness: SchedulerHarness, random: Random, size: number): void => {
  const thaws = random.chance(0.5)
  for (const worker of harness.workers) worker.isFrozen &&= !thaws
  for (let tick = 0; tick < calmTicks && harness.violations.length === 0 && !isOver(harness); tick++) {
    if (tick === patienceTicks && !thaws) { for (const job of harness.jobs) harness.cancel(job) }
    replace(harness, size, () => true)
    harness.tick(random)
  }
  judge(harness)
}

/** The pool stops: its workers end by themselves, or are killed. */
const stop = (harness: SchedulerHarness, random: Random): void => {
  harness.stop()
  while (harness.workers.length > 0 && harness.violations.length === 0) {
    for (const worker of harness.workers) worker.isDead ||= random.chance(0.1)
    harness.tick(random)
  }
  judge(harness)
}

const replace = (harness: SchedulerHarness, size: number, isReady: () => boolean): void => {
  while (harness.workers.length < size && isReady()) harness.addWorker()
}

const isOver = ({ jobs }: SchedulerHarness): boolean =>
  jobs.every(({ end, scheduled: { worker } }) => end !== undefined && worker === undefined)

/** Conservation: every job has ended, and the scheduler has none left. */
const judge = (harness: SchedulerHarness): void => {
  if (harness.violations.length > 0 || isOver(harness)) return
  const open = harness.jobs.filter((job) => job.end === undefined || harness.placeOf(job) !== "Gone")
  harness.violations.push(`P2: ${open.map((job) => `job ${job.id} is ${harness.placeOf(job)}`).join(", ")} at the end`)
}

/** The log of a new scheduler that is told the same events. */
export const replay = ({ jobs, log }: SchedulerHarness): ReadonlyArray<LogEntry> => {
  const scheduler = new Scheduler<TestJob>()
  const copies = jobs.map(({ id, payloads, task, ticks }) => new TestJob(id, task, ticks, payloads).scheduled)
  return log.map(({ event, nowMs }) => {
    scheduler.step("job" in event ? { ...event, job: copies[event.job.id]! } : event, nowMs)
    return { nowMs, event, commands: scheduler.commands.splice(0).map(textOf) }
  })
}

/** The violations of a seed, how to replay it, and the steps that led to them. */
export const explain = (seed: number, { log, violations }: SchedulerHarness): string =>
  [
    `seed ${seed} breaks ${violations.join("; ")}`,
    `replay it: SCHEDULER_SEED=${seed} npm test -- test/unit/pool/scheduler.test.ts`,
    ...log.slice(-40).map(({ commands, event, nowMs }) => `${nowMs}: ${textOf(event)} ─► ${commands.join(" ")}`)
  ].join("\n")
