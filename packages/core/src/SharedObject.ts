/**
 * Objects of own kinds (`Kind`): an operation is a method, and the state can be read and watched.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { GrantId } from "./engine/Operation.ts"
import type { Argument, Cell } from "./engine/Value.ts"
import type * as Kind from "./Kind.ts"
import { codecsOf, type OperationCodecs } from "./kind/codecs.ts"
import { releaseOperation, stateOperation } from "./kind/names.ts"
import type { ManagerError } from "./ManagerError.ts"
import { encoded } from "./proxy/exits.ts"
import { first } from "./proxy/first.ts"
import { Held, under } from "./proxy/hold.ts"
import type { Manager } from "./proxy/Manager.ts"
import { callInTransaction } from "./proxy/objectTransaction.ts"
import type { OwnKind, OwnRemote } from "./proxy/ownRemote.ts"
import type { Refusals } from "./proxy/Remote.ts"
import * as Shared from "./proxy/Shared.ts"
import type { Transaction } from "./proxy/TransactionLog.ts"

/** A hold was lost while the body ran: the object was removed, the connection ended, or `holdFor` is over. */
export class HoldLost extends Schema.TaggedError<HoldLost>()("HoldLost", {
  object: Schema.String,
  operation: Schema.String,
  /** For people. */
  why: Schema.String
}) {
  override get message(): string {
    return `the hold of ${this.operation} on ${this.object} was lost: ${this.why}. The body was interrupted. Its writes to ` +
      "this manager before the loss stand, and later ones are refused"
  }
}

type AnyOperation = Kind.Operations[string]

/** The effect of an operation. A hold needs the scope in which it is held. */
type Result<O extends AnyOperation> = Effect.Effect<
  O["success"]["Type"],
  O["error"]["Type"] | ManagerError,
  O["access"] extends "hold" ? Scope.Scope : never
>

/** An operation as a method; without a payload it is a value. */
export type Method<O extends AnyOperation> = [O["payload"]["Type"]] extends [void] ? Result<O>
  : (payload: O["payload"]["Type"]) => Result<O>

type InTransaction<O extends AnyOperation> = Effect.Effect<
  O["success"]["Type"],
  O["error"]["Type"] | ManagerError,
  Transaction
>

/**
 * An operation in a transaction (`Transaction.tx`). It sees what the operations before it have made of the state, and all
 * see one time and one index. Where its transition waits, the transaction runs again when something that it has read has
 * changed.
 */
export type TransactionMethod<O extends AnyOperation> = [O["payload"]["Type"]] extends [void] ? InTransaction<O>
  : (payload: O["payload"]["Type"]) => InTransaction<O>

/** The operations of a kind in a transaction. What grants a hold is none of them. */
export type TransactionMethods<Ops extends Kind.Operations> = {
  readonly [N in keyof Ops as Ops[N]["access"] extends "hold" ? never : N]: TransactionMethod<Ops[N]>
}

/** The state of an object of an own kind. */
export interface State<out A> {
  /** Returns the state. */
  readonly get: Effect.Effect<A, ManagerError>
  /**
   * The state, then the state after each change. A reader that falls behind skips states.
   *
   * **On disconnect** The stream fails with `ManagerError`.
   */
  readonly changes: Stream.Stream<A, ManagerError>
  /**
   * Waits until the state satisfies a predicate, and returns that state. It may miss a state that lasts for a moment only;
   * a read that waits (`Kind.read` with `Kind.wait`) misses none.
   *
   * **Fairness** Delays no other call. **Cancellation** Interruptible. **On disconnect** `ManagerError`.
   */
  readonly until: (predicate: Predicate.Predicate<A>) => Effect.Effect<A, ManagerError>
}

/**
 * An object of an own kind. Each operation of the kind is a method. A call fails with an error of its operation, or with
 * `ManagerError`; its reason is `TransitionFailed` when the transition threw or returned what does not fit its schema.
 *
 * **Fairness** A call that must wait waits in the lane of its operation, in order of arrival. **Cancellation** A call that
 * waits is withdrawn. A hold that was granted by then ends. **On disconnect** `ManagerError`, whose reason says whether
 * the call took effect. The holds of the process end.
 */
export type SharedObject<K extends Kind.Any> =
  & Shared.Shared
  & { readonly state: State<K["state"]["Type"]>; readonly tx: TransactionMethods<K["operations"]> }
  & { readonly [N in keyof K["operations"]]: Method<K["operations"][N]> }

