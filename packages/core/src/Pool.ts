/**
 * Pools: a fixed number of worker processes for the life of a scope. Each runs one task at a time.
 *
 * Calls go straight to the workers, over a link each, and not through the manager. A worker that dies is replaced. The
 * task that it ran fails with `WorkerCrashed`, or is repeated if a schedule says so. Its other calls go to another
 * worker.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type * as Schedule from "effect/Schedule"
import * as Scheduler from "effect/Scheduler"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Guard } from "./client/Guard.ts"
import { InvalidRequest, ManagerError } from "./ManagerError.ts"
import * as Codecs from "./pool/Codecs.ts"
import { Dispatcher } from "./pool/Dispatcher.ts"
import { frameBytesMax } from "./pool/Message.ts"
import { type PoolStopped, type TooLarge, WorkerCrashed } from "./pool/PoolError.ts"
import { type PoolEvent, PoolStats, type Progress } from "./pool/PoolStats.ts"
import { Runner, type Served } from "./pool/Runner.ts"
import * as Supervisor from "./pool/Supervisor.ts"
import { optionsIssue } from "./pool/WorkerStart.ts"
import { ProcessSpawner, SpawnError, UnknownTask } from "./Process.ts"
import type { Manager } from "./proxy/Manager.ts"
import type * as Task from "./Task.ts"
import * as TaskGroup from "./TaskGroup.ts"
import * as Frames from "./transport/Frames.ts"
import type { Link } from "./transport/Link.ts"

export { PoolStopped, TooLarge, WorkerCrashed } from "./pool/PoolError.ts"
export type { PoolEvent, Progress } from "./pool/PoolStats.ts"
export type { Killed } from "./pool/Supervisor.ts"

/** The errors of a call, besides the task's own. */
export type CallError = WorkerCrashed | PoolStopped | TooLarge | ManagerError

/** When a task is run again after its worker crashed. Other failures are not repeated. */
export type Retry = Schedule.Schedule<unknown, WorkerCrashed>

/** Options of a call. */
export interface CallOptions {
  /** Replaces the pool's. */
  readonly retry?: Retry | undefined
}

/** Options of a call with many payloads. */
export interface ManyOptions extends CallOptions {
  /**
   * Number of payloads that go to a worker together, at least 1. If their worker crashes, they fail or are repeated
   * together. Default: as many as take about 4 milliseconds, as measured during the call.
   */
  readonly chunk?: number | undefined
}

/** A pool of processes for the tasks of a group. */
export interface Pool<in out Tasks extends ReadonlyArray<Task.Any>> {
  readonly name: string
  /** The number of workers. */
  readonly size: number
  /**
   * Runs a task in a worker and waits for its result.
   *
   * **Fairness** Calls start first come first served. **Cancellation** Interruptible at any point. A task that has not
   * started never does. A task that runs is interrupted, and the interruption ends when its finalizers have ended. After
   * the grace its worker is killed and replaced; no other call is lost with it. **On disconnect** `WorkerCrashed` when
   * the worker ends.
   */
  readonly execute: <T extends Tasks[number]>(
    task: T,
    ...rest: Task.Arguments<T, CallOptions>
  ) => Effect.Effect<T["success"]["Type"], T["error"]["Type"] | CallError>
  /**
   * Runs a task on each payload and returns the results in order. The first failure interrupts the others.
   *
   * **Fairness** Each chunk is a call like any other. **Cancellation**, **On disconnect** as `execute`, for each chunk.
   */
  readonly map: <T extends Tasks[number]>(
    task: T,
    payloads: Iterable<T["payload"]["Type"]>,
    options?: ManyOptions
  ) => Effect.Effect<Array<T["success"]["Type"]>, T["error"]["Type"] | CallError>
  /**
   * As `map`, but emits each result as soon as it is there, in any order. Takes payloads as workers become free: at most
   * four chunks ahead for each worker. If the iterable throws, the results of the payloads before come first.
   *
   * **Fairness**, **Cancellation**, **On disconnect** as `map`.
   */
  readonly mapUnordered: <T extends Tasks[number]>(
    task: T,
    payloads: Iterable<T["payload"]["Type"]>,
    options?: ManyOptions
  ) => Stream.Stream<T["success"]["Type"], T["error"]["Type"] | CallError>
  /**
   * Runs a task on each element of a stream and emits the results in order. Pulls elements as workers become free: a
   * slow reader slows the source down. If the source fails, the results of the elements before come first.
   *
   * **Fairness**, **Cancellation**, **On disconnect** as `map`.
   */
  readonly stream: <T extends Tasks[number], E, R>(
    task: T,
    payloads: Stream.Stream<T["payload"]["Type"], E, R>,
    options?: ManyOptions
  ) => Stream.Stream<T["success"]["Type"], T["error"]["Type"] | CallError | E, R>
  /** Events of the workers, the latest 256 of the past first. Ends with the pool. */
  readonly events: Stream.Stream<PoolEvent>
  /** The pool's counts: now, and after each turn of the event loop that changed them. Ends with the pool. */
  readonly progress: Stream.Stream<Progress>
  /**
   * Ends the pool, as the end of its scope does. Calls that wait fail with `PoolStopped`. Tasks that run are interrupted,
   * and their calls fail. The workers' layers are closed. After the grace the workers that are left are killed, and
   * returned.
   *
   * **Cancellation** Uninterruptible: it lasts the grace at most, and the time that killed processes take to end.
   */
  readonly shutdown: Effect.Effect<ReadonlyArray<Supervisor.Killed>>
}

