/**
 * Own kinds: types of shared object that a program defines by a state, operations, and a pure transition for each.
 *
 * ```ts
 * const Account = Kind.make("app/Account", {
 *   state: Schema.Struct({ balance: Schema.Int }),
 *   initial: { balance: 0 },
 *   operations: { deposit: Kind.change({ payload: Schema.Int }), balance: Kind.read({ success: Schema.Int }) },
 *   transitions: {
 *     deposit: (state, amount) => Kind.done({ ...state, balance: state.balance + amount }),
 *     balance: (state) => Kind.succeed(state.balance)
 *   }
 * })
 * ```
 *
 * The transitions run in the manager, one at a time. Waiting, order, cancellation, the death of clients, guards and
 * watching are the manager's, as for the built-in types. `SharedObject` opens objects of a kind.
 */
import type * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { fingerprintOfKind } from "./proxy/fingerprint.ts"
import { holdForOption } from "./proxy/holdFor.ts"
import type * as Task from "./Task.ts"

/** A schema whose codec needs no services, because there are none in the manager. */
export interface Plain extends Schema.Top {
  readonly "DecodingServices": never
  readonly "EncodingServices": never
}

// ---------------------------------------------------------------------------------------------------------------
// operations
// ---------------------------------------------------------------------------------------------------------------

/** *read*: never changes the state. *change*: may. *hold*: is a change whose effect ends with a scope or a process. */
export type Access = "read" | "change" | "hold"

/** An operation, without its transition. */
export interface Operation<
  out A extends Access,
  out Payload extends Plain,
  out Success extends Plain,
  out Error extends Plain
> {
  readonly access: A
  readonly payload: Payload
  readonly success: Success
  readonly error: Error
  readonly lane: string | undefined
  /** In milliseconds. */
  readonly holdFor: number | undefined
}

/** Operations by name. */
export type Operations = Readonly<Record<string, Operation<Access, Plain, Plain, Plain>>>

/** The contract of an operation. */
export interface Contract {
  /** A schema, or the fields of a struct. Absent: the operation has no payload. */
  readonly payload?: Readonly<Record<string, Plain>> | Plain
  /** Absent: the operation returns nothing. */
  readonly success?: Plain
  /** Absent: the operation has no error of its own. */
  readonly error?: Plain
  /**
   * The line in which calls wait. Calls of operations with the same lane wait in one order of arrival. Absent: the
   * operation has a lane of its own, and its calls overtake those of other operations.
   */
  readonly lane?: string
}

/** The contract of an operation that grants a hold. */
export interface HoldContract extends Contract {
  /**
   * How long one holder may have it. Then it is taken back, as if the process had ended: a frozen process keeps its
   * connection. Absent: for ever.
   */
  readonly holdFor?: Duration.Input
}

/** The operation that a contract declares. */
type OperationOf<A extends Access, C> = Operation<
  A,
  Extract<Task.PayloadOf<C>, Plain>,
  Extract<Task.SuccessOf<C>, Plain>,
  Extract<Task.ErrorOf<C>, Plain>
>

const operation =
  <A extends Access, Known extends HoldContract>(access: A) =>
  <const C extends Known = {} & Known>(contract?: C & Task.Only<C, Known>): OperationOf<A, C> => {
    const { error = Schema.Never, holdFor, lane, payload = Schema.Void, success = Schema.Void }: HoldContract =
      contract ?? {}
    return {
      access,
      payload: Schema.isSchema(payload) ? payload : Schema.Struct(payload),
      success,
      error,
      lane,
      ...holdForOption({ holdFor })
      // As the types of the contract's parts say: each is the part that was given, or its default.
    } as OperationOf<A, C>
  }

/**
 * Declares an operation that never changes the state. A read that waits sees every state: it is tried after each change,
 * before the next one.
 */
export const read = operation<"read", Contract>("read")

/** Declares an operation that may change the state. */
export const change = operation<"change", Contract>("change")

/**
 * Declares an operation that gives its caller something until the caller's scope ends, or its process. `released` of
 * `make` defines what becomes of the state then.
 */
