/**
 * Processes: one task in its own process, with a typed result.
 *
 * The payload and the result are two shared objects in the manager that only the two processes know. Therefore both may
 * contain handles, and a result survives the death of the process that stored it.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { CrossSpace, LimitExceeded, ManagerError, ValueNotEncoded } from "./ManagerError.ts"
import * as Codecs from "./pool/Codecs.ts"
import { entryQuestion, nameIssue, notReadyIssue, optionsIssue } from "./pool/WorkerStart.ts"
import { failureOf } from "./proxy/infrastructure.ts"
import type { Manager } from "./proxy/Manager.ts"
import { unguarded } from "./SharedLock.ts"
import * as SharedRef from "./SharedRef.ts"
import type * as Task from "./Task.ts"
import * as TaskGroup from "./TaskGroup.ts"
import * as Span from "./tracing/Span.ts"
import type { Link } from "./transport/Link.ts"

/** The process could not be started, or was not ready in time. The task did not run. */
export class SpawnError extends Schema.TaggedError<SpawnError>()("SpawnError", {
  task: Schema.String,
  issue: Schema.String
}) {
  override get message(): string {
    const stop = this.issue.endsWith("?") ? "" : "."
    return `cannot start a process for ${this.task}: ${this.issue}${stop} The task did not run`
  }
}

/** The process was killed, crashed or exited before it stored a result. Its earlier changes to shared objects stand. */
export class ProcessExited extends Schema.TaggedError<ProcessExited>()("ProcessExited", {
  task: Schema.String,
  /** The name of the process. */
  process: Schema.String,
  pid: Schema.Int,
  code: Schema.NullOr(Schema.Int),
  signal: Schema.NullOr(Schema.String),
  /** Whether it had begun the task. */
  hasBegun: Schema.Boolean,
  /** Why this program had ended it, as text for people; absent: it did not. */
  why: Schema.optional(Schema.String),
  /** The last lines of its standard error: at most 20, of 500 characters each. */
  lastLines: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const how = this.signal === null ? `with code ${this.code}` : `by ${this.signal}`
    const why = this.why === undefined ? "" : `: ${this.why}`
    const lines = this.lastLines.map((line) => `\n  ${line}`).join("")
    const fate = this.hasBegun
      ? "Its changes to shared objects stand"
      : `The task did not run${this.code === 0 && this.why === undefined ? `. ${entryQuestion}` : ""}`
    return `${this.process} (pid ${this.pid}) ended ${how} before ${this.task} had a result${why}. ${fate}` +
      (lines === "" ? "" : `. Its last lines on standard error:${lines}`)
  }
}

/** A task that runs in its own process. Made by `spawn`. */
export interface Process<out A, out E> {
  readonly pid: number
  /** Shown in its output, in `inspect` and in errors. */
  readonly name: string
  /**
   * Waits for the task's result and returns it. Fails with the task's own error, with `ProcessExited` when the process
   * ended without a result, or with `SpawnError` when it did not begin the task within its `startTimeout`.
   *
   * **Fairness** Every waiter is resumed when the result arrives. **Cancellation** Interruptible; the process runs on
   * until its scope ends. **On disconnect** `ManagerError`.
   */
  readonly result: Effect.Effect<A, E | ProcessExited | SpawnError | ManagerError>
  /** Whether the process runs. It may have ended by the time this returns. */
  readonly isRunning: Effect.Effect<boolean>
  /**
   * Ends the process and waits until it has ended: the task is interrupted and its finalizers run; after the grace the
   * process and its children are killed.
   *
   * **Fairness** Each process has its own grace. **Cancellation** Not interruptible; bounded by the grace.
   * **On disconnect** No effect: it needs no manager.
   */
  readonly end: Effect.Effect<void>
  /** Sends a signal to this process only, not to its children. Default `SIGKILL`. No effect after its end. */
  readonly kill: (signal?: Signal) => Effect.Effect<void>
}

/** The signals that `kill` sends. */
export type Signal = "SIGKILL" | "SIGTERM" | "SIGINT" | "SIGSTOP" | "SIGCONT"

/** Options of `spawn` and `run`. */
export interface SpawnOptions {
  /** Shown in its output, in `inspect` and in errors; at most 256 characters. Default: the task's tag and a number. */
  readonly name?: string | undefined
  /** How long its finalizers may take before it is killed. Default 5 seconds. */
  readonly grace?: Duration.Input | undefined
  /**
   * How long it may take to build the layers of its tasks before it is killed. Default: that of the spawner, on Node 30
   * seconds, or no limit if `execArgv` lets it wait for a debugger.
   */
  readonly startTimeout?: Duration.Input | undefined
  /**
   * Options of the JavaScript runtime, appended to those of this program. For Node, `--inspect-wait` waits for a
   * debugger, and `--max-old-space-size=512` bounds the heap, in MiB. Default: none.
   */
  readonly execArgv?: ReadonlyArray<string> | undefined
}

