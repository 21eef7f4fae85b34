/**
 * A group of tasks, and the layer of their handlers: everything that a program's workers can be asked to run.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { dieOfUndeclared, type Infrastructure, noEffect } from "./proxy/infrastructure.ts"
import type * as Task from "./Task.ts"
import * as Span from "./tracing/Span.ts"

/** The second argument of a handler. */
export interface TaskContext {
  /** 1 in the first run, and one more for each run whose worker crashed (`Pool`, with `retry`). */
  readonly attempt: number
}

/** The handlers of a group, as a service. `toLayer` provides it, and a worker needs it. */
export interface Handlers<in out Id extends string> {
  readonly "~@effect-multiprocessing/core/Handlers": Id
}

/**
 * The implementation of a task: runs in the worker. It fails with the errors that the task declares, and with those of
 * `Infrastructure`: its caller gets `ManagerError` as if the caller's own call had failed, and a lost lock as a defect.
 */
export type Handler<T extends Task.Any, R> = (
  payload: T["payload"]["Type"],
  context: TaskContext
) => Effect.Effect<T["success"]["Type"], T["error"]["Type"] | Infrastructure, R>

export type { Infrastructure }

/** A handler for every task of a group. */
export type HandlersOf<Tasks extends ReadonlyArray<Task.Any>, R> = {
  readonly [T in Tasks[number] as T["tag"]]: Handler<T, R>
}

type ServicesOf<H> = {
  readonly [K in keyof H]: H[K] extends (...args: ReadonlyArray<never>) => infer F ? Effect.Services<F> : never
}[keyof H]

/** A group of tasks. Made by `make`. */
export interface TaskGroup<in out Id extends string, out Tasks extends ReadonlyArray<Task.Any>> {
  readonly id: Id
  readonly tasks: Tasks
  /**
   * The layer of the handlers, one for each task; a missing handler does not compile. Without types, it is a defect of
   * the layer. The handlers' services are taken once, when the layer is built in a worker.
   * The scope of a handler is that of its run: it ends when the result is stored. So a task can return the handle of an
   * object that it made.
   */
  readonly toLayer: <const H, R>(
    // R is a free type parameter. As `unknown` it would be inferred as services that nothing provides.
    handlers: H & HandlersOf<Tasks, NoInfer<R>>
  ) => Layer.Layer<Handlers<Id>, never, Exclude<ServicesOf<H>, Scope.Scope>>
}

/**
 * Makes a group. A worker finds a handler by the group's id and the task's tag, so both must be equal on both sides.
 */
export const make = <const Id extends string, const Tasks extends ReadonlyArray<Task.Any>>(
  id: Id,
  options: { readonly tasks: Tasks }
): TaskGroup<Id, Tasks> => ({
  id,
  tasks: options.tasks,
  toLayer: <H>(handlers: H) =>
    Layer.effect(
      handlersOf<Id>(id),
      Effect.flatMap(Effect.context<ServicesOf<H>>(), (services) => {
        // The scope of the layer, in which the worker keeps its handlers, is not that of a run, nor is its span.
        const context = Context.omit(Scope.Scope, Tracer.ParentSpan)(services) as Context.Context<
          Exclude<ServicesOf<H>, Scope.Scope>
        >
        const missing = options.tasks.find(({ tag }) => typeof handlers[tag as keyof H] !== "function")
        const issue = issueOf(options.tasks) ??
          (missing === undefined ? undefined : `the task ${missing.tag} has no handler`)
        return issue !== undefined ? Effect.die(new Error(`${id}: ${issue}`)) : Effect.succeed(
          new Map(options.tasks.map((task) => {
            // The mapped type of `toLayer` has a handler for every tag, of that task's types.
            const handler = handlers[task.tag as keyof H] as Handler<Task.Any, ServicesOf<H>>
            return [task.tag, {
              task,
              run: (payload, info) => {
                const handled = Effect.suspend(() => {
                  const effect = handler(payload, info)
                  return Effect.isEffect(effect) ? effect : noEffect(task.tag, effect, "an Effect")
                })
                const run = Span.ofRun(`Task.${task.tag}`, handled)
                return dieOfUndeclared(Effect.provideContext(run, context), task)
              }
            }]
          }))
        )
      })
    )
})

/** Why tasks cannot be those of one group; undefined: they can. */
export const issueOf = (tasks: ReadonlyArray<Task.Any>): string | undefined => {
  const twice = tasks.find(({ tag }, position) => tasks.findIndex((other) => other.tag === tag) < position)
  return twice === undefined ? undefined : `two tasks of the group have the tag ${twice.tag}`
}

/** Why a group cannot run a task; undefined: it can. */
export const memberIssue = (
  { id, tasks }: { readonly id: string; readonly tasks: ReadonlyArray<Task.Any> },
  { tag }: Task.Any
): string | undefined => tasks.some((task) => task.tag === tag) ? undefined : `it is not a task of the group ${id}`

/** A task and its handler, whose services are provided, but for the scope of a run. */
export interface Runnable {
  readonly task: Task.Any
  readonly run: Handler<Task.Any, Scope.Scope>
}

/** The service key of a group's handlers. */
export const handlersOf = <Id extends string>(id: Id): Context.Key<Handlers<Id>, ReadonlyMap<string, Runnable>> =>
  Context.Service<Handlers<Id>, ReadonlyMap<string, Runnable>>(`@effect-multiprocessing/core/TaskGroup/${id}`)
