/**
 * Actors: objects whose methods run in a process of the program, with whatever services they need (Python's registered
 * classes, Erlang's `gen_server`).
 *
 * The manager passes calls on to the host of the actor, and knows whether the host lives. It runs no code of users.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { type ActorKind, type ActorRemote, type CallError, callsOf } from "./actor/calls.ts"
import type { AlreadyServed } from "./actor/errors.ts"
import * as Host from "./actor/host.ts"
import * as Method from "./actor/Method.ts"
import type { ManagerError } from "./ManagerError.ts"
import type { Infrastructure } from "./proxy/infrastructure.ts"
import type { Manager } from "./proxy/Manager.ts"
import * as Shared from "./proxy/Shared.ts"
import * as Task from "./Task.ts"

export type { CallError } from "./actor/calls.ts"
export { ActorDied, AlreadyServed, MailboxFull, NotHosted } from "./actor/errors.ts"
export type { ServeOptions } from "./actor/host.ts"
export type { Method, Methods } from "./actor/Method.ts"
export type { Infrastructure } from "./proxy/infrastructure.ts"

const define = <Streams extends boolean>(streams: Streams) =>
<C extends Task.Contract = {}>(
  contract: C & Task.Only<C, Task.Contract> = {} as C & Task.Only<C, Task.Contract>
): Method.Method<Streams, Task.PayloadOf<C>, Task.SuccessOf<C>, Task.ErrorOf<C>> => ({
  streams,
  ...Task.schemasOf<C>(contract)
})

/** Declares a method that returns one result: `Actor.method({ payload: { word: Schema.String }, success: Schema.Int })`. */
export const method = define(false)

/**
 * Declares a method that returns a stream, of whose elements `success` is the schema. A slow reader slows the handler
 * down: the manager holds at most 16 groups of 64 elements for it.
 */
export const stream = define(true)

/** The property under which an actor carries what its host needs. */
const TypeId = "~@effect-multiprocessing/core/Actor"

/** The result of a method: an effect, or a stream. */
type Result<M extends Method.Any, E, R> = M["streams"] extends true
  ? Stream.Stream<M["success"]["Type"], M["error"]["Type"] | E, R>
  : Effect.Effect<M["success"]["Type"], M["error"]["Type"] | E, R>

/**
 * An actor. Each of its methods is a function, or without a payload a value. A call fails with an error of its method,
 * with `ManagerError`, or
 *
 * - with `ActorDied` if the host ends after it has received the call. A call is never carried out twice;
 * - with `MailboxFull` if `mailboxMax` calls wait for the host;
 * - with `NotHosted` if there is no host, and calls do not wait for one (`withoutHost: "fail"`).
 *
 * A defect of the handler is a defect of the call, and the host goes on.
 *
 * **Fairness** The host receives calls in order of arrival, and begins with them in this order. **Cancellation** A call
 * that the host has not received is withdrawn. The handler of a call that it has received is interrupted; the caller does
 * not wait for the end of the handler. **On disconnect** `ManagerError`, whose reason says whether the call may have taken
 * effect; its handler is interrupted. If the host disconnects, the calls that it has received fail with `ActorDied`, and
 * the others wait for the next host. If the actor is removed, its calls fail with `ManagerError` of reason `ObjectDeleted`;
 * one that the host had received may have taken effect.
 */
export type Actor<M extends Method.Methods> =
  & Shared.Shared
  & { readonly [TypeId]: Contract<M> }
  & {
    readonly [N in keyof M]: [M[N]["payload"]["Type"]] extends [void] ? Result<M[N], CallError, never>
      : (payload: M[N]["payload"]["Type"]) => Result<M[N], CallError, never>
  }

interface Contract<M extends Method.Methods> {
  readonly methods: M
  readonly remote: ActorRemote
  readonly codecsOf: (name: string) => Method.Codecs
}

/**
 * The handlers of an actor: what its methods do. A handler fails with the errors of its method, and with those of
 * `Infrastructure`: its caller gets `ManagerError` as if the caller's own call had failed, and a lost lock as a defect.
 * Each runs in a scope of its own, which ends when the result is on its way: so a method can return the handle of an
 * object that it made.
 */
export type Handlers<M extends Method.Methods, R> = {
  readonly [N in keyof M]: (payload: M[N]["payload"]["Type"]) => Result<M[N], Infrastructure, R>
}

type ServicesOf<H> = {
  readonly [N in keyof H]: H[N] extends (...args: ReadonlyArray<never>) => infer Result
    ? Result extends Stream.Stream<unknown, unknown, infer R> ? R : Effect.Services<Result>
    : never
}[keyof H]

/** The options of an actor. All programs that open a name must agree on them. */
export interface Options<M extends Method.Methods> {
  readonly methods: M
  /** How many calls may wait for the host to receive them; a further one fails with `MailboxFull`. Default 1024. */
  readonly mailboxMax?: number | undefined
  /** Whether calls wait while there is no host, or fail with `NotHosted`. Default *wait*. */
  readonly withoutHost?: "wait" | "fail" | undefined
}

