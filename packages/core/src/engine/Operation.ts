/**
 * Operations: what a call may do to an object of a kind.
 *
 * ```text
 *   request ─► parameters ─► decide ──ready──► apply ─► reply
 *                              │ wait             ▲
 *                              └──► lane ── head ─┘      (after every change, in order, to a fixpoint)
 * ```
 *
 * - `decide` writes nothing and may refuse or wait (S-2).
 * - `apply` writes and cannot fail (S-2).
 * - `enter` changes something already by beginning to wait; `withdraw` undoes it (S-14). These two halves are the
 *   reservation and the follow-up of dual data structures (Scherer and Scott, 2004).
 */
import type { Condition } from "./Conditions.ts"
import type { AllArguments, Parameters } from "./Parameter.ts"
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
  /** Engine time in milliseconds at which it was granted. */
  readonly grantedAt: number
  /** Engine time in milliseconds at which it is revoked by itself; absent: never. */
  readonly deadline: number | undefined
}

/** Name and pid of a client, as the client states them: shown to people, never trusted. */
export interface Client {
  readonly name: string
  readonly pid: number
}

/** Why a grant is taken back, or a waiting operation withdrawn. */
export type Withdrawal = typeof withdrawals[number]

/** Every `Withdrawal`. */
export const withdrawals = ["cancelled", "session ended", "deadline", "fenced out"] as const

/** The step an operation is decided or applied in. */
export interface At {
  /** The commit index of this change. While deciding: the index of the last one. */
  readonly index: number
  /** While deciding a change: the index that it takes if it goes now. */
  readonly upcoming: number
  /** Engine time in milliseconds; never decreases. */
  readonly now: number
  /** The id of the calling session. */
  readonly session: number
  /** The calling client; in `withdraw` and `revoke` the client that is gone. */
  readonly client: Client
  /** The index at which this call began to wait, its own if the operation has `enter`; absent: it has just arrived. */
  readonly since: number | undefined
  /** Whether a change waits before this call in its lane. */
  readonly isBehind: boolean
  /** The grant with this id if this session holds it on this object. */
  readonly held: (id: GrantId) => Grant | undefined
  /** Ends a grant of this object, of any session: what it stood for has been settled by the operation. */
  readonly settle: (id: GrantId) => void
  /** As `settle`, and tells the session of the grant that it is lost. */
  readonly revoke: (id: GrantId) => void
  /** Revokes the grant of this very step at `now + milliseconds`, unless settled before. */
  readonly expire: (milliseconds: number) => void
  /** Counts a value that the state now holds (S-23). */
  readonly retain: (cell: Cell) => void
  /** Uncounts a value that the state no longer holds. */
  readonly release: (cell: Cell) => void
  /** The state has so many bytes more besides its values (`Kind.bytes`). */
  readonly grow: (bytes: number) => void
  /**
   * An entry was written with this text, or, with `""`, was written or removed in another way: tries the calls that wait
   * for it (`Operation.condition`).
   */
  readonly wakes: (entry: string | null, text: string) => void
  /** Whether anything watches this object: `changed` is of use. */
  readonly isWatched: boolean
  /** Tells the watchers of this object (S-29). */
  readonly changed: (change: ReadonlyArray<Argument>) => void
}

/** The result of `decide` of an operation that never waits. */
export type Instant<Error extends string = string> =
  | { readonly _tag: "Ready" }
  | Refusal<Error>
  | { readonly _tag: "Answer"; readonly reply: ReadonlyArray<Argument> }

/**
 * The call waits. `lane`: it moves to the tail of this lane. Absent: it stays, or joins the operation's own lane. `until`:
 * the engine time at which it is tried again, although its object has not changed. An operation has this or `stuck`.
 */
export interface Wait {
  readonly _tag: "Wait"
  readonly lane?: string
  readonly until?: number
}

/** The result of `decide`. */
export type Decision<Error extends string = string> = Instant<Error> | Wait

/** An expected failure of one operation: its name and the details for its message. */
export interface Refusal<out Error extends string = string> {
  readonly _tag: "Refuse"
  readonly error: Error
  readonly details: ReadonlyArray<Argument>
}

