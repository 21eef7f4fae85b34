/**
 * The scheduler and the clock of a process in memory, over those of the program that it runs in. They can hold the
 * process, and end it: a fiber asks its scheduler before every operation whether to yield, and a task that is not run
 * never continues.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import type { Executor } from "./MemoryProcess.ts"

/** The scheduler of a process in memory. */
export class ProcessScheduler implements Scheduler.Scheduler, Scheduler.SchedulerDispatcher, Executor {
  readonly executionMode: "sync" | "async"
  readonly clock: Clock.Clock
  isKilled = false
  readonly #host: Scheduler.Scheduler
  readonly #dispatcher: Scheduler.SchedulerDispatcher
  readonly #sleepers = new Set<Fiber.Fiber<void>>()
  #isFrozen = false
  #held: Array<() => void> = []

  /** `host` is the context of the program that it runs in. */
  constructor(host: Context.Context<never>) {
    this.#host = Context.get(host, Scheduler.Scheduler)
    this.#dispatcher = this.#host.makeDispatcher()
    this.executionMode = this.#host.executionMode
    const clock = Context.get(host, Clock.Clock)
    const run = Effect.runForkWith(host)
    this.clock = Object.assign(Object.create(clock) as Clock.Clock, {
      sleep: (duration: Duration.Duration) => this.#sleep(() => run(clock.sleep(duration)))
    })
  }

  /** Waits for a fiber of the program, which ends with the process. */
  #sleep(start: () => Fiber.Fiber<void>): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const sleeper = start()
      this.#sleepers.add(sleeper)
      sleeper.addObserver(() => {
        this.#sleepers.delete(sleeper)
        resume(Effect.void)
      })
      return Effect.sync(() => sleeper.interruptUnsafe())
    })
  }

  scheduleTask(task: () => void, priority: number): void {
    this.#dispatcher.scheduleTask(() => this.#run(task), priority)
  }

  #run(task: () => void): void {
    if (this.isKilled) return
    if (this.#isFrozen) this.#held.push(task)
    else task()
  }

  freeze(isFrozen: boolean): void {
    this.#isFrozen = isFrozen
    if (!isFrozen) { for (const task of this.#held.splice(0)) this.scheduleTask(task, 0) }
  }

  kill(): void {
    this.isKilled = true
    this.#held = []
    for (const sleeper of this.#sleepers) sleeper.interruptUnsafe()
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this
  }

  flush(): void {
    this.#dispatcher.flush()
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return this.isKilled || this.#isFrozen || this.#host.shouldYield(fiber)
  }
}