/** Arguments of a `ProcessSpawner`, the platform's part of `spawn`. */
export interface StartOptions {
  /** The task's tag, for messages. */
  readonly task: string
  readonly name: string
  readonly grace: Duration.Input
  /** Options of the JavaScript runtime, appended to those of this program. */
  readonly execArgv: ReadonlyArray<string>
}

/** A process as the platform sees it: without a task and a result. */
export interface Spawned {
  readonly pid: number
  /** Waits until the process has ended and its output has been read. */
  readonly exit: Effect.Effect<{ readonly code: number | null; readonly signal: string | null }>
  readonly isRunning: Effect.Effect<boolean>
  /** The last lines of its standard error. */
  readonly lastLines: Effect.Effect<ReadonlyArray<string>>
  readonly kill: Process<never, never>["kill"]
}

/** A process for one task. */
export interface Started extends Spawned {
  /** Waits until it begins its task. Absent if the platform does not tell: then `startTimeout` does not apply. */
  readonly begun?: Effect.Effect<void> | undefined
}

/** A process with a link to its owner. The link ends when either process does. */
export interface Linked extends Spawned {
  readonly link: Link
}

/** Starts worker processes of the running program. `NodeManager.runMain` and `NodeManager.layerSpawner` provide it. */
export class ProcessSpawner extends Context.Service<ProcessSpawner, {
  /** The number of workers that can run at the same time: the default size of a pool. */
  readonly parallelism: number
  /** The default of `startTimeout`. */
  readonly startTimeout: Duration.Input
  /** Starts a worker for an assignment. When the scope ends, its finalizers run; after the grace it is killed. */
  readonly spawn: (
    assignment: string,
    options: StartOptions
  ) => Effect.Effect<Started, SpawnError, Manager | Scope.Scope>
  /** As `spawn`, with a link to the worker. The link keeps bytes that are sent before the worker reads. */
  readonly spawnLinked: (
    assignment: string,
    options: StartOptions
  ) => Effect.Effect<Linked, SpawnError, Manager | Scope.Scope>
}>()("@effect-multiprocessing/core/ProcessSpawner") {}

/**
 * Starts a task in its own process, for the life of the scope. When the scope ends, by success, failure or
 * interruption, the process is ended as by `end`. Fails with `SpawnError` when no process could be started.
 *
 * **Fairness** Processes start side by side; `spawn` returns as soon as its own has started. **Cancellation**
 * Interruptible; a process that had started is ended. **On disconnect** `ManagerError`; a process that had started is
 * ended.
 */
export const spawn = <Id extends string, Tasks extends ReadonlyArray<Task.Any>, T extends Tasks[number]>(
  group: TaskGroup.TaskGroup<Id, Tasks>,
  task: T,
  ...[payload, options = {}]: Task.Arguments<T, SpawnOptions>
): Effect.Effect<
  Process<T["success"]["Type"], T["error"]["Type"]>,
  SpawnError | ManagerError,
  Manager | ProcessSpawner | Scope.Scope | Task.CallerServices<T>
> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const spawner = yield* ProcessSpawner
      const owner = yield* Effect.scope
      // Closed as soon as the process has ended, so that a long-lived owner keeps nothing of it.
      const scope = yield* Scope.fork(owner)
      const name = options.name ?? `${task.tag}-${numberOf(spawner)}`
      const { execArgv = [], grace = "5 seconds" } = options
      const { startTimeout = startTimeoutOf(spawner, execArgv) } = options
      const issue = nameIssue(name) ?? optionsIssue({ execArgv, grace, startTimeout }) ??
        TaskGroup.issueOf(group.tasks) ?? TaskGroup.memberIssue(group, task)
      if (issue !== undefined) return yield* new SpawnError({ task: task.tag, issue })
      const start = Effect.gen(function*() {
        const input = yield* SharedRef.make({ schema: task.payload, initial: payload }).pipe(
          Effect.catchReasons("ManagerError", payloadErrors(group.id, task.tag))
        )
        const output = yield* SharedRef.make({ schema: outcome(task), initial: Option.none() })
        const assignment = yield* Effect.orDie(Schema.encodeEffect(assignmentOf(task))({ input, output }))
        const process = yield* spawner.spawn(
          JSON.stringify({
            group: group.id,
            task: task.tag,
            caller: Span.idsWithin(Fiber.getCurrent()!),
            ...assignment
          }),
          { task: task.tag, name, grace, execArgv }
        )
        return { output, process }
      })
      const { output, process } = yield* restore(start).pipe(
        Scope.provide(scope),
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
        Effect.catchTags({ SchemaMismatch: Effect.die, OptionsMismatch: Effect.die })
      )
      const result = yield* Deferred.make<
        T["success"]["Type"],
        T["error"]["Type"] | ProcessExited | SpawnError | ManagerError
      >()
      const run = new Run(name, process)
      const end = (why: string) =>
        Effect.suspend(() => {
          run.why ??= why
          return Scope.close(scope, Exit.void)
        })
      yield* resultOf(task, run, output, startTimeout).pipe(
        Effect.onExit((exit) =>
          // The owner's scope interrupts this fiber first.
          Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
            ? Effect.andThen(end("its scope has ended"), Deferred.complete(result, run.exited(task)))
            : Deferred.done(result, exit)
        ),
        Effect.exit,
        Effect.andThen(process.exit),
        Effect.andThen(Scope.close(scope, Exit.void)),
        // It may outlive the lock under which the process was started.
        unguarded,
        // At once: a scope that ends before this fiber runs would leave the waiters for the result alone.
        Effect.forkIn(owner, { startImmediately: true })
      )
      return {
        pid: process.pid,
        name,
        result: Deferred.await(result),
        isRunning: process.isRunning,
        end: end("this program has ended it"),
        kill: process.kill
      }
    })
  )

/**
 * Starts a task in its own process, waits for its result, and ends the process.
 *
 * **Fairness** As `spawn`. **Cancellation** Interruptible; the process is ended. **On disconnect** `ManagerError`; the
 * process is ended.
 */
export const run = <Id extends string, Tasks extends ReadonlyArray<Task.Any>, T extends Tasks[number]>(
  group: TaskGroup.TaskGroup<Id, Tasks>,
  task: T,
  ...rest: Task.Arguments<T, SpawnOptions>
): Effect.Effect<
  T["success"]["Type"],
  T["error"]["Type"] | SpawnError | ProcessExited | ManagerError,
  Manager | ProcessSpawner | Exclude<Task.CallerServices<T>, Scope.Scope>
> => Effect.scoped(Effect.flatMap(spawn(group, task, ...rest), (process) => process.result))

/** This worker was started for a task that it has no handler for. The task did not run. */
export class UnknownTask extends Schema.TaggedError<UnknownTask>()("UnknownTask", {
  group: Schema.String,
  task: Schema.String
}) {
  override get message(): string {
    return `this program does not serve the task ${this.group}/${this.task}. Give the layer of its group to runMain as ` +
      "tasks, and check that the worker's entry is the same program"
  }
}

/**
 * Runs, in a worker, the task that its owner asked for with `spawn`, and stores the result in the manager. `begin` tells
 * the owner that the task begins. Called by `NodeManager.runMain`.
 *
 * **Fairness** One assignment for each process. **Cancellation** Interruptible; an interrupted task stores no result.
 * **On disconnect** `ManagerError`; the result is lost.
 */
export const serve = (
  assignment: string,
  begin: Effect.Effect<void> = Effect.void
): Effect.Effect<void, ManagerError | UnknownTask, Manager> =>
  Effect.scoped(Effect.gen(function*() {
    const { caller, group, task: tag, ...handles } = JSON.parse(assignment) as {
      readonly group: string
      readonly task: string
      readonly caller?: Span.SpanIds
    }
    // The type does not say which groups are served: the assignment names the group.
    const context = yield* Effect.context<TaskGroup.Handlers<string>>()
    const runnable = Context.getOrUndefined(context, TaskGroup.handlersOf(group))?.get(tag)
    if (runnable === undefined) return yield* new UnknownTask({ group, task: tag })
    const { run, task } = runnable
    const { input, output } = yield* Effect.orDie(Schema.decodeUnknownEffect(assignmentOf(task))(handles))
    const payload = yield* input.get
    yield* begin
    const exit = yield* Effect.exit(Span.within(run(payload, { attempt: 1 }), caller))
    // An interrupted task has no result: its owner is gone, or gets `ProcessExited`.
    if (Exit.isSuccess(exit) || !Cause.hasInterruptsOnly(exit.cause)) yield* store(task, output, exit)
    // Handlers and codecs have their services; the handles in an assignment need the manager only.
  }) as Effect.Effect<void, ManagerError | UnknownTask, Manager>)

// internals