/** The class of a named actor. */
export interface ServiceClass<Self, Id extends string, M extends Method.Methods>
  extends Shared.ServiceClass<Self, Id, Actor<M>, Method.Services<M>>
{
  readonly methods: M
  /** Hosts the actor: see `serve`. */
  readonly serve: <const H, R>(
    // R is a free type parameter. As `unknown` it would be inferred as services that nothing provides.
    handlers: H & Handlers<M, NoInfer<R>>,
    options?: Host.ServeOptions
  ) => Effect.Effect<never, AlreadyServed | ManagerError, Self | Exclude<ServicesOf<H>, Scope.Scope>>
}

const kind = "Actor"

const facade = <M extends Method.Methods>(
  methods: M
): Shared.Facade<Actor<M>, ActorKind, Method.Compiled, Method.Services<M> | Manager> => {
  Method.checkNames(methods)
  return {
    kind,
    values: { schemas: [Method.schemaOf(methods)], codecs: Method.compile(methods) },
    // The methods are those that type them.
    proxy: (remote, { codecsOf, manager }) =>
      ({
        ...callsOf(methods, remote, codecsOf, manager),
        [TypeId]: { methods, remote, codecsOf },
        [Shared.TypeId]: remote
      }) as unknown as Actor<M>
  }
}

const creation = (
  { mailboxMax = 1_024, withoutHost = "wait" }: Omit<Options<Method.Methods>, "methods">
): Shared.Creation<ActorKind, Method.Compiled> => ({ options: { mailboxMax, withoutHost } })

/**
 * Declares a named actor as a service:
 *
 * ```ts
 * class Search extends Actor.Service<Search>()("app/Search", {
 *   methods: { find: Actor.method({ payload: { word: Schema.String }, success: Schema.Array(Schema.Int) }) }
 * }) {}
 * ```
 *
 * The names `toJSON` and `toString` are those of every object: a method with such a name is a defect of the definition, and
 * is thrown.
 */
export const Service = <Self>() =>
<const Id extends string, const M extends Method.Methods>(
  id: Id,
  options: Options<M>
): ServiceClass<Self, Id, M> => {
  const { methods } = options
  const tag = Shared.service<Self>()(id, facade(methods), creation(options))
  return Object.assign(tag, {
    methods,
    serve: <const H, R>(handlers: H & Handlers<M, NoInfer<R>>, options?: Host.ServeOptions) =>
      Effect.flatMap(tag, (actor) => serve<M, H, R>(actor, handlers, options))
  })
}

/** Opens an actor by name, or makes one without a name, for the life of the scope. */
export const make = <const M extends Method.Methods>(
  options: Options<M> & { readonly name?: string | undefined }
): Effect.Effect<Actor<M>, Shared.OpenError, Manager | Scope.Scope | Method.Services<M>> =>
  Shared.open(facade(options.methods), creation(options), options.name)

/** The schema of an actor's handle, for actors inside payloads, results and values. */
export const schema = <const M extends Method.Methods>(
  methods: M
): Shared.HandleSchema<Actor<M>, Method.Services<M>> => Shared.handleSchema(facade(methods))

/** Whether a value is an actor. */
export const isActor = (u: unknown): u is Actor<Method.Methods> => Shared.isShared(kind)(u)

/**
 * Hosts an actor in this process: receives its calls, and runs the handler of each in a fiber of its own. Never returns.
 * An actor has one host at a time. Another one fails with `AlreadyServed`, or with `standby` waits for the end of the
 * first.
 *
 * **Fairness** Of the hosts on standby the first becomes the host. **Cancellation** Interrupting it interrupts the
 * handlers, whose calls fail with `ActorDied`, and waits for their end. Calls whose handlers have not begun wait for the
 * next host. **On disconnect** The handlers are interrupted, then it fails with `ManagerError`.
 */
export const serve = <M extends Method.Methods, const H, R>(
  actor: Actor<M>,
  handlers: H & Handlers<M, NoInfer<R>>,
  options: Host.ServeOptions = {}
): Effect.Effect<never, AlreadyServed | ManagerError, Exclude<ServicesOf<H>, Scope.Scope>> =>
  // The serving fiber has the services of the handlers.
  Host.serve({ ...actor[TypeId], handlers: handlers as unknown as Host.Handlers }, options)

/** The calls of an actor. */
export interface Status {
  readonly isHosted: boolean
  /** Calls that wait for the host to receive them. */
  readonly queued: number
  /** Calls that the host has received. */
  readonly delivered: number
}

/** Returns how many calls of an actor there are, and whether it has a host. */
export const status = <M extends Method.Methods>(actor: Actor<M>): Effect.Effect<Status, ManagerError> =>
  actor[TypeId].remote.call(
    "status",
    [],
    ([isHosted, queued, delivered]) => Exit.succeed({ isHosted: isHosted === 1, queued, delivered })
  )