/** Options of a pool. */
export interface Options {
  /**
   * Number of workers, from 1 to 1024. Default: the number of processors that this program may use (`os` calls it
   * `availableParallelism`). None is kept for the main program and the manager, which mostly wait.
   */
  readonly size?: number | undefined
  /** Shown in its workers' output and names, in `inspect` and in errors. Default: the id of the group. */
  readonly name?: string | undefined
  /**
   * How long the finalizers of a cancelled task, or of a worker that is ended, may take before the worker is killed.
   * Default 5 seconds.
   */
  readonly grace?: Duration.Input | undefined
  /** Options of the runtime, as for `Process.spawn`: for Node, `--max-old-space-size=512`. Default: none. */
  readonly execArgv?: ReadonlyArray<string> | undefined
  /** How long a worker may take to build its layers. Default: that of the spawner, on Node 30 seconds. */
  readonly startTimeout?: Duration.Input | undefined
  /** When a task is run again after its worker crashed. Default: never. */
  readonly retry?: Retry | undefined
}

/** Workers of one pool. */
const sizeMax = 1_024

/** Chunks under way for each worker: one runs, one waits there, the others are ready to be sent. */
const chunksPerWorker = 4

/**
 * Starts a pool for the life of the scope. Waits until each worker has built the layers of its tasks.
 *
 * **Cancellation** Interruptible: the workers that were started are ended.
 */
export const make = <Id extends string, Tasks extends ReadonlyArray<Task.Any>>(
  group: TaskGroup.TaskGroup<Id, Tasks>,
  options: Options = {}
): Effect.Effect<
  Pool<Tasks>,
  SpawnError | ManagerError,
  Manager | ProcessSpawner | Scope.Scope | Task.CallerServices<Tasks[number]>
> =>
  Effect.gen(function*() {
    const spawner = yield* ProcessSpawner
    const { execArgv = [], grace = "5 seconds", name = group.id, retry, startTimeout = spawner.startTimeout } = options
    const { size = Math.min(spawner.parallelism, sizeMax) } = options
    const issue = !Number.isInteger(size) || size < 1 || size > sizeMax
      ? `size must be a whole number from 1 to ${sizeMax}, it is ${size}`
      : optionsIssue({ execArgv, grace, startTimeout }) ?? TaskGroup.issueOf(group.tasks)
    if (issue !== undefined) return yield* new SpawnError({ task: name, issue })
    const tasks = yield* Effect.forEach(group.tasks, (task) =>
      Effect.map(Codecs.make(task as Tasks[number]), (codecs) => ({ tag: task.tag, codecs })))
    const stats = yield* PoolStats.make(name)
    const graceMs = Duration.toMillis(grace)
    const dispatcher = new Dispatcher({
      name,
      tasks,
      graceMs,
      context: yield* Effect.context<Manager>(),
      clock: yield* Clock.Clock,
      eventLoop: (yield* Scheduler.Scheduler).makeDispatcher(),
      stats
    })
    const tags = tasks.map(({ tag }) =>
      tag
    )
    const assignment = JSON.stringify({ pool: group.id, tasks: tags })
    const startMs = Duration.toMillis(startTimeout)
    const end = yield* Supervisor.start({ name, size, assignment, execArgv, graceMs, startMs, dispatcher, stats })
    let why = "it was shut down"
    const shutdown = yield* Effect.cached(Effect.uninterruptible(Effect.suspend(() => {
      dispatcher.stop(why)
      return Effect.ensuring(end, Effect.sync(() => stats.end()))
    })))
    yield* Effect.addFinalizer(() => {
      why = "its scope has ended"
      return shutdown
    })
    return makePool<Tasks>({ name, size, retry, dispatcher, stats, shutdown, positions: positionsOf(group) })
  }).pipe(
    // The workers serve the whole pool: they do not run under the locks of the fiber that made it (S-6).
    Effect.provideService(Guard, [])
  )