export const hold = operation<"hold", HoldContract>("hold")

// ---------------------------------------------------------------------------------------------------------------
// transitions
// ---------------------------------------------------------------------------------------------------------------

/** The step in which a transition runs. */
export interface Step {
  /** The manager's time in milliseconds. It never decreases. */
  readonly now: number
  /** The index that the change takes: unique, and it grows. For a read: the index of the last change. */
  readonly index: number
}

/** The state is replaced, and the call returns nothing. */
export interface Done<out State> {
  readonly _tag: "Done"
  readonly state: State
}

/** The state is replaced, and the call returns a value. */
export interface Replied<out State, out A> {
  readonly _tag: "Replied"
  readonly state: State
  readonly value: A
}

/** The state stays, and the call returns a value. */
export interface Succeeded<out A> {
  readonly _tag: "Succeeded"
  readonly value: A
}

/** The state stays, and the call fails. */
export interface Failed<out E> {
  readonly _tag: "Failed"
  readonly error: E
}

/** The call waits. */
export interface Waiting {
  readonly _tag: "Waiting"
  readonly until: number | undefined
}

/** An outcome that leaves the state. */
type Unchanged<A, E> = Succeeded<A> | Failed<E> | Waiting

/** An outcome that replaces the state. */
type Changed<State, A> = Replied<State, A> | ([void] extends [A] ? Done<State> : never)

/** The outcomes of the transition of an operation. A read leaves the state, and a hold that is granted changes it. */
export type Outcome<State, A, E, Accessing extends Access = "change"> = Accessing extends "read" ? Unchanged<A, E>
  : Accessing extends "hold" ? Changed<State, A> | Failed<E> | Waiting
  : Changed<State, A> | Unchanged<A, E>

/** Replaces the state. The call returns nothing. */
export const done = <const State>(state: State): Done<State> => ({ _tag: "Done", state })

/** Replaces the state. The call returns a value. */
export const reply = <const State, const A>(state: State, value: A): Replied<State, A> => ({
  _tag: "Replied",
  state,
  value
})

/** Leaves the state. The call returns a value. */
export const succeed = <const A>(value: A): Succeeded<A> => ({ _tag: "Succeeded", value })

/** Leaves the state. The call fails with an error of its operation. */
export const fail = <E>(error: E): Failed<E> => ({ _tag: "Failed", error })

/** The call waits. When the state has changed and no earlier call waits in its lane, its transition runs again. */
export const wait: Waiting = { _tag: "Waiting", until: undefined }

/** As `wait`. Its transition also runs again at a time of the manager, in milliseconds: `Step.now` plus a duration. */
export const waitUntil = (until: number): Waiting => ({ _tag: "Waiting", until })

/** A transition for every operation. */
export type Transitions<State, Ops extends Operations> = {
  readonly [N in keyof Ops]: (
    state: State,
    payload: Ops[N]["payload"]["Type"],
    step: Step
  ) => Outcome<State, Ops[N]["success"]["Type"], Ops[N]["error"]["Type"], Ops[N]["access"]>
}

/** A hold that has ended. */
export interface Hold<out Payload> {
  readonly payload: Payload
  /** The index of the change that granted it. */
  readonly index: number
  /**
   * *released*: the scope of its holder has ended. *cancelled*: the caller was interrupted before it had the hold. *session
   * ended*: the process of the holder has ended or was given up. *deadline*: `holdFor` is over.
   */
  readonly reason: "released" | "cancelled" | "session ended" | "deadline"
}

/** The names of the operations that grant a hold. */
type Holding<Ops extends Operations> = {
  [N in keyof Ops]: Ops[N]["access"] extends "hold" ? N : never
}[keyof Ops]

type Release<State, Ops extends Operations> = [Holding<Ops>] extends [never] ? { readonly released?: undefined } : {
  /** The state after the end of a hold, for each operation that grants one. It cannot refuse. */
  readonly released: {
    readonly [N in Holding<Ops>]: (state: State, hold: Hold<Ops[N]["payload"]["Type"]>) => State
  }
}

