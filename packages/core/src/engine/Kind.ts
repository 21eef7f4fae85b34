/**
 * A kind of shared object: its state, its operations, and what happens when a client goes away.
 *
 * A kind is data and pure functions. It knows its own idea and nothing else: waiting, indexes, sessions, replies,
 * guards, cancellation and reference counts belong to the generic loop in `Engine.ts`.
 *
 * ```text
 *   request ─► parameters ─► decide ──ready──► apply ─► reply
 *                              │ wait             ▲
 *                              └──► lane ── head ─┘      (after every change, in order, to a fixpoint)
 * ```
 *
 * - `decide` writes nothing and may refuse or wait (S-2).
 * - `apply` writes and cannot fail (S-2).
 * - An operation may change something already by beginning to wait, in `enter`; `withdraw` undoes it (S-14). These two
 *   halves are the reservation and the follow-up of dual data structures (Scherer and Scott, 2004).
 * - What an operation *grants* (a hold, a delivery, a lease, a turn) stays bound to the call that got it until it is
 *   settled; when that call is cancelled or its session ends, the engine hands it to `revoke` (S-10, S-11).
 */
import type { Argument, Cell } from "./Value.ts"

/** The commit index of the operation that granted it: unique, and a fencing token within an epoch (S-4). */
export type GrantId = number

/** Something bound to one call of one session until it is settled or revoked. */
export interface Grant {
  readonly id: GrantId
  readonly session: number
  readonly sequence: number
  readonly object: number
  /** Settled by the acknowledgement of its reply (a plain `take`), not by an operation. */
  readonly byReceipt: boolean
  /** Engine time in milliseconds at which it is revoked by itself; absent: never. */
  deadline?: number | undefined
}

/** Who a client says it is: shown to people, never trusted. */
export interface Client {
  readonly name: string
  readonly pid: number
}

/** Why a grant is taken back, or a waiting operation withdrawn. */
export type Withdrawal = "cancelled" | "session ended" | "deadline" | "fenced out"

/** The step an operation is decided or applied in. */
export interface At {
  /** The commit index of this change. While deciding: the index of the last one. */
  readonly index: number
  /** Engine time in milliseconds; never decreases. */
  readonly now: number
  /** Who calls; in `withdraw` and `revoke`: who is gone. */
  readonly client: Client
  /** The index at which this call began to wait, its own if the operation has `enter`; absent: it has just arrived. */
  readonly since: number | undefined
  /** Whether a change waits before this call in its lane. */
  readonly isBehind: boolean
  /** The grant with this id if this session holds it on this object. */
  readonly held: (id: GrantId) => Grant | undefined
  /** Ends a grant: what it stood for has been settled by the operation. */
  readonly settle: (id: GrantId) => void
  /** Revokes the grant of this very step at `now + milliseconds`, unless settled before. */
  readonly expire: (milliseconds: number) => void
  /** Counts a value that the state now holds (S-23). */
  readonly retain: (cell: Cell) => void
  /** Uncounts a value that the state no longer holds. */
  readonly release: (cell: Cell) => void
  /** Tells the watchers of this object (S-29). */
  readonly changed: (change: ReadonlyArray<Argument>) => void
}

/** What `decide` answers. */
export type Decision<Error extends string = string> =
  | { readonly _tag: "Ready" }
  /** In this lane: a waiting call moves to its tail. Absent: where it is, or in the operation's own. */
  | { readonly _tag: "Wait"; readonly lane?: string }
  | Refusal<Error>
  | { readonly _tag: "Answer"; readonly reply: ReadonlyArray<Argument> }

/** An expected failure of one operation: its name and what the error should tell. */
export interface Refusal<out Error extends string = string> {
  readonly _tag: "Refuse"
  readonly error: Error
  readonly details: ReadonlyArray<Argument>
}

/** Go on and apply. */
export const ready: Decision<never> = { _tag: "Ready" }

/** Wait in the operation's lane. */
export const wait: Decision<never> = { _tag: "Wait" }

/** Wait in another lane from now on, behind those who are there. */
export const waitIn = (lane: string): Decision<never> => ({ _tag: "Wait", lane })

/** Whether something is a refusal. */
export const isRefusal = (u: unknown): u is Refusal =>
  typeof u === "object" && u !== null && "_tag" in u && u._tag === "Refuse"

/** Fail the call; nothing changes. */
export const refuse = <const Error extends string>(
  error: Error,
  ...details: ReadonlyArray<Argument>
): Refusal<Error> => ({
  _tag: "Refuse",
  error,
  details
})

/** Reply without a change: takes no index, like a read. */
export const answer = (...reply: ReadonlyArray<Argument>): Decision<never> => ({ _tag: "Answer", reply })

/** How one parameter is recognised on arrival. */
export interface Parameter<A extends Argument> {
  readonly expected: string
  readonly is: (argument: Argument | undefined) => argument is A
}

const parameter = <A extends Argument>(
  expected: string,
  is: (argument: Argument | undefined) => boolean
): Parameter<A> => ({
  expected,
  is: (argument): argument is A => is(argument)
})

