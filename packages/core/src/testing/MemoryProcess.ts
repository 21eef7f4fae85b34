/**
 * A process in memory: the fibers of a program, under a scheduler of their own. It gets signals, and has an end, as a
 * process of the system.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import type * as Scope from "effect/Scope"
import type { Signal, Spawned } from "../Process.ts"

/** Runs the fibers of a process. */
export interface Executor extends Pick<Scheduler.SchedulerDispatcher, "scheduleTask"> {
  /** Runs nothing from now on, or continues. */
  readonly freeze: (isFrozen: boolean) => void
  /** Never runs anything again. */
  readonly kill: () => void
}

/** The end of a process: the exit of its program, or "killed". */
export type Ended = Exit.Exit<unknown, unknown> | "killed"

/** The options of a process. */
export interface MemoryProcessOptions {
  readonly number: number
  readonly executor: Executor
  /** The process that started it, with which it is killed. Absent: none. */
  readonly owner?: MemoryProcess | undefined
  /** Called once, when it ends. */
  readonly onEnd: (ended: Ended) => void
}

/** A process in memory. */
export class MemoryProcess {
  readonly number: number
  readonly executor: Executor
  readonly #owner: MemoryProcess | undefined
  readonly #onEnd: (ended: Ended) => void
  readonly #children = new Set<MemoryProcess>()
  readonly #ended = Deferred.makeUnsafe<Ended>()
  #main: Fiber.Fiber<unknown, unknown> | undefined
  #isAlive = true

  constructor({ executor, number, onEnd, owner }: MemoryProcessOptions) {
    this.number = number
    this.executor = executor
    this.#owner = owner
    this.#onEnd = onEnd
    if (owner !== undefined) owner.#children.add(this)
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  /** Runs its program. The process ends with it. */
  run<R>(program: Effect.Effect<unknown, unknown, R>, context: Context.Context<R>): void {
    this.#main = Effect.runForkWith(context)(program)
    this.#main.addObserver((exit) => this.#end(exit))
  }

  /** Kills it, interrupts its program, or lets it run nothing until it is continued. No effect after its end. */
  signal(signal: Signal): void {
    if (!this.#isAlive) return
    switch (signal) {
      case "SIGKILL":
        return this.#kill()
      case "SIGSTOP":
        return this.executor.freeze(true)
      case "SIGCONT":
        return this.executor.freeze(false)
      case "SIGINT":
      case "SIGTERM":
        return this.executor.scheduleTask(() => this.#main?.interruptUnsafe(), 0)
    }
  }

  /** As its owner sees it. */
  get spawned(): Spawned {
    const ended = Deferred.await(this.#ended)
    return {
      pid: this.number,
      exit: Effect.map(ended, exitOf),
      isRunning: Effect.sync(() => this.#isAlive),
      lastLines: Effect.map(ended, lastLinesOf),
      kill: (signal = "SIGKILL") => Effect.sync(() => this.signal(signal))
    }
  }

  /** Interrupts it, and kills it after the grace. */
  stop(grace: Duration.Input): Effect.Effect<void> {
    return Effect.sync(() => this.signal("SIGTERM")).pipe(
      Effect.andThen(Effect.timeoutOption(Deferred.await(this.#ended), grace)),
      Effect.andThen(Effect.sync(() => this.signal("SIGKILL")))
    )
  }

  /** No finalizer of it runs, and the processes that it has started are killed with it. */
  #kill(): void {
    this.executor.kill()
    this.#end("killed")
    for (const child of this.#children) child.signal("SIGKILL")
  }

  #end(ended: Ended): void {
    this.#isAlive = false
    if (this.#owner !== undefined) this.#owner.#children.delete(this)
    this.#onEnd(ended)
    Deferred.doneUnsafe(this.#ended, Exit.succeed(ended))
  }
}

/** Starts a process for the life of the scope. It is then stopped. */
export const startScoped = <A extends { readonly process: MemoryProcess }>(
  start: () => A,
  grace: Duration.Input
): Effect.Effect<A, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(start), ({ process }) => process.stop(grace))

/** The exit of a process whose program was run by `runMain`. */
const exitOf = (ended: Ended): { readonly code: number | null; readonly signal: string | null } =>
  ended === "killed"
    ? { code: null, signal: "SIGKILL" }
    : { code: Exit.isSuccess(ended) ? 0 : Cause.hasInterruptsOnly(ended.cause) ? 130 : 1, signal: null }

const lastLinesOf = (ended: Ended): ReadonlyArray<string> =>
  ended === "killed" || Exit.isSuccess(ended) ? [] : Cause.pretty(ended.cause).split("\n")