/** What the shared object of a payload cannot store is told of the task. */
const payloadErrors = (object: string, operation: string) => {
  const fail = (reason: ManagerError["reason"]) => Effect.fail(new ManagerError({ reason }))
  return {
    CrossSpace: () => fail(new CrossSpace({ object, operation })),
    ValueNotEncoded: ({ issue }: ValueNotEncoded) => fail(new ValueNotEncoded({ object, operation, issue })),
    LimitExceeded: ({ limit, max }: LimitExceeded) => fail(new LimitExceeded({ object, operation, limit, max }))
  }
}

/** Stores how a task ended. What cannot be stored is told as a defect, as a pool does. */
const store = <T extends Task.Any>(
  task: T,
  output: SharedRef.SharedRef<Outcome<T>>,
  exit: Exit.Exit<T["success"]["Type"], T["error"]["Type"] | ManagerError>
): Effect.Effect<void, ManagerError, Task.CallerServices<T>> => {
  const die = (defect: Error) => output.set(Option.some(Exit.die(defect)))
  const mismatch = Effect.suspend(() =>
    Effect.flatMap(Codecs.make(task), (codecs) => Codecs.encode(codecs, task.tag, Exit.map(exit, (value) => [value])))
      .pipe(Effect.asVoid, Effect.catch(die))
  )
  return output.set(Option.some(exit)).pipe(
    Effect.catchReasons("ManagerError", {
      CrossSpace: () => mismatch,
      ValueNotEncoded: () => mismatch,
      LimitExceeded: ({ limit, max }) =>
        die(
          Exit.isSuccess(exit)
            ? new Error(`the result of ${task.tag} would exceed ${limit} = ${max}`)
            : Codecs.tooLarge(task.tag, `${limit} = ${max}`, exit.cause)
        )
    })
  )
}

const spawned = new WeakMap<ProcessSpawner["Service"], number>()

/** Numbers the processes of a program, for their names. Each run of a simulated program starts from 1. */
const numberOf = (spawner: ProcessSpawner["Service"]): number => {
  const number = (spawned.get(spawner) ?? 0) + 1
  spawned.set(spawner, number)
  return number
}

const startTimeoutOf = (spawner: ProcessSpawner["Service"], execArgv: ReadonlyArray<string>): Duration.Input =>
  execArgv.some((option) => /^--inspect-(?:brk|wait)/.test(option)) ? Duration.infinity : spawner.startTimeout

/** How the run of a task ended, once it has. */
type Outcome<T extends Task.Any> = Option.Option<Exit.Exit<T["success"]["Type"], T["error"]["Type"] | ManagerError>>

const outcome = <T extends Task.Any>(task: T) =>
  Schema.Option(Schema.Exit(task.success, failureOf(task.error as T["error"]), Schema.Defect({ includeStack: true })))

/** The two shared objects of an assignment, as handles. */
const assignmentOf = <T extends Task.Any>(task: T) =>
  Schema.Struct({ input: SharedRef.schema(task.payload), output: SharedRef.schema(outcome(task)) })

/** A process that runs a task, and what is known of its end. */
class Run {
  readonly name: string
  readonly process: Started
  hasBegun: boolean
  /** Why this program has ended it. */
  why: string | undefined

  constructor(name: string, process: Started) {
    this.name = name
    this.process = process
    this.hasBegun = process.begun === undefined
  }

  /** Waits for its end, and fails with that. */
  exited({ tag }: Task.Any): Effect.Effect<never, ProcessExited> {
    const { name, process } = this
    return Effect.flatMap(Effect.all([process.exit, process.lastLines]), ([{ code, signal }, lastLines]) => {
      const { hasBegun, why } = this
      return Effect.fail(
        new ProcessExited({ task: tag, process: name, pid: process.pid, code, signal, hasBegun, why, lastLines })
      )
    })
  }
}

const resultOf = <T extends Task.Any>(
  task: T,
  run: Run,
  output: SharedRef.SharedRef<Outcome<T>>,
  startTimeout: Duration.Input
): Effect.Effect<T["success"]["Type"], T["error"]["Type"] | ProcessExited | SpawnError | ManagerError> =>
  Effect.gen(function*() {
    const { name, process } = run
    const begun = process.begun?.pipe(
      Effect.timeoutOrElse({
        duration: startTimeout,
        orElse: () =>
          Effect.andThen(
            process.kill("SIGKILL"),
            Effect.fail(new SpawnError({ task: task.tag, issue: notReadyIssue(name, startTimeout) }))
          )
      }),
      Effect.tap(() => Effect.sync(() => run.hasBegun = true))
    )
    const result = output.until(Option.isSome)
    const given = yield* Effect.raceFirst(
      begun === undefined ? result : Effect.andThen(begun, result),
      // A result that was stored before the end counts, however the process ended.
      Effect.andThen(process.exit, output.get)
    )
    if (Option.isSome(given)) return yield* given.value
    return yield* run.exited(task)
  })
