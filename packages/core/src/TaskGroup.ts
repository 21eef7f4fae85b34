/**
 * A group of tasks and what they do: the program's list of everything that other processes may be asked to run.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Task from "./Task.ts"

/** What a task is told besides its payload. */
export interface TaskContext {
  /** 1 at first; one more for each run of this task that ended without a result. */
  readonly attempt: number
}

/** The handlers of a group as a service: what `toLayer` provides and a worker needs. */
export interface Handlers<in out Id extends string> {
  readonly "~@effect-multiprocessing/core/Handlers": Id
}

/** What a task does. */
export type Handler<T extends Task.Any, R> = (
  payload: T["payload"]["Type"],
  context: TaskContext
) => Effect.Effect<T["success"]["Type"], T["error"]["Type"], R>

/** A handler for every task of a group. */
export type HandlersOf<Tasks extends ReadonlyArray<Task.Any>, R> = {
  readonly [T in Tasks[number] as T["tag"]]: Handler<T, R>
}

type ServicesOf<H> = {
  readonly [K in keyof H]: H[K] extends (...args: ReadonlyArray<never>) => infer F ? Effect.Services<F> : never
}[keyof H]

/** A group of tasks. */
export interface TaskGroup<in out Id extends string, out Tasks extends ReadonlyArray<Task.Any>> {
  readonly id: Id
  readonly tasks: Tasks
  /** Says what each task does; a missing handler does not compile. Their services are taken when the layer is built. */
  readonly toLayer: <const H, R>(
    // R is no service: written `unknown`, it would be inferred as what some handlers need, and nothing provides that.
    handlers: H & HandlersOf<Tasks, NoInfer<R>>
  ) => Layer.Layer<Handlers<Id>, never, ServicesOf<H>>
}

/** Makes a group. Its id and its tasks' tags are how a worker finds what to run: they must be the same on both sides. */
export const make = <const Id extends string, const Tasks extends ReadonlyArray<Task.Any>>(
  id: Id,
  options: { readonly tasks: Tasks }
): TaskGroup<Id, Tasks> => ({
  id,
  tasks: options.tasks,
  toLayer: <H>(handlers: H) =>
    Layer.effect(
      handlersOf<Id>(id),
      Effect.map(Effect.context<ServicesOf<H>>(), (context) =>
        new Map(options.tasks.map((task) => [task.tag, {
          task,
          run: (payload, info) =>
            // The mapped type of `toLayer` has a handler for every tag, of that task's types.
            Effect.provideContext(
              (handlers[task.tag as keyof H] as Handler<Task.Any, ServicesOf<H>>)(payload, info),
              context
            )
        }])))
    )
})

/** A task and what it does, with its services. */
export interface Runnable {
  readonly task: Task.Any
  readonly run: Handler<Task.Any, never>
}

/** The key of a group's handlers. */
export const handlersOf = <Id extends string>(id: Id): Context.Key<Handlers<Id>, ReadonlyMap<string, Runnable>> =>
  Context.Service<Handlers<Id>, ReadonlyMap<string, Runnable>>(`@effect-multiprocessing/core/TaskGroup/${id}`)
