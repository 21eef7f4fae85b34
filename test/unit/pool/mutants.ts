/** Known bugs of a scheduler, each put between its host and its steps. The simulation must find every one. */
import type { Event, Scheduler } from "#core/pool/Scheduler.ts"
import { addFirst, addLast, type Job, remove, type Worker } from "#core/pool/SchedulerState.ts"
import type { Mutate } from "./simulate.ts"

type Step = Scheduler["step"]

/** Sees each event before the scheduler does. `step` hands it on. */
const inStep = (change: (scheduler: Scheduler, step: Step) => Step): Mutate => (scheduler) => {
  scheduler.step = change(scheduler, scheduler.step.bind(scheduler))
}

/** Changes the state before the step of one kind of event. */
const before = <T extends Event["_tag"]>(
  tag: T,
  change: (event: Extract<Event, { readonly _tag: T }>, scheduler: Scheduler) => void
): Mutate =>
  inStep((scheduler, step) => (event, nowMs) => {
    if (isA(tag, event)) change(event, scheduler)
    step(event, nowMs)
  })

/** Removes commands that a step has just added. */
const without = (isLost: (command: Scheduler["commands"][number], event: Event, scheduler: Scheduler) => boolean) =>
  inStep((scheduler, step) => (event, nowMs) => {
    const from = scheduler.commands.length
    step(event, nowMs)
    const kept = scheduler.commands.splice(from).filter((command) => !isLost(command, event, scheduler))
    scheduler.commands.push(...kept)
  })

const isA = <T extends Event["_tag"]>(tag: T, event: Event): event is Extract<Event, { readonly _tag: T }> =>
  event._tag === tag

const jobsOf = (worker: Worker | undefined): ReadonlyArray<Job> => {
  const jobs: Array<Job> = []
  for (let job = worker?.jobs.head; job !== undefined; job = job.next) jobs.push(job)
  return jobs
}

/** Every known bug by its name. */
export const mutants: Readonly<Record<string, { readonly bug: string; readonly mutate: Mutate }>> = {
  "returned-in-reverse": {
    bug: "the unstarted jobs of a dead worker come back in reverse (P7)",
    mutate: before("WorkerEnded", ({ worker: id }, { state: { workers } }) => {
      const worker = workers.get(id)
      for (const job of jobsOf(worker).filter(({ started }) => !started).reverse()) {
        remove(worker!.jobs, job)
        addLast(worker!.jobs, job)
      }
    })
  },
  "last-in-first-out": {
    bug: "a new job goes to the head of the queue (P7)",
    mutate: inStep(({ state: { queue } }, step) => (event, nowMs) => {
      step(event, nowMs)
      const { tail } = queue
      if (event._tag !== "Submitted" || tail === undefined || tail.id !== event.job) return
      remove(queue, tail)
      addFirst(queue, tail)
    })
  },
  "started-queued-again": {
    bug: "the job that a dead worker had started is run again (P3)",
    mutate: before("WorkerEnded", ({ worker }, { state: { workers } }) => {
      for (const job of jobsOf(workers.get(worker))) job.started = false
    })
  },
  "old-grace-kills": {
    bug: "a grace that was replaced by a later one kills the worker (P6)",
    mutate: inStep(({ state: { jobs } }, step) => (event, nowMs) =>
      step(
        event._tag === "GraceExpired" ? { ...event, sinceMs: jobs.get(event.job)?.graceSinceMs ?? NaN } : event,
        nowMs
      )
    )
  },
  "late-start-has-no-grace-of-its-own": {
    bug: "a cancelled job that starts all the same has only the rest of its grace (P6)",
    mutate: inStep((scheduler, step) => (event, nowMs) => {
      const job = event._tag === "Started" ? scheduler.state.jobs.get(event.job) : undefined
      const since = job?.graceSinceMs
      step(event, nowMs)
      if (job?.cancelled !== true || since === undefined || scheduler.commands.at(-1)?._tag !== "StartGrace") return
      scheduler.commands.pop()
      job.graceSinceMs = since
    })
  },
  "grace-restarts-at-each-cancel": {
    bug: "a job that is cancelled again has a grace again, so that its worker is never killed (P6)",
    mutate: inStep((scheduler, step) => (event, nowMs) => {
      step(event, nowMs)
      const job = event._tag === "Cancelled" ? scheduler.state.jobs.get(event.job) : undefined
      if (job === undefined || scheduler.commands.length > 0) return
      job.graceSinceMs = nowMs
      scheduler.commands.push({ _tag: "StartGrace", job: job.id, sinceMs: nowMs })
    })
  },
  "grace-of-a-neighbour-kills": {
    bug: "the grace of a job that waits kills the worker, which runs another job (P6)",
    mutate: inStep(({ state: { jobs } }, step) => (event, nowMs) => {
      const job = event._tag === "GraceExpired" ? jobs.get(event.job) : undefined
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
      const cancelled = [...workers.values()].map((worker) => [worker, worker.cancelled] as const)
      if (event._tag === "Submitted") { for (const [worker] of cancelled) worker.cancelled = 0 }
      step(event, nowMs)
      if (event._tag === "Submitted") { for (const [worker, count] of cancelled) worker.cancelled = count }
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
    mutate: before("Returned", ({ job: id }, { state: { jobs } }) => {
      const job = jobs.get(id)
      if (job !== undefined) job.ended = false
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
        const at = commands.findIndex((command) => command._tag === "Withdraw" && command.job === worker.asked?.id)
        if (worker.asked === undefined || at < 0 || event._tag === "Cancelled") continue
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