// ---------------------------------------------------------------------------------------------------------------
// kinds
// ---------------------------------------------------------------------------------------------------------------

/** The definition of a kind. */
export type Definition<State extends Plain, Options extends Plain, Ops extends Operations> =
  & {
    /** The schema of the state. A state that does not fit is never stored. */
    readonly state: State
    /** The schema of the options with which an object is made. All programs that open a name must agree on them. */
    readonly options?: Options
    /** The state of a new object, or a function that makes it from the options. */
    readonly initial: State["Type"] | ((options: Options["Type"]) => State["Type"])
    readonly operations: Ops
    /**
     * Pure functions: the outcome follows from the arguments alone. The state, the payload, and the plain objects and
     * lists in them are frozen. A transition that never returns stops the manager.
     */
    readonly transitions: Transitions<State["Type"], Ops>
    /** Predicates that hold for every state, by their names. `simulate` checks them after every step. */
    readonly invariants?: Readonly<Record<string, (state: State["Type"]) => boolean>>
  }
  & Release<State["Type"], Ops>

/** A kind of shared object. */
export interface Kind<
  out Name extends string,
  out State extends Plain,
  out Options extends Plain,
  out Ops extends Operations
> {
  readonly name: Name
  readonly state: State
  readonly options: Options
  readonly operations: Ops
  /** The schemas and the operations as text. A manager and its clients must have the same. */
  readonly fingerprint: string
  /** The functions of the definition. @internal */
  readonly functions: Functions
}

/** Any kind. */
export interface Any extends Kind<string, Plain, Plain, Operations> {}

/** A kind, or a service of one of its objects: what a manager is given in `kinds`. */
export type Known = Any | { readonly kind: Any }

/** The kinds that a manager is given, each once. @internal */
export const kindsOf = (known: ReadonlyArray<Known>): ReadonlyArray<Any> => [
  ...new Set(known.map((one) => "kind" in one ? one.kind : one))
]

/** The functions of a kind, which meet only states, payloads and options of this kind. @internal */
export interface Functions {
  readonly initial: (options: unknown) => unknown
  readonly transitions: Readonly<Record<string, (state: unknown, payload: unknown, step: Step) => unknown>>
  readonly released: Readonly<Record<string, (state: unknown, hold: Hold<unknown>) => unknown>>
  readonly invariants: Readonly<Record<string, (state: unknown) => boolean>>
}

/**
 * Defines a kind. A manager finds a kind by its name, so the name is unique in a program. Give the kind to every manager
 * that has objects of it: `runMain(main, { tasks, kinds: [Account] })`.
 *
 * The names `state`, `tx`, `toJSON` and `toString`, and names that begin with `$`, are those of every object: an operation with
 * such a name is a defect of the definition, and is thrown.
 */
export const make = <
  const Name extends string,
  State extends Plain,
  const Ops extends Operations,
  Options extends Plain = typeof Schema.Void
>(name: Name, definition: Definition<State, Options, Ops>): Kind<Name, State, Options, Ops> => {
  const { initial, operations, state } = definition
  const taken = Object.keys(operations).find((operation) =>
    /^(?:\$.*|state|tx|toJSON|toString|__proto__)$/.test(operation)
  )
  if (taken !== undefined) throw new Error(`${name}: an operation cannot have the name ${taken}`)
  // An absent schema of options is that of no options.
  const options = (definition.options ?? Schema.Void) as Options
  let fingerprint: string | undefined
  return {
    name,
    state,
    options,
    operations,
    // Not before it is needed: it walks all schemas.
    get fingerprint() {
      return fingerprint ??= fingerprintOfKind({ name, state, options, operations })
    },
    functions: {
      // The types of the definition have related each function with the schemas that guard it.
      initial: (typeof initial === "function" ? initial : () => initial) as Functions["initial"],
      transitions: definition.transitions as unknown as Functions["transitions"],
      released: (definition.released ?? {}) as unknown as Functions["released"],
      invariants: (definition.invariants ?? {}) as unknown as Functions["invariants"]
    }
  }
}