/** Go on and apply. */
export const ready: Instant<never> = { _tag: "Ready" }

/** Wait in the operation's lane. */
export const wait: Wait = { _tag: "Wait" }

/** Wait in another lane from now on, at its tail. */
export const waitIn = (lane: string): Wait => ({ _tag: "Wait", lane })

/** Wait in the operation's lane, at most until an engine time: then the call is tried again. */
export const waitUntil = (until: number): Wait => ({ _tag: "Wait", until })

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
export const answer = (...reply: ReadonlyArray<Argument>): Instant<never> => ({ _tag: "Answer", reply })

/** The parts of a reply. */
export type Reply = ReadonlyArray<Argument>

/**
 * *read*: takes no index and may overtake, because it changes nothing; it runs again when it is resent. *change*: takes
 * one index; its reply is remembered; FIFO. *grant*: a change that makes a grant (S-10).
 */
export type Access = "read" | "change" | "grant"

/** One operation as the engine runs it. `types` is for the proxies, which are typed by it. */
export interface Operation<
  State,
  Arguments extends ReadonlyArray<Argument> = ReadonlyArray<Argument>,
  R = Reply,
  Error extends string = string,
  Lane extends string = string
> {
  readonly access: Access
  readonly parameters: Parameters
  /** A group of further arguments, any number of times; empty: there are none. */
  readonly rest: Parameters
  /** The one of `Kind.lanes` where it waits; absent: it never waits. */
  readonly lane: Lane | undefined
  /**
   * What a call waits for, by its arguments and the index at which it began to wait. Changes then name it (`At.wakes`).
   * Absent: the call is tried after every change. All operations that wait in one lane have a condition, or none has. In
   * a lane of conditions no call holds up another one.
   */
  readonly condition: ((args: ReadonlyArray<Argument>, since: number) => Condition) | undefined
  /** Whether holds in the caller's guard must be current (S-21). */
  readonly guarded: boolean
  /** Gives back a grant. Never rate-limited, may overtake, idempotent (S-8). */
  readonly settles: boolean
  /** Changes nothing that others see, so that an observer may call it. A read does. */
  readonly observes: boolean
  readonly byReceipt: boolean
  readonly decide: (state: State, args: ReadonlyArray<Argument>, at: At) => Decision
  readonly apply: (state: State, args: ReadonlyArray<Argument>, at: At) => Reply
  /**
   * The change that beginning to wait makes (S-14): a barrier counts the caller, a condition releases its lock. Takes
   * an index, which is the call's `at.since` from then on. `withdraw` undoes it.
   */
  readonly enter: ((state: State, args: ReadonlyArray<Argument>, at: At) => void) | undefined
  /**
   * Refuses a waiting call that can never go on. Asked when the call has begun to wait, alone in its request, and again
   * after the milliseconds that it returns. `unchanged`: milliseconds since the last change of the object, or since the
   * last waiter left.
   */
  readonly stuck:
    | ((state: State, args: ReadonlyArray<Argument>, unchanged: number) => Refusal | number | undefined)
    | undefined
  /**
   * Whether a waiting call must wait at least as long as the holds of its object last for which `isStuck` returns true,
   * whatever else happens (`Deadlock.ts`). `now` is the engine's time, and `upcoming` the index that the call takes if it
   * goes now. Absent: unknown, so the call is never part of a deadlock.
   */
  readonly isBlocked:
    | ((
      state: State,
      args: ReadonlyArray<Argument>,
      isStuck: (hold: GrantId) => boolean,
      at: Pick<At, "now" | "upcoming">
    ) => boolean)
    | undefined
  /** Counts what waits: called with 1 when a call joins its lane, and with -1 when it leaves. Changes no decision. */
  readonly tally: ((state: State, args: ReadonlyArray<Argument>, by: 1 | -1) => void) | undefined
  /** The call leaves its lane without being served (S-14): undoes `enter`. */
  readonly withdraw: ((state: State, args: ReadonlyArray<Argument>, reason: Withdrawal, at: At) => void) | undefined
  /** Types only: the arguments that a proxy sends, the reply, and the possible refusals. */
  readonly types?: { readonly arguments: Arguments; readonly reply: R; readonly refusals: Error }
}

