/**
 * Interrupts a program at every step that its scheduler takes, once each; `npm test` takes every second one.
 *
 * Every fiber under this scheduler yields after every operation. The links and the server of a manager that is made
 * under it do, too. So a step is one operation of one fiber, or one delivery of bytes. Run `n` interrupts the program
 * before step `n`, whether it runs, is about to run, or waits. The last run is the one that ends before its step.
 */
import { Effect, type Exit, Fiber, Scheduler, type Scope } from "effect"
import { isWhole } from "./budget.ts"

/** Runs tasks one after another, in order, and can call a function before one of them. */
class Stepper implements Scheduler.Scheduler {
  readonly executionMode = "async"
  readonly #operations: number
  readonly #tasks: Array<() => void> = []
  readonly #yielded = new WeakSet<object>()
  #scheduled = false
  #left = Infinity
  #then = (): void => {}

  constructor(operations: number) {
    this.#operations = operations
  }

  /** True once before an operation: after a yield the fiber first resumes, and then runs the operation. */
  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (fiber.currentOpCount < this.#operations) return false
    if (!this.#yielded.has(fiber)) {
      this.#yielded.add(fiber)
      return true
    }
    if (fiber.currentOpCount >= 2) this.#yielded.delete(fiber)
    return false
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return {
      scheduleTask: (task) => {
        this.#tasks.push(task)
        if (this.#scheduled) return
        this.#scheduled = true
        setImmediate(this.#run)
      },
      flush: this.#run
    }
  }

  /** Calls a function before the given step, counted from now. */
  before(step: number, then: () => void): void {
    this.#left = step
    this.#then = then
  }

  /** Whether the step has come. */
  get passed(): boolean {
    return this.#left <= 0
  }

  readonly #run = (): void => {
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) {
      if (--this.#left === 0) this.#then()
      task()
    }
    this.#scheduled = false
  }
}

/** A program to interrupt, and a check for its state afterwards. */
export interface Interruptible<S, A, E> {
  readonly program: (subject: S) => Effect.Effect<A, E>
  readonly check: (subject: S, exit: Exit.Exit<A, E>) => Effect.Effect<void, unknown>
  /**
   * The number of operations that a fiber runs before it yields. Default 1. Under Effect's schedulers it is some
   * thousand.
   */
  readonly operations?: number | undefined
}

/**
 * Interrupts `program` at its steps, with a new subject each time. Returns the number of steps. `base` is made
 * once, under the same scheduler, and all subjects are made from it.
 */
export const forEachInterruption = <T, S, A, E, E1, E2, R1, R2>(
  base: Effect.Effect<T, E1, R1>,
  subject: (base: T) => Effect.Effect<S, E2, R2 | Scope.Scope>,
  { check, operations = 1, program }: Interruptible<S, A, E>
): Effect.Effect<number, unknown, R1 | Exclude<R2, Scope.Scope>> => {
  const stepper = new Stepper(operations)
  const at = (base: T, step: number) =>
    Effect.scoped(Effect.gen(function*() {
      const made = yield* subject(base)
      const fiber = yield* Effect.forkDetach(program(made))
      stepper.before(step, () => fiber.interruptUnsafe())
      const exit = yield* Fiber.await(fiber)
      const { passed } = stepper
      stepper.before(Infinity, () => {})
      yield* Effect.tapCause(check(made, exit), () => Effect.logError(`interrupted before step ${step}`))
      return passed
    }))
  return Effect.gen(function*() {
    const made = yield* base
    for (let step = 1;; step += isWhole ? 1 : 2) if (!(yield* at(made, step))) return step - 1
  }).pipe(Effect.provideService(Scheduler.Scheduler, stepper))
}