/** The options of an object of a kind. */
export type Options<K extends Kind.Any> = [K["options"]["Type"]] extends [void] ? { readonly options?: undefined }
  : {
    /** All programs that open a name must agree on them. */
    readonly options: K["options"]["Type"]
  }

/** The class of a named object. It also stands for its kind where a manager is given its `kinds`. */
export interface ServiceClass<Self, Id extends string, K extends Kind.Any>
  extends Shared.ServiceClass<Self, Id, SharedObject<K>, never>
{
  readonly kind: K
}

/** Parameters that may be absent when no option is needed. */
type Parameters<O> = {} extends O ? [options?: O] : [options: O]

/**
 * Declares a named object of a kind as a service:
 * `class Savings extends SharedObject.Service<Savings>()("app/Savings", Account) {}`.
 */
export const Service = <Self>() =>
<const Id extends string, K extends Kind.Any>(
  id: Id,
  kind: K,
  ...[given]: Parameters<Options<K>>
): ServiceClass<Self, Id, K> =>
  Object.assign(Shared.service<Self>()(id, facadeOf(kind), creationOf(kind, given?.options)), { kind })

/** Opens an object of a kind by name, or makes one without a name, for the life of the scope. */
export const make = <K extends Kind.Any>(
  kind: K,
  ...[given]: Parameters<Options<K> & { readonly name?: string | undefined }>
): Effect.Effect<SharedObject<K>, Shared.OpenError, Manager | Scope.Scope> =>
  Shared.open(facadeOf(kind), creationOf(kind, given?.options), given?.name)

/** The schema of the handle of an object of a kind, for objects inside payloads, items and values. */
export const schema = <K extends Kind.Any>(kind: K): Shared.HandleSchema<SharedObject<K>, never> =>
  Shared.handleSchema(facadeOf(kind))

/** Whether a value is an object of a kind. */
export const isSharedObject = <K extends Kind.Any>(kind: K) => (u: unknown): u is SharedObject<K> =>
  Shared.isShared(kind.name)(u)

/**
 * Runs a body under holds. `acquire` acquires them; they end with the body. Inside the body every call to the manager
 * carries the holds: when one is lost, the body is interrupted, the effect fails with `HoldLost`, and later calls of the
 * body are refused. A hold that is acquired without this ends with its scope in the same way, but protects no call.
 *
 * ```ts
 * yield* SharedObject.withHold(files.write, (token) => publish(token))
 * ```
 *
 * **Fairness** and **On disconnect** as `acquire`. **Cancellation** Interrupting the body ends the holds after the body's
 * finalizers.
 */
export const withHold = <A, E, R, B, E2, R2>(
  acquire: Effect.Effect<A, E, R>,
  body: (acquired: A) => Effect.Effect<B, E2, R2>
): Effect.Effect<B, E | E2 | HoldLost, Exclude<R, Scope.Scope> | Exclude<R2, Scope.Scope>> =>
  Effect.scoped(Effect.flatMap(Effect.scope, (scope) => {
    const holds: Array<Held<HoldLost>> = []
    return Effect.flatMap(
      Effect.provideService(acquire, Acquired, { scope, holds }),
      (value) =>
        holds.reduce(
          (guarded: Effect.Effect<B, E2 | HoldLost, R2>, held) =>
            Effect.uninterruptibleMask((restore) => under(restore, held, guarded, () => {})),
          Effect.suspend(() => body(value))
        )
    )
  }))

// internals

/** Where a method leaves the hold that it has acquired, for `withHold`, whose scope it is. */
const Acquired = Context.Reference<
  { readonly scope: Scope.Scope; readonly holds: Array<Held<HoldLost>> } | undefined
>(
  "@effect-multiprocessing/core/SharedObject/Acquired",
  { defaultValue: () => undefined }
)

const facadeOf = <K extends Kind.Any>(kind: K): Shared.Facade<SharedObject<K>, OwnKind> => ({
  kind: kind.name,
  fingerprinted: kind,
  // The methods are those of the operations that type them.
  proxy: (remote) => proxyOf(kind, remote) as unknown as SharedObject<K>
})

