/** Known bugs of a scheduler, each put between its host and its steps. The simulation must find every one. */
import type { Command, Event, Scheduler } from "#core/pool/Scheduler.ts"
import { addFirst, addLast, type Job, remove, type Worker } from "#core/pool/SchedulerState.ts"
import type { TestJob } from "./SchedulerHarness.ts"
import type { Mutate } from "./simulate.ts"

type Step = Scheduler<TestJob>["step"]

/** Sees each event before the scheduler does. `step` hands it on. */
const inStep = (change: (scheduler: Scheduler<TestJob>, step: Step) => Step): Mutate => (scheduler) => {
  scheduler.step = change(scheduler, scheduler.step.bind(scheduler))
}

/** Loses commands. */
const without = (isLost: (command: Command, event: Event) => boolean) =>
  inStep(({ commands }, step) => (event, nowMs) => {
    step(event, nowMs)
    commands.push(...commands.splice(0).filter((command) => !isLost(command, event)))
  })

const jobsOf = (worker: Worker<TestJob> | undefined): ReadonlyArray<Job<TestJob>> => {
  const jobs: Array<Job<TestJob>> = []
  for (let job = worker?.jobs.head; job !== undefined; job = job.next) jobs.push(job)
  return jobs
}

/** Every known bug by its name. */
export const mutants: Readonly<Record<string, { readonly bug: string; readonly mutate: Mutate }>> = {
  "returned-in-reverse": {
    bug: "the unstarted jobs of a dead worker come back in reverse (P7)",
    mutate: inStep(({ state: { workers } }, step) => (event, nowMs) => {
      const worker = event._tag === "WorkerEnded" ? workers.get(event.worker) : undefined
      for (const job of jobsOf(worker).filter(({ started }) => !started).reverse()) {
        remove(worker!.jobs, job)
        addLast(worker!.jobs, job)
      }
      step(event, nowMs)
    })
  },
  "last-in-first-out": {
    bug: "a new job goes to the head of the queue (P7)",
    mutate: inStep(({ state: { queue } }, step) => (event, nowMs) => {
      step(event, nowMs)
      if (event._tag !== "Submitted" || queue.tail !== event.job) return
      remove(queue, event.job)
      addFirst(queue, event.job)
    })
  },
  "started-queued-again": {
    bug: "the job that a dead worker had started is run again (P3)",
    mutate: inStep(({ state: { workers } }, step) => (event, nowMs) => {
      const worker = event._tag === "WorkerEnded" ? workers.get(event.worker) : undefined
      for (const job of jobsOf(worker)) job.started = false
      step(event, nowMs)
    })
  },
  "old-grace-kills": {
    bug: "a grace that was replaced by a later one kills the worker (P6)",
    mutate: inStep((_, step) => (event, nowMs) =>
      step(event._tag === "GraceExpired" ? { ...event, sinceMs: event.job.graceSinceMs } : event, nowMs)
    )
  },
  "late-start-has-no-grace-of-its-own": {
    bug: "a cancelled job that starts all the same has only the rest of its grace (P6)",
    mutate: inStep(({ commands }, step) => (event, nowMs) => {
      const since = event._tag === "Started" ? event.job.graceSinceMs : 0
      step(event, nowMs)
      if (event._tag !== "Started" || commands.at(-1)?._tag !== "StartGrace") return
      commands.pop()
      event.job.graceSinceMs = since
    })
  },
  "grace-restarts-at-each-cancel": {
    bug: "a job that is cancelled again has a grace again, so that its worker is never killed (P6)",
    mutate: inStep(({ commands }, step) => (event, nowMs) => {
      step(event, nowMs)
      if (event._tag !== "Cancelled" || event.job.worker === undefined || commands.length > 0) return
      event.job.graceSinceMs = nowMs
      commands.push({ _tag: "StartGrace", job: event.job, sinceMs: nowMs })
    })
  },
  "grace-of-a-neighbour-kills": {
    bug: "the grace of a job that waits kills the worker, which runs another job (P6)",
    mutate: inStep((_, step) => (event, nowMs) => {
      const { job = undefined } = event._tag === "GraceExpired" ? event : {}
      const neighbours = jobsOf(job?.worker).filter((other) => other !== job && other.started)
      for (const neighbour of neighbours) neighbour.started = false
      if (job?.worker !== undefined && neighbours.length > 0) job.worker.heardMs = 0
      step(event, nowMs)
      for (const neighbour of neighbours) neighbour.started = true
    })
  },
  "told-and-forgotten": {
    bug: "a job whose caller has gone has no further grace: a worker that freezes behind it is never killed (P6)",
    mutate: without(({ _tag }, event) => _tag === "StartGrace" && event._tag === "GraceExpired")
  },
  "grace-goes-on": {
    bug: "the grace of a job goes on after its end (P6)",
    mutate: without(({ _tag }, event) => _tag === "StopGrace" && event._tag === "Finished")
  },
  "job-beside-a-cancelled-one": {
    bug: "a worker that has a cancelled job is sent another one (P4)",
    mutate: inStep(({ state: { workers } }, step) => (event, nowMs) => {
      const counts = [...workers.values()].map((worker) => [worker, worker.cancelled] as const)
      if (event._tag === "Submitted") { for (const [worker] of counts) worker.cancelled = 0 }
      step(event, nowMs)
      if (event._tag === "Submitted") { for (const [worker, cancelled] of counts) worker.cancelled = cancelled }
    })
  },
  "job-for-a-killed-worker": {
    bug: "a worker that is being killed is sent a job (P4)",
    mutate: inStep(({ state: { workers } }, step) => (event, nowMs) => {
      const killed = event._tag === "Submitted" ? [...workers.values()].filter(({ killed }) => killed) : []
      for (const worker of killed) worker.killed = false
      step(event, nowMs)
      for (const worker of killed) worker.killed = true
    })
  },
  "end-told-twice": {
    bug: "a job whose caller has gone ends once more when its worker returns it (P2)",
    mutate: inStep((_, step) => (event, nowMs) => {
      if (event._tag === "Returned") event.job.ended = false
      step(event, nowMs)
    })
  },
  "cancelled-has-a-result": {
    bug: "a cancelled job that finished all the same ends as finished (P2)",
    mutate: inStep(({ commands }, step) => (event, nowMs) => {
      step(event, nowMs)
      for (const [at, command] of commands.entries()) {
        if (event._tag === "Finished" && command._tag === "End") commands[at] = { ...command, how: "Finished" }
      }
    })
  },
  "stop-leaves-the-queue": {
    bug: "the jobs in the queue do not end with the pool (P2)",
    mutate: without(({ _tag }, event) => _tag === "End" && event._tag === "Stopped")
  },
  "idle-never-shares": {
    bug: "an idle worker does not ask for jobs that wait behind another (P8)",
    mutate: inStep(({ commands, state: { workers } }, step) => (event, nowMs) => {
      step(event, nowMs)
      for (const worker of workers.values()) {
        const at = commands.findIndex((command) => command._tag === "Withdraw" && command.job === worker.asked)
        if (at < 0 || event._tag === "Cancelled") continue
        commands.splice(at, 1)
        worker.asked = undefined
      }
    })
  },
  "death-wakes-nobody": {
    bug: "jobs that come back from a dead worker wait for the next event (P8)",
    mutate: inStep(({ state: { workers } }, step) => (event, nowMs) => {
      const others = event._tag === "WorkerEnded" ? [...workers.values()].filter(({ killed }) => !killed) : []
      for (const worker of others) worker.killed = true
      step(event, nowMs)
      for (const worker of others) worker.killed = false
    })
  }
}
