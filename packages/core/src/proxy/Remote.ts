/**
 * A shared object as a client knows it: typed calls to one object over the connection.
 *
 * The operations' names, arguments and replies come from the kind's own definition, as types only: at run time the
 * manager tells its operations at the handshake, so a client can also find that an older manager lacks one.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import { Call } from "../client/Call.ts"
import type { Connection } from "../client/Connection.ts"
import { failure, inScope } from "../client/Failure.ts"
import type { JointCall } from "../client/Joint.ts"
import type { OperationInfo, Target } from "../client/Target.ts"
import type { Notification } from "../client/Watches.ts"
import type { kind as DirectoryKind } from "../engine/Directory.ts"
import type { Outcome } from "../engine/Inputs.ts"
import type { Kind } from "../engine/Kind.ts"
import type { Argument, Cell, ObjectId } from "../engine/Value.ts"
import { InvalidRequest, ManagerError, ValueNotDecoded } from "../ManagerError.ts"
import { unsent } from "./unsent.ts"
import type { TextCodec, ValueCodec } from "./ValueCodec.ts"

// oxlint-disable-next-line typescript/no-explicit-any -- matches any kind to read its operations' types
type OperationsOf<K> = K extends Kind<any, infer Operations, string, any> ? Operations : never

type TypesOf<K, N extends keyof OperationsOf<K>> = NonNullable<OperationsOf<K>[N]["types"]>

/** What an operation of a kind takes. */
export type ArgumentsOf<K, N extends keyof OperationsOf<K>> = TypesOf<K, N>["arguments"]

/** What an operation of a kind replies. */
export type ReplyOf<K, N extends keyof OperationsOf<K>> = TypesOf<K, N>["reply"]

/** The refusals that a kind declares, as its own errors. The others are mistakes of the caller: `InvalidRequest`. */
export type Refusals<Name extends string, E> = {
  readonly [X in Name]?: (details: ReadonlyArray<Argument>, object: string) => E
}

/** The names of the refusals that an operation of a kind can meet. */
type RefusalOf<K, N extends keyof OperationsOf<K>> = TypesOf<K, N>["refusals"]

/** Makes waiting interruptible again inside a masked region. */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** The property under which a shared object carries its remote. */
export const TypeId = "~@effect-multiprocessing/core/Shared"

/** Every shared object carries its remote, by which it can travel as a value. */
export interface Shared {
  readonly [TypeId]: Remote<unknown>
}

/** The directory of a manager: it opens, deletes and inspects objects (`engine/Directory.ts`). */
export const directory = (connection: Connection, description = "the manager"): Remote<typeof DirectoryKind> =>
  new Remote<typeof DirectoryKind>(connection, "Directory", { id: 0, description, name: undefined }, "")

/** Turns a reply into an exit. */
type Decode<K, N extends keyof OperationsOf<K>, A, E> = (reply: ReplyOf<K, N>, index: number) => Exit.Exit<A, E>

/** A call that is not made yet. */
export interface PreparedCall extends JointCall {
  readonly remote: Remote<unknown>
  /** Why it cannot be sent. */
  readonly issue: string | undefined
  /** Its errors besides those of every call. */
  readonly refusals: Refusals<string, unknown> | undefined
}

const unknownOperation = { kind: undefined, position: 0, access: "read", meter: undefined } as const

/** One shared object over a connection. */
export class Remote<K> {
  readonly connection: Connection
  readonly target: Target
  readonly kind: string
  readonly fingerprint: string
  /** The list of handles that it came in: the session keeps the object while this list is reachable. */
  readonly origin: ReadonlyArray<ObjectId> | undefined
  readonly #operations: ReadonlyMap<string, OperationInfo>

  constructor(
    connection: Connection,
    kind: string,
    target: Target,
    fingerprint: string,
    origin?: ReadonlyArray<ObjectId>
  ) {
    this.connection = connection
    this.kind = kind
    this.target = target
    this.fingerprint = fingerprint
    this.origin = origin
    this.#operations = connection.operationsOf(kind)
  }