const creationOf = (kind: Kind.Any, options: unknown): Shared.Creation<OwnKind> => {
  const encoded = codecsOf(kind).options?.encodeCanonical(options)
  return {
    options: { options: encoded !== undefined && Exit.isSuccess(encoded) ? encoded.value.text : "" },
    initial: () => encoded === undefined ? Exit.succeed([]) : Exit.map(encoded, () => [])
  }
}

const proxyOf = (kind: Kind.Any, remote: OwnRemote) => {
  const { operations, state: codec } = codecsOf(kind)
  const decode = (operation: string) => ([cell]: ReadonlyArray<Argument>) =>
    // A state is replied as one value.
    remote.decode(operation, codec, cell as Cell)
  const state: State<unknown> = {
    get: remote.call(stateOperation, [], decode("get")),
    // Made when it is read: most handles are not watched.
    get changes() {
      return Stream.mapEffect(remote.notifications, ({ parts }) => decode("changes")(parts))
    },
    until: (predicate) => first(remote, Stream.filter(state.changes, predicate))
  }
  const methodsOf = (makers: (name: string, access: Kind.Access) => Maker) =>
    Object.fromEntries(
      Object.entries(kind.operations).map(([name, { access }]) => {
        const make = makers(name, access)(remote, name, operations[name]!)
        const { payload } = operations[name]!
        return [
          name,
          payload === undefined ?
            make([]) :
            (value: unknown) => encoded(() => remote.encode(name, payload, value), (cell) => make([cell]))
        ]
      })
    )
  return {
    ...methodsOf((_, access) => access === "hold" ? acquirer : caller),
    // Made when it is read: most handles are not used in a transaction.
    get tx() {
      return methodsOf(() => transactional)
    },
    state,
    [Shared.TypeId]: remote
  }
}

/** Makes the method of an operation: a function of the arguments. */
type Maker = (
  remote: OwnRemote,
  name: string,
  codecs: OperationCodecs
) => (args: ReadonlyArray<Cell>) => Effect.Effect<unknown, unknown, Scope.Scope | Transaction>

const transactional: Maker = (remote, name, codecs) => {
  const decode = decodeReply(remote, name, codecs)
  return ([payload]) =>
    Effect.flatMap(
      callInTransaction(remote, name, payload),
      ({ cell, isFailed }) =>
        isFailed ? Effect.flatMap(remote.decode(name, codecs.error, cell!), Effect.fail) : decode(cell)
    )
}

const caller = (remote: OwnRemote, name: string, codecs: OperationCodecs) => {
  const refusals = refusalsOf(remote, name, codecs)
  const decode = decodeReply(remote, name, codecs)
  return (args: ReadonlyArray<Argument>) => remote.call(name, args, ([cell]) => decode(cell), refusals)
}

const acquirer = (remote: OwnRemote, name: string, codecs: OperationCodecs) => {
  const refusals = refusalsOf(remote, name, codecs)
  const decode = decodeReply(remote, name, codecs)
  const loss = (_: GrantId, why: string) => new HoldLost({ object: remote.target.description, operation: name, why })
  return (args: ReadonlyArray<Argument>) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const scope = yield* Effect.scope
        const { held, value } = yield* remote.callOwned(
          restore,
          name,
          args,
          // A grant is replied with its token first.
          ([token, cell]) =>
            Exit.map(decode(cell), (value) => ({ value, held: new Held(remote, Number(token), loss) })),
          refusals,
          releaseOperation
        )
        const acquired = yield* Acquired
        acquired?.holds.push(held)
        held.endsWithBody = acquired?.scope === scope
        yield* Scope.addFinalizer(
          scope,
          Effect.sync(() => {
            held.end()
            remote.tell(releaseOperation, [held.token])
          })
        )
        return value
      })
    )
}

const decodeReply = (remote: OwnRemote, name: string, { success }: OperationCodecs) => (cell: Argument | undefined) =>
  // A reply has a value if its operation has a success.
  success === undefined ? Exit.succeed(undefined) : remote.decode(name, success, cell as Cell)

/** The errors of an operation. The defects of its kind are those of every operation (`client/Failure.ts`). */
const refusalsOf = (
  remote: OwnRemote,
  name: string,
  { error }: OperationCodecs
): Refusals<string, unknown> => ({
  Failed: ([cell]) =>
    Exit.match(remote.decode(name, error, cell as Cell), { onSuccess: (error) => error, onFailure: Cause.squash })
})
