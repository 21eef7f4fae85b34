/**
 * Processes: one task in a process of its own, with a typed result.
 *
 * The payload and the result travel through the manager, as two shared objects that only the two sides know: so a
 * payload may hold handles, and a result that was given is not lost when the process dies right after it.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { ManagerError } from "./ManagerError.ts"
import type { Manager } from "./proxy/Manager.ts"
import * as SharedRef from "./SharedRef.ts"
import type * as Task from "./Task.ts"
import * as TaskGroup from "./TaskGroup.ts"
import type { Link } from "./transport/Link.ts"

/** The process could not be started. Nothing ran. */
export class SpawnError extends Schema.TaggedError<SpawnError>()("SpawnError", {
  task: Schema.String,
  issue: Schema.String
}) {
  override get message(): string {
    return `cannot start a process for ${this.task}: ${this.issue}. Nothing ran`
  }
}

/** The process ended without a result: it was killed, crashed or left. What it had shared before stands. */
export class ProcessExited extends Schema.TaggedError<ProcessExited>()("ProcessExited", {
  task: Schema.String,
  name: Schema.String,
  pid: Schema.Int,
  code: Schema.NullOr(Schema.Int),
  signal: Schema.NullOr(Schema.String),
  /** The last lines it wrote to its standard error. */
  lastLines: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const how = this.signal === null ? `with code ${this.code}` : `by ${this.signal}`
    const lines = this.lastLines.map((line) => `\n  ${line}`).join("")
    return `${this.name} (pid ${this.pid}) ended ${how} before ${this.task} had a result.` +
      (lines === "" ? "" : ` Its last words:${lines}`)
  }
}

/** A running task in a process of its own. */
export interface Process<out A, out E> {
  readonly pid: number
  readonly name: string
  /**
   * Waits for the task's result.
   *
   * **Cancellation** Interruptible; the process goes on until its scope ends. **On disconnect** `ManagerError`.
   */
  readonly result: Effect.Effect<A, E | ProcessExited | ManagerError>
  /** Whether the process runs. True a moment ago is no promise. */
  readonly isRunning: Effect.Effect<boolean>
  /** Ends the process: its finalizers run first, and after the grace it is killed with its children. */
  readonly end: Effect.Effect<void>
  /** Sends a signal to the process alone, `SIGKILL` by default. */
  readonly kill: (signal?: Signal) => Effect.Effect<void>
}

/** What a process can be told by the system. */
export type Signal = "SIGKILL" | "SIGTERM" | "SIGINT" | "SIGSTOP" | "SIGCONT"

/** How a process is started. */
export interface SpawnOptions {
  /** Shown in its output, in `inspect` and in errors. Default: the task's tag and a number. */
  readonly name?: string | undefined
  /** How long its finalizers may take before it is killed. Default 5 seconds. */
  readonly grace?: Duration.Input | undefined
  /**
   * Options of the runtime itself, after those that this program was started with: of Node, `--inspect-wait` to
   * wait for a debugger, or `--max-old-space-size=512`, a bound on its memory in MiB. Default: none.
   */
  readonly execArgv?: ReadonlyArray<string> | undefined
}

/** What a platform is told when it starts a process. */
export interface StartOptions {
  /** For messages. */
  readonly task: string
  readonly name: string
  readonly grace: Duration.Input
  /** Options of the runtime itself, after those that this program was started with. */
  readonly execArgv: ReadonlyArray<string>
}

/** A process as the platform sees it. */
export interface Spawned {
  readonly pid: number
  readonly exit: Effect.Effect<{ readonly code: number | null; readonly signal: string | null }>
  readonly isRunning: Effect.Effect<boolean>
  readonly lastLines: Effect.Effect<ReadonlyArray<string>>
  readonly kill: Process<never, never>["kill"]
}

/** A process with a link to its owner, which ends with either. */
export interface Linked extends Spawned {
  readonly link: Link
}

/** Starts worker processes of the program that is running: `NodeManager` provides it. */
export class ProcessSpawner extends Context.Service<ProcessSpawner, {
  /** Starts a worker for an assignment. When the scope ends it is ended, finalizers first, then killed. */
  readonly spawn: (
    assignment: string,
    options: StartOptions
  ) => Effect.Effect<Spawned, SpawnError, Manager | Scope.Scope>
  /** As `spawn`, with a link besides: what is sent before the worker reads is kept for it. */
  readonly spawnLinked: (
    assignment: string,
    options: StartOptions
  ) => Effect.Effect<Linked, SpawnError, Manager | Scope.Scope>
}>()("@effect-multiprocessing/core/ProcessSpawner") {}

/**
 * Starts a task in a process of its own, for the life of the scope: when it ends, by success, failure or
 * interruption, the process is ended.
 */