  /** Calls an operation that reads or changes. `refusals` are those of the kind that this operation can meet. */
  call<N extends keyof OperationsOf<K> & string, A, E = never, F = never>(
    name: N,
    args: ArgumentsOf<K, N>,
    decode: Decode<K, N, A, E>,
    refusals?: Refusals<RefusalOf<K, N>, F>
  ): Effect.Effect<A, E | F | ManagerError> {
    const operation = this.#operations.get(name)
    if (operation === undefined) return this.invalid(name, unsupported)
    const issue = issueOf(args)
    return issue === undefined
      ? this.connection.call(this.target, operation, args, this.#complete(name, decode, refusals))
      : this.invalid(name, issue)
  }

  /**
   * Calls an operation whose reply must not get lost, where interruption is masked (`Connection.callOwned`). A reply
   * that does not decode is given to the operation `reject`, with its index and the reason.
   */
  callOwned<N extends keyof OperationsOf<K> & string, A, E = never, F = never>(
    restore: Restore,
    name: N,
    args: ArgumentsOf<K, N>,
    decode: Decode<K, N, A, E>,
    refusals?: Refusals<RefusalOf<K, N>, F>,
    reject?: keyof OperationsOf<K> & string
  ): Effect.Effect<A, E | F | ManagerError> {
    const { connection, target } = this
    const operation = this.#operations.get(name)
    if (operation === undefined) return this.invalid(name, unsupported)
    const issue = issueOf(args)
    if (issue !== undefined) return this.invalid(name, issue)
    const rejection = reject === undefined ? undefined : this.#operations.get(reject)
    return connection.callOwned(restore, target, operation, args, this.#complete(name, decode, refusals), rejection)
  }

  /**
   * Sends a call without waiting for its end: to give something back. A connection that has ended holds nothing. `refused`
   * is told of a failure.
   */
  tell<N extends keyof OperationsOf<K> & string>(
    name: N,
    args: ArgumentsOf<K, N>,
    refused?: (error: ManagerError) => void
  ): void {
    const operation = this.#operations.get(name)
    if (operation === undefined) return
    const complete = (outcome: Outcome) => {
      if (refused !== undefined && outcome._tag === "Failure") refused(failure(this.target, name, outcome))
      return Exit.void
    }
    this.connection.tell(new Call(this.target, operation, [], complete, () => {}, "settling", undefined), args)
  }

  /**
   * Makes a call without a fiber that waits for it. `ended` gets the reply in the turn in which it is read: what it grants
   * belongs to the caller.
   */
  request<N extends keyof OperationsOf<K> & string>(
    name: N,
    args: ArgumentsOf<K, N>,
    ended: (exit: Exit.Exit<ReplyOf<K, N>, ManagerError>) => void
  ): void {
    const operation = this.#operations.get(name)
    // To a manager that does not know it, the program could not have made the call before this one.
    if (operation === undefined) return
    const complete = this.#complete(name, Exit.succeed<ReplyOf<K, N>>, undefined)
    this.connection.tell(new Call(this.target, operation, [], complete, ended, "plain", undefined), args)
  }

  /** The object's snapshot, then its changes. */
  get notifications(): Stream.Stream<Notification, ManagerError> {
    return Stream.mapError(this.connection.watch(this.target), (error) => this.#inScope(error))
  }

  /** Encodes a value now. A value that does not encode fails before anything is sent. */
  encode<A>(operation: string, codec: ValueCodec<A>, value: A): Exit.Exit<Cell, ManagerError> {
    return Exit.mapError(codec.encode(value), (error) => this.notEncoded(operation, error))
  }

  /** Encodes a value now. Equal values are equal cells (S-25). */
  encodeCanonical<A, C extends Cell>(
    operation: string,
    codec: ValueCodec<A, C>,
    value: A
  ): Exit.Exit<C, ManagerError> {
    return Exit.mapError(codec.encodeCanonical(value), (error) => this.notEncoded(operation, error))
  }

  /** Encodes a key. The manager counts no references in keys, so a key cannot hold a handle (S-23). */
  encodeKey<A>(operation: string, codec: TextCodec<A>, key: A): Exit.Exit<string, ManagerError> {
    const encoded = this.encodeCanonical(operation, codec, key)
    return Exit.isSuccess(encoded) && encoded.value.handles.length > 0
      ? Exit.fail(this.notEncoded(operation, { message: "a key cannot hold a handle" }))
      : Exit.map(encoded, ({ text }) => text)
  }

  /** Decodes a value. */
  decode<A>(operation: string, codec: ValueCodec<A>, cell: Cell): Exit.Exit<A, ManagerError> {
    return Exit.mapError(
      codec.decode(cell),
      ({ message }) => new ManagerError({ reason: new ValueNotDecoded({ ...this.#named(operation), issue: message }) })
    )
  }

  notEncoded(operation: string, error: Parameters<typeof unsent>[1]): ManagerError {
    return unsent(this.#named(operation), error)
  }

  #inScope(error: ManagerError): ManagerError {
    return inScope(error, this.origin && this.connection.received.endedScope(this.origin))
  }

  #named(operation: string) {
    return { object: this.target.description, operation }
  }

  /** A call that is not made yet: for a request of several (`Connection.callJoint`). */
  prepared<N extends keyof OperationsOf<K> & string>(
    name: N,
    args: ArgumentsOf<K, N>,
    refusals?: Refusals<string, unknown>
  ): PreparedCall {
    const operation = this.#operations.get(name)
    const issue = operation === undefined ? unsupported : issueOf(args)
    return {
      remote: this,
      target: this.target,
      operation: operation ?? { name, ...unknownOperation },
      args,
      issue,
      refusals
    }
  }

  #complete<R, A, E, F>(
    operation: string,
    decode: (reply: R, index: number) => Exit.Exit<A, E>,
    refusals: Refusals<string, F> | undefined
  ) {
    return (outcome: Outcome, index: number): Exit.Exit<A, E | F | ManagerError> => {
      // The kind's definition types its reply; both sides have one protocol version (handshake).
      if (outcome._tag === "Success") return decode(outcome.reply as unknown as R, index)
      return this.refused(operation, outcome, refusals)
    }
  }

  /** The exit of a refused call. */
  refused<F = never>(
    operation: string,
    outcome: Extract<Outcome, { readonly _tag: "Failure" }>,
    refusals?: Refusals<string, F>
  ): Exit.Exit<never, F | ManagerError> {
    const { details, error } = outcome
    const refusal = refusals?.[error]
    if (refusal !== undefined) return Exit.fail(refusal(details, this.target.description))
    return error === "FencedOut"
      ? this.#fencedOut(operation, Number(details[0]))
      : Exit.fail(this.#inScope(failure(this.target, operation, outcome)))
  }

  /** S-21: a refused guard trips the loss signal of its hold; the `withLock` that owns it interrupts this fiber. */
  #fencedOut(operation: string, hold: number): Exit.Exit<never> {
    if (this.connection.holds.trip(hold, "the manager has taken it back, and has refused a call under it")) {
      return Exit.failCause(Cause.interrupt())
    }
    return Exit.die(
      new Error(
        `${operation} on ${this.target.description} was refused: this fiber stands under a lock that has ended, or that ` +
          "another fiber gave up to wait. A fiber that outlives its withLock must run its calls in SharedLock.unguarded"
      )
    )
  }

  /** Refuses a call before it is sent. */
  invalid(operation: string, issue: string): Effect.Effect<never, ManagerError> {
    return Effect.fail(this.#invalid(operation, issue))
  }

  #invalid(operation: string, issue: string): ManagerError {
    return new ManagerError({ reason: new InvalidRequest({ ...this.#named(operation), issue }) })
  }
}

const unsupported = "this manager does not know the operation; is it an older release?"

/** Why arguments cannot be sent, though their types say that they can. The manager checks all else. */
const issueOf = (args: ReadonlyArray<Argument>): string | undefined => {
  for (let i = 0; i < args.length; i++) {
    const argument: unknown = args[i]
    if (typeof argument === "string") {
      // UTF-8 has nothing for half of a pair: two names would be one.
      if (!argument.isWellFormed()) return `${JSON.stringify(argument)} is no well-formed Unicode`
    } else if (typeof argument !== "number" && argument !== null && !Predicate.hasProperty(argument, "handles")) {
      return `argument ${i + 1} is ${typeof argument === "object" ? "an object" : String(argument)}`
    }
  }
  return undefined
}