/** Serves a pool in a worker: runs the jobs that come over the link, until it ends. The layers are built before. */
export const serve = (
  assignment: string,
  link: Link
): Effect.Effect<void, UnknownTask, Manager> =>
  Effect.scoped(Effect.gen(function*() {
    // Written by `make` of the same program.
    const { pool, tasks } = JSON.parse(assignment) as { readonly pool: string; readonly tasks: ReadonlyArray<string> }
    // The groups that are served are known at run time only: the assignment has the name of one.
    const context = yield* Effect.context<Manager | TaskGroup.Handlers<string>>()
    const handlers = Context.getOrUndefined(context, TaskGroup.handlersOf(pool))
    const served = yield* Effect.forEach(tasks, (task) => {
      const runnable = handlers?.get(task)
      return runnable === undefined
        ? Effect.fail(new UnknownTask({ group: pool, task }))
        : Effect.map(Codecs.make(runnable.task), (codecs): Served => ({ ...runnable, codecs }))
    })
    const eventLoop = (yield* Scheduler.Scheduler).makeDispatcher()
    const runner = new Runner(served, link, context, yield* Clock.Clock, eventLoop)
    yield* Effect.addFinalizer(() => runner.close)
    const frames = yield* Frames.make(link, frameBytesMax)
    yield* Effect.ignore(frames.handOver(frameBytesMax, runner, () => runner.ready()))
    // Handlers and codecs have their services; the handles in payloads and results need the manager only.
  })) as Effect.Effect<void, UnknownTask, Manager>

/** Whether an assignment is that of a pool's worker. */
export const isAssignment = (assignment: string): boolean => assignment.startsWith("{\"pool\":")

// internals

const positionsOf = (group: { readonly tasks: ReadonlyArray<Task.Any> }): ReadonlyMap<string, number> =>
  new Map(group.tasks.map(({ tag }, position) => [tag, position]))

interface Parts {
  readonly name: string
  readonly size: number
  readonly retry: Retry | undefined
  readonly dispatcher: Dispatcher
  readonly stats: PoolStats
  readonly shutdown: Effect.Effect<ReadonlyArray<Supervisor.Killed>>
  readonly positions: ReadonlyMap<string, number>
}