export const spawn = <Id extends string, Tasks extends ReadonlyArray<Task.Any>, T extends Tasks[number]>(
  group: TaskGroup.TaskGroup<Id, Tasks>,
  task: T,
  payload: T["payload"]["Type"],
  options: SpawnOptions = {}
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
      const start = Effect.gen(function*() {
        const input = yield* SharedRef.make({ schema: task.payload, initial: payload })
        const output = yield* SharedRef.make({ schema: outcome(task), initial: Option.none() })
        const assignment = yield* Effect.orDie(Schema.encodeEffect(assignmentOf(task))({ input, output }))
        const process = yield* spawner.spawn(
          JSON.stringify({ group: group.id, task: task.tag, ...assignment }),
          { task: task.tag, name, grace: options.grace ?? "5 seconds", execArgv: options.execArgv ?? [] }
        )
        return { output, process }
      })
      const { output, process } = yield* restore(start).pipe(
        Scope.provide(scope),
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
        Effect.catchTags({ SchemaMismatch: Effect.die, OptionsMismatch: Effect.die })
      )
      const result = yield* Deferred.make<T["success"]["Type"], T["error"]["Type"] | ProcessExited | ManagerError>()
      yield* resultOf(task, name, process, output).pipe(
        Effect.onExit((exit) => Deferred.done(result, exit)),
        Effect.exit,
        Effect.andThen(process.exit),
        Effect.andThen(Scope.close(scope, Exit.void)),
        Effect.forkIn(owner)
      )
      return {
        pid: process.pid,
        name,
        result: Deferred.await(result),
        isRunning: process.isRunning,
        end: Scope.close(scope, Exit.void),
        kill: process.kill
      }
    })
  )

/** Starts a task in a process of its own and waits for its result; interrupting it ends the process. */
export const run = <Id extends string, Tasks extends ReadonlyArray<Task.Any>, T extends Tasks[number]>(
  group: TaskGroup.TaskGroup<Id, Tasks>,
  task: T,
  payload: T["payload"]["Type"],
  options?: SpawnOptions
): Effect.Effect<
  T["success"]["Type"],
  T["error"]["Type"] | SpawnError | ProcessExited | ManagerError,
  Manager | ProcessSpawner | Exclude<Task.CallerServices<T>, Scope.Scope>
> => Effect.scoped(Effect.flatMap(spawn(group, task, payload, options), (process) => process.result))

/** What a worker was started for. */
export class UnknownTask extends Schema.TaggedError<UnknownTask>()("UnknownTask", {
  group: Schema.String,
  task: Schema.String
}) {
  override get message(): string {
    return `this program does not serve the task ${this.group}/${this.task}: is it among the tasks given to runMain, ` +
      "and is the worker's entry the same program?"
  }
}

/** Does in a worker what its owner has asked for in `spawn`, and leaves the result with the manager. */
export const serve = (
  assignment: string
): Effect.Effect<void, ManagerError | UnknownTask, Manager> =>
  Effect.scoped(Effect.gen(function*() {
    const { group, task: tag, ...handles } = JSON.parse(assignment) as {
      readonly group: string
      readonly task: string
    }
    // Which groups are served is known by name only: the assignment says which one is meant.
    const context = yield* Effect.context<TaskGroup.Handlers<string>>()
    const runnable = Context.getOrUndefined(context, TaskGroup.handlersOf(group))?.get(tag)
    if (runnable === undefined) return yield* new UnknownTask({ group, task: tag })
    const { run, task } = runnable
    const { input, output } = yield* Effect.orDie(Schema.decodeUnknownEffect(assignmentOf(task))(handles))
    const payload = yield* input.get
    const exit = yield* Effect.exit(run(payload, { attempt: 1 }))
    // An interrupted task has no result: its owner has gone, or learns that the process exited.
    if (Exit.isSuccess(exit) || !Cause.hasInterruptsOnly(exit.cause)) yield* output.set(Option.some(exit))
    // Handlers and codecs have their services; the handles in an assignment need the manager only.
  }) as Effect.Effect<void, ManagerError | UnknownTask, Manager>)

// internals

const spawned = new WeakMap<ProcessSpawner["Service"], number>()

/** Numbers the processes of a program, for their names: each run of a simulated one counts anew. */
const numberOf = (spawner: ProcessSpawner["Service"]): number => {
  const number = (spawned.get(spawner) ?? 0) + 1
  spawned.set(spawner, number)
  return number
}

const outcome = <T extends Task.Any>(task: T) =>
  Schema.Option(Schema.Exit(task.success, task.error, Schema.Defect({ includeStack: true })))

/** The two objects of an assignment, as handles. */
const assignmentOf = <T extends Task.Any>(task: T) =>
  Schema.Struct({ input: SharedRef.schema(task.payload), output: SharedRef.schema(outcome(task)) })

const resultOf = <T extends Task.Any>(
  task: T,
  name: string,
  process: Spawned,
  output: SharedRef.SharedRef<Option.Option<Exit.Exit<T["success"]["Type"], T["error"]["Type"]>>>
): Effect.Effect<T["success"]["Type"], T["error"]["Type"] | ProcessExited | ManagerError> =>
  Effect.gen(function*() {
    const given = yield* Effect.raceFirst(
      output.until(Option.isSome),
      // What was given before the end counts, however the process ended.
      Effect.andThen(process.exit, output.get)
    )
    if (Option.isSome(given)) return yield* given.value
    const { code, signal } = yield* process.exit
    const lastLines = yield* process.lastLines
    return yield* new ProcessExited({ task: task.tag, name, pid: process.pid, code, signal, lastLines })
  })