/** A stored value. */
export const value: Parameter<Cell> = parameter("a value", (u) => typeof u === "object" && u !== null)
/** A stored value, or nothing. */
export const valueOrNothing: Parameter<Cell | null> = parameter(
  "a value or nothing",
  (u) => typeof u === "object"
)
/** A word: a field name, or a map key in canonical text. */
export const word: Parameter<string> = parameter("a word", (u) => typeof u === "string")
/** A word, or nothing. */
export const wordOrNothing: Parameter<string | null> = parameter(
  "a word or nothing",
  (u) => typeof u === "string" || u === null
)
/** A number without a fraction from 0 up. */
export const count: Parameter<number> = parameter(
  "a whole number from 0 up",
  (u) => typeof u === "number" && Number.isSafeInteger(u) && u >= 0
)
/** Anything that can be an argument. */
export const anything: Parameter<Argument> = parameter("anything", (u) => u !== undefined)
/** A finite number. */
export const number: Parameter<number> = parameter("a finite number", (u) => Number.isFinite(u))

/** A number without a fraction. */
export const integer: Parameter<number> = parameter("a whole number of any sign", (u) => Number.isSafeInteger(u))
/** A number without a fraction from 1 up. */
export const positive: Parameter<number> = parameter(
  "a whole number from 1 up",
  (u) => typeof u === "number" && Number.isSafeInteger(u) && u >= 1
)
/** A number of at least 1; `Infinity` is one. */
export const atLeastOne: Parameter<number> = parameter("a number of at least 1", (u) => typeof u === "number" && u >= 1)

/** The parameters of an operation, in order. */
export type Parameters = ReadonlyArray<Parameter<Argument>>

/** The arguments that match a list of parameters. */
export type ArgumentsOf<P extends Parameters> = {
  readonly [I in keyof P]: P[I] extends Parameter<infer A> ? A : never
}

/** The arguments that match parameters and a group that may follow them again and again. */
export type AllArguments<P extends Parameters, Rest extends Parameters> = Rest extends readonly [] ? ArgumentsOf<P>
  : readonly [...ArgumentsOf<P>, ...ReadonlyArray<ArgumentsOf<Rest>[number]>]

/** The parts of a reply. */
export type Reply = ReadonlyArray<Argument>

/** What an object is made with, besides its values: all who open a name must agree on it (S-27). */
export type Options = Readonly<Record<string, Argument>>

/** The options of a kind, by name. */
export type OptionParameters = Readonly<Record<string, Parameter<Argument>>>

/** The options that match their parameters. */
export type OptionsOf<P extends OptionParameters> = {
  readonly [Name in keyof P]: P[Name] extends Parameter<infer A> ? A : never
}

/**
 * *read*: no index, run again if asked again; it may overtake, for it takes nothing from anybody. *change*: one index,
 * reply remembered, in order. *grant*: and a grant (S-10).
 */
export type Access = "read" | "change" | "grant"

/** One operation as the engine runs it. `types` is for the proxies, which are typed by it. */
export interface Operation<
  State,
  Arguments extends ReadonlyArray<Argument> = ReadonlyArray<Argument>,
  R = Reply,
  Error extends string = string
> {
  readonly access: Access
  readonly parameters: Parameters
  /** A group of further arguments, any number of times; empty: there are none. */
  readonly rest: Parameters
  /** The one of `Kind.lanes` where it waits; absent: it never waits. */
  readonly lane: string | undefined
  /** Whether holds in the caller's guard must be current (S-21). */
  readonly guarded: boolean
  /** Only gives back what was granted: no limit holds it up, it may overtake, and twice is as good as once (S-8). */
  readonly settles: boolean
  readonly byReceipt: boolean
  readonly decide: (state: State, args: ReadonlyArray<Argument>, at: At) => Decision
  readonly apply: (state: State, args: ReadonlyArray<Argument>, at: At) => Reply
  /**
   * What its beginning to wait changes already (S-14): a barrier counts it, a condition releases its lock. Takes an
   * index, which is the call's `at.since` from then on; `withdraw` undoes it.
   */
  readonly enter: ((state: State, args: ReadonlyArray<Argument>, at: At) => void) | undefined
  /** A waiting operation leaves its lane unserved (S-14): undoes what `enter` did. */
  readonly withdraw: ((state: State, args: ReadonlyArray<Argument>, reason: Withdrawal, at: At) => void) | undefined
  /** Types only: what a proxy may send, what it gets, and the refusals it can meet. */
  readonly types?: { readonly arguments: Arguments; readonly reply: R; readonly refusals: Error }
}

/** A kind of shared object. */
export interface Kind<
  State,
  Operations extends Record<string, Operation<State>> = Record<string, Operation<State>>,
  Name extends string = string,
  P extends OptionParameters = OptionParameters
