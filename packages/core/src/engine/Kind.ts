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

/** Why a grant is taken back, or a waiting operation withdrawn. */
export type Withdrawal = "cancelled" | "session ended" | "deadline"

/** The step an operation is decided or applied in. */
export interface At {
  /** The commit index of this change. While deciding: the index of the last one. */
  readonly index: number
  /** Engine time in milliseconds; never decreases. */
  readonly now: number
  readonly session: number
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
export type Decision =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Wait" }
  | Refusal
  | { readonly _tag: "Answer"; readonly reply: ReadonlyArray<Argument> }

/** An expected failure of one operation: its name and what the error should tell. */
export interface Refusal {
  readonly _tag: "Refuse"
  readonly error: string
  readonly details: ReadonlyArray<Argument>
}

/** Go on and apply. */
export const ready: Decision = { _tag: "Ready" }

/** Wait in the operation's lane. */
export const wait: Decision = { _tag: "Wait" }

/** Whether something is a refusal. */
export const isRefusal = (u: unknown): u is Refusal =>
  typeof u === "object" && u !== null && "_tag" in u && u._tag === "Refuse"

/** Fail the call; nothing changes. */
export const refuse = (error: string, ...details: ReadonlyArray<Argument>): Refusal => ({
  _tag: "Refuse",
  error,
  details
})

/** Reply without a change: takes no index, like a read. */
export const answer = (...reply: ReadonlyArray<Argument>): Decision => ({ _tag: "Answer", reply })

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
  "a whole number",
  (u) => typeof u === "number" && Number.isSafeInteger(u) && u >= 0
)
/** A finite number. */
export const number: Parameter<number> = parameter("a finite number", (u) => Number.isFinite(u))

/** The parameters of an operation, in order. */
export type Parameters = ReadonlyArray<Parameter<Argument>>

/** The arguments that match a list of parameters. */
export type ArgumentsOf<P extends Parameters> = {
  readonly [I in keyof P]: P[I] extends Parameter<infer A> ? A : never
}

/** The parts of a reply. */
export type Reply = ReadonlyArray<Argument>

/** What an object is made with, besides its values: all who open a name must agree on it (S-27). */
export type Options = Readonly<Record<string, Argument>>

/** One operation as the engine runs it. `Arguments` and `Result` are for the proxies, which are typed by them. */
export interface Operation<State, Arguments extends ReadonlyArray<Argument> = ReadonlyArray<Argument>, R = Reply> {
  /** *read*: no index, run again if asked again. *change*: one index, reply remembered. *grant*: and a grant (S-10). */
  readonly effect: "read" | "change" | "grant"
  readonly parameters: Parameters
  /** Further arguments after the parameters are let through, for `decide` to check. */
  readonly variadic: boolean
  /** Index in `Kind.lanes` where it waits; absent: it never waits. */
  readonly lane: number | undefined
  /** Whether holds in the caller's guard must be current (S-21). */
  readonly guarded: boolean
  /** Only gives back what was granted: no limit holds it up, it may overtake, and twice is as good as once (S-8). */
  readonly settles: boolean
  readonly byReceipt: boolean
  readonly decide: (state: State, args: ReadonlyArray<Argument>, at: At) => Decision
  readonly apply: (state: State, args: ReadonlyArray<Argument>, at: At) => Reply
  /** A waiting operation leaves its lane unserved (S-14). Most kinds need nothing here. */
  readonly withdraw: ((state: State, args: ReadonlyArray<Argument>, reason: Withdrawal, at: At) => void) | undefined
  /** Types only: what a proxy may send and what it gets. */
  readonly types?: { readonly arguments: Arguments; readonly reply: R }
}

/** A kind of shared object. */
export interface Kind<State, Operations extends Record<string, Operation<State>> = Record<string, Operation<State>>> {
  /** The public type's name without "Shared": `Queue`, `Lock`. */
  readonly name: string
  /** Names of the waiting lanes, in the order in which they are served after a change (S-13). */
  readonly lanes: ReadonlyArray<string>
  readonly operations: Operations
  /** The first state from the creator's options and values, or why these are refused. Counts nothing. */
  readonly initial: (options: Options, values: ReadonlyArray<Cell>) => State | Refusal
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
export type AnyKind = Kind<any, any>

/** How an operation is written down. */
interface Definition<State, P extends Parameters, R extends Reply> {
  readonly parameters: P
  readonly variadic?: boolean
  readonly lane?: number
  readonly guarded?: boolean
  /** Implies that it is not guarded (S-21). */
  readonly settles?: boolean
  readonly decide?: (state: State, args: ArgumentsOf<P>, at: At) => Decision
  readonly apply: (state: State, args: ArgumentsOf<P>, at: At) => R
  readonly withdraw?: (state: State, args: ArgumentsOf<P>, reason: Withdrawal, at: At) => void
}

const operation = <State, const P extends Parameters, R extends Reply>(
  effect: Operation<State>["effect"],
  definition: Definition<State, P, R>,
  byReceipt = false
): Operation<State, ArgumentsOf<P>, R> => {
  // The loop calls these only with arguments that the parameters have recognised, so the tuple type holds.
  const { apply, decide, withdraw } = definition as unknown as
    & Pick<
      Operation<State>,
      "apply" | "withdraw"
    >
    & { readonly decide?: Operation<State>["decide"] }
  return {
    effect,
    parameters: definition.parameters,
    variadic: definition.variadic ?? false,
    lane: definition.lane,
    guarded: definition.guarded ?? definition.settles !== true,
    settles: definition.settles ?? false,
    byReceipt,
    decide: decide ?? (() => ready),
    apply,
    withdraw
  }
}

/** Constructors of the operations over one state type. */
export const operationsOf = <State>() => ({
  /** Looks, changes nothing. */
  read: <const P extends Parameters, R extends Reply>(
    parameters: P,
    apply: (state: State, args: ArgumentsOf<P>, at: At) => R
  ) => operation<State, P, R>("read", { parameters, apply }),
  /** Changes the state. */
  change: <const P extends Parameters, R extends Reply>(definition: Definition<State, P, R>) =>
    operation<State, P, R>("change", definition),
  /** Changes the state and gives the caller something that it must settle, or that its receipt settles. */
  grant: <const P extends Parameters, R extends Reply>(
    definition: Definition<State, P, R> & { readonly byReceipt?: boolean }
  ) => operation<State, P, R>("grant", definition, definition.byReceipt ?? false)
})