/** The methods. The dispatcher knows tasks by position, and no types: schemas check every value that crosses. */
const makePool = <Tasks extends ReadonlyArray<Task.Any>>(
  { name, dispatcher, positions, retry: poolRetry, shutdown, size, stats }: Parts
): Pool<Tasks> => {
  const run = (
    { tag }: Task.Any,
    payloads: ReadonlyArray<unknown>,
    retry: Retry | undefined = poolRetry
  ): Effect.Effect<ReadonlyArray<unknown>, unknown> => {
    const position = positions.get(tag)
    if (position === undefined) return invalid(tag, "it is not a task of this pool's group")
    if (retry === undefined) return dispatcher.run(position, payloads, 1)
    return Effect.suspend(() => {
      let attempt = 0
      // The schedule sees crashes only: to it, another failure is a result.
      const once = Effect.suspend(() => dispatcher.run(position, payloads, ++attempt)).pipe(
        Effect.map(Exit.succeed),
        Effect.catch((error) => error instanceof WorkerCrashed ? Effect.fail(error) : Effect.succeed(Exit.fail(error)))
      )
      return Effect.flatten(Effect.retry(once, retry))
    })
  }

  const invalid = (operation: string, issue: string) =>
    Effect.fail(new ManagerError({ reason: new InvalidRequest({ object: name, operation, issue }) }))

  const unlessInvalid = ({ chunk }: ManyOptions, operation: string) =>
    chunk === undefined || (Number.isSafeInteger(chunk) && chunk > 0)
      ? Effect.void
      : invalid(operation, `chunk must be a whole number of at least 1, it is ${chunk}`)

  /** The length of the next chunk, when `left` payloads remain. */
  const lengthOf = ({ tag }: Task.Any, { chunk }: ManyOptions, left: number) =>
    chunk ?? dispatcher.taskTimes.chunkLength(tag, left, size)

  const map = (task: Task.Any, payloads: Iterable<unknown>, options: ManyOptions = {}) =>
    Effect.suspend(() => {
      const all = Array.isArray(payloads) ? payloads as ReadonlyArray<unknown> : Array.from(payloads)
      const results: Array<unknown> = []
      results.length = all.length
      let next = 0
      const one = Effect.suspend(() => {
        const from = next
        next = Math.min(all.length, from + lengthOf(task, options, all.length - from))
        return Effect.map(run(task, all.slice(from, next), options.retry), (values) => {
          for (let i = 0; i < values.length; i++) results[from + i] = values[i]
        })
      })
      const lane = Effect.whileLoop({ while: () => next < all.length, body: () => one, step: () => {} })
      const lanes = Array.from({ length: Math.min(all.length, size * chunksPerWorker) }, () => lane)
      return unlessInvalid(options, "map").pipe(
        Effect.andThen(Effect.all(lanes, { concurrency: "unbounded", discard: true })),
        Effect.as(results)
      )
    })

  const chunks = (task: Task.Any, payloads: Iterable<unknown>, options: ManyOptions) =>
    // One at a time: the length of the next chunk depends on the run time of those before.
    Stream.fromIterable(chunksOf(payloads, () => lengthOf(task, options, Infinity)), { chunkSize: 1 })

  /** Pulls chunks as workers become free. A failure of the source comes after the results of what it gave before. */
  const runChunks = <E, R>(
    task: Task.Any,
    chunks: Stream.Stream<ReadonlyArray<unknown>, E, R>,
    options: ManyOptions,
    unordered: boolean
  ) =>
    Stream.suspend(() => {
      let failure = Cause.empty as Cause.Cause<E>
      const source = Stream.catchCause(chunks, (cause) => {
        failure = cause
        return Stream.empty
      })
      return Stream.fromEffectDrain(unlessInvalid(options, "stream")).pipe(
        Stream.concat(source),
        Stream.mapEffect((chunk: ReadonlyArray<unknown>) => run(task, chunk, options.retry), {
          concurrency: size * chunksPerWorker,
          unordered
        }),
        Stream.flattenIterable,
        Stream.concat(Stream.suspend(() => failure === Cause.empty ? Stream.empty : Stream.failCause(failure)))
      )
    })

  const stream = <E, R>(task: Task.Any, payloads: Stream.Stream<unknown, E, R>, options: ManyOptions = {}) => {
    const pulled = Stream.flatMap(Stream.chunks(payloads), (elements) => chunks(task, elements, options))
    return runChunks(task, pulled, options, false)
  }

  const mapUnordered = (task: Task.Any, payloads: Iterable<unknown>, options: ManyOptions = {}) =>
    runChunks(task, chunks(task, payloads, options), options, true)

  // A result was decoded with its task's schemas, so it has the task's types.
  return {
    name,
    size,
    execute: ((task, payload, options) => Effect.map(run(task, [payload], options?.retry), ([value]) => value)) as Pool<
      Tasks
    >["execute"],
    map: map as Pool<Tasks>["map"],
    mapUnordered: mapUnordered as Pool<Tasks>["mapUnordered"],
    stream: stream as Pool<Tasks>["stream"],
    events: stats.events,
    progress: stats.progress,
    shutdown
  }
}

/**
 * Cuts elements into chunks. A chunk is taken from its iterator, and the length of each asked for, when it is pulled. If
 * the iterator throws, the elements before are a chunk first.
 */
function* chunksOf<A>(elements: Iterable<A>, length: () => number): Generator<ReadonlyArray<A>> {
  const iterator = elements[Symbol.iterator]()
  for (;;) {
    const chunk: Array<A> = []
    const size = length()
    const filled = Result.try(() => {
      for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
        chunk.push(next.value)
        if (chunk.length === size) return "full"
      }
      return "last"
    })
    if (chunk.length > 0) yield chunk
    if (Result.isFailure(filled)) throw filled.failure
    if (filled.success === "last") return
  }
}