> {
  /** The public type's name without "Shared": `Queue`, `Lock`. */
  readonly name: Name
  /**
   * The waiting lanes, in the order in which they are served after every change (S-13). A change that cannot go holds up
   * those behind it in its lane, a read does not. Reads in the first lane see each change before the next is made (S-29).
   */
  readonly lanes: ReadonlyArray<string>
  readonly operations: Operations
  /** What its objects are made with, checked before `initial` sees it; absent: any words (a record's are its fields). */
  readonly options?: P
  /** The first state from the creator's options and values, or why these are refused. Counts nothing. */
  readonly initial: (options: OptionsOf<P>, values: ReadonlyArray<Cell>) => State | Refusal<"InvalidOptions">
  /** Back in the fixed initial state, so that an unused name may be forgotten (S-27). */
  readonly pristine: (state: State) => boolean
  /** Takes back what was granted: an index of its own when cancelled, part of the step when the session ended. */
  readonly revoke?: (state: State, grant: Grant, reason: Withdrawal, at: At) => void
  /** The client has the reply of a grant that is settled by receipt. */
  readonly received?: (state: State, grant: Grant, at: At) => void
  /** What a new watcher starts from; absent: the kind cannot be watched. */
  readonly snapshot?: (state: State) => Reply
  /** Whether the holds it grants may stand in a guard (S-21). */
  readonly fences?: boolean
  /** Every value the state holds, once for each time it was retained. */
  readonly values: (state: State) => Iterable<Cell>
  /** The whole state as plain JSON, for `inspect` and the state hash. */
  readonly describe: (state: State) => unknown
  /** The invariants of this kind that do not hold, as sentences. Empty: all is well. */
  readonly check: (state: State, grants: ReadonlyArray<Grant>) => ReadonlyArray<string>
}

/** Any kind, for the registry and the loop. */
// oxlint-disable-next-line typescript/no-explicit-any -- a registry holds kinds of unrelated states; each state only ever meets its own kind
export type AnyKind = Kind<any, any, string, any>

/** Defines a kind over a type of state: `kindOf<State>()({ name: "Lock", ... })`. */
export const kindOf = <State>() =>
<
  const Name extends string,
  Operations extends Record<string, Operation<State>>,
  const P extends OptionParameters
>(kind: Kind<State, Operations, Name, P>): Kind<State, Operations, Name, P> => kind

/** How an operation is written down. */
interface Definition<
  State,
  P extends Parameters,
  Rest extends Parameters,
  R extends Reply,
  Error extends string,
  Lane extends string
> {
  readonly parameters: P
  readonly rest?: Rest
  readonly lane?: Lane
  readonly guarded?: boolean
  /** Implies that it is not guarded (S-21). */
  readonly settles?: boolean
  readonly decide?: (state: State, args: AllArguments<P, Rest>, at: At) => Decision<Error>
  readonly apply: (state: State, args: AllArguments<P, Rest>, at: At) => R
  readonly enter?: (state: State, args: AllArguments<P, Rest>, at: At) => void
  readonly withdraw?: (state: State, args: AllArguments<P, Rest>, reason: Withdrawal, at: At) => void
}

const operation = <State, P extends Parameters, Rest extends Parameters, R extends Reply, Error extends string>(
  access: Access,
  definition: Definition<State, P, Rest, R, Error, string>,
  byReceipt = false
): Operation<State, AllArguments<P, Rest>, R, Error> => {
  // The loop calls these only with arguments that the parameters have recognised, so the tuple type holds.
  const { apply, decide, enter, withdraw } = definition as unknown as
    & Pick<Operation<State>, "apply" | "enter" | "withdraw">
    & { readonly decide?: Operation<State>["decide"] }
  return {
    access,
    parameters: definition.parameters,
    rest: definition.rest ?? [],
    lane: definition.lane,
    guarded: definition.guarded ?? definition.settles !== true,
    settles: definition.settles ?? false,
    byReceipt,
    decide: decide ?? (() => ready),
    apply,
    enter,
    withdraw
  }
}

/** Constructors of the operations over one type of state, and the names of the lanes they may wait in. */
export const operationsOf = <State, Lane extends string = never>() => ({
  /** Looks, changes nothing; with `decide` it may refuse or wait. */
  read: <
    const P extends Parameters,
    R extends Reply,
    Error extends string = never,
    const Rest extends Parameters = readonly []
  >(
    parameters: P,
    apply: (state: State, args: AllArguments<P, Rest>, at: At) => R,
    more?: Pick<Definition<State, P, Rest, R, Error, Lane>, "decide" | "lane" | "rest">
  ) => operation<State, P, Rest, R, Error>("read", { ...more, parameters, apply }),
  /** Changes the state. */
  change: <
    const P extends Parameters,
    R extends Reply,
    Error extends string = never,
    const Rest extends Parameters = readonly []
  >(definition: Definition<State, P, Rest, R, Error, Lane>) =>
    operation<State, P, Rest, R, Error>("change", definition),
  /** Changes the state and gives the caller something that it must settle, or that its receipt settles. */
  grant: <
    const P extends Parameters,
    R extends Reply,
    Error extends string = never,
    const Rest extends Parameters = readonly []
  >(definition: Definition<State, P, Rest, R, Error, Lane> & { readonly byReceipt?: boolean }) =>
    operation<State, P, Rest, R, Error>("grant", definition, definition.byReceipt ?? false)
})