/** How an operation is written down. */
type Definition<
  State,
  P extends Parameters,
  Rest extends Parameters,
  R extends Reply,
  Error extends string,
  Lane extends string
> =
  & Common<State, P, Rest, R>
  & (NeverWaits<State, AllArguments<P, Rest>, Error> | MayWait<State, AllArguments<P, Rest>, Error, Lane>)

interface Common<State, P extends Parameters, Rest extends Parameters, R extends Reply> {
  readonly parameters: P
  readonly rest?: Rest
  readonly guarded?: boolean
  /** Implies that it is not guarded (S-21). */
  readonly settles?: boolean
  readonly observes?: boolean
  readonly apply: (state: State, args: AllArguments<P, Rest>, at: At) => R
}

interface NeverWaits<State, Arguments, Error extends string> {
  readonly lane?: undefined
  readonly decide?: (state: State, args: Arguments, at: At) => Instant<Error>
}

/** An operation that can wait has a lane, or a call of it would be in none and wait for ever. */
interface MayWait<State, Arguments, Error extends string, Lane extends string> {
  readonly lane: Lane
  readonly condition?: (args: Arguments, since: number) => Condition
  readonly decide?: (state: State, args: Arguments, at: At) => Decision<Error>
  readonly enter?: (state: State, args: Arguments, at: At) => void
  readonly stuck?: (state: State, args: Arguments, unchanged: number) => Refusal<Error> | number | undefined
  readonly isBlocked?: (
    state: State,
    args: Arguments,
    isStuck: (hold: GrantId) => boolean,
    at: Pick<At, "now" | "upcoming">
  ) => boolean
  readonly tally?: (state: State, args: Arguments, by: 1 | -1) => void
  readonly withdraw?: (state: State, args: Arguments, reason: Withdrawal, at: At) => void
}

const operation = <
  State,
  P extends Parameters,
  Rest extends Parameters,
  R extends Reply,
  Error extends string,
  Lane extends string
>(
  access: Access,
  definition: Definition<State, P, Rest, R, Error, Lane>,
  byReceipt = false
): Operation<State, AllArguments<P, Rest>, R, Error, Lane> => {
  // The loop calls these only with arguments that the parameters have recognised, so the tuple type holds.
  const { apply, condition, decide, enter, isBlocked, stuck, tally, withdraw } = definition as unknown as
    & Pick<Operation<State>, "apply" | "condition" | "enter" | "isBlocked" | "stuck" | "tally" | "withdraw">
    & { readonly decide?: Operation<State>["decide"] }
  return {
    access,
    parameters: definition.parameters,
    rest: definition.rest ?? [],
    lane: definition.lane,
    condition,
    guarded: definition.guarded ?? definition.settles !== true,
    settles: definition.settles ?? false,
    observes: definition.observes ?? access === "read",
    byReceipt,
    decide: decide ?? (() => ready),
    apply,
    enter,
    stuck,
    isBlocked,
    tally,
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
    more?:
      & Pick<Common<State, P, Rest, R>, "rest">
      & (
        | NeverWaits<State, AllArguments<P, Rest>, Error>
        | Pick<MayWait<State, AllArguments<P, Rest>, Error, Lane>, "condition" | "decide" | "lane">
      )
  ) => operation<State, P, Rest, R, Error, Lane>("read", { ...more, parameters, apply }),
  /** Changes the state. */
  change: <
    const P extends Parameters,
    R extends Reply,
    Error extends string = never,
    const Rest extends Parameters = readonly []
  >(definition: Definition<State, P, Rest, R, Error, Lane>) =>
    operation<State, P, Rest, R, Error, Lane>("change", definition),
  /** Changes the state and gives the caller something that it must settle, or that its receipt settles. */
  grant: <
    const P extends Parameters,
    R extends Reply,
    Error extends string = never,
    const Rest extends Parameters = readonly []
  >(definition: Definition<State, P, Rest, R, Error, Lane> & { readonly byReceipt?: boolean }) =>
    operation<State, P, Rest, R, Error, Lane>("grant", definition, definition.byReceipt ?? false)
})
