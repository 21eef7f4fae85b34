/**
 * A kind of shared object: its state, its operations, and the clean-up after a client.
 *
 * A kind is data and pure functions. Waiting, indexes, sessions, replies, guards, cancellation and reference counts
 * belong to the generic loop in `Engine.ts` and `Requests.ts`.
 *
 * An operation may *grant* something (a hold, a delivery, a lease, a reservation). A grant stays bound to the call that
 * got it until it is settled; when that call is cancelled or its session ends, the engine hands it to `revoke` (S-10,
 * S-11).
 */
import type { Format } from "./Format.ts"
import type { At, Grant, Operation, Refusal, Reply, Withdrawal } from "./Operation.ts"
import type { OptionParameters, OptionsOf } from "./Parameter.ts"
import type { Argument, Cell } from "./Value.ts"

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
   * The lanes, in the order in which they are served after every change (S-13). A change that must wait holds up the
   * calls behind it; a read does not. Reads in the first lane see each change before the next is made (S-29).
   */
  readonly lanes: ReadonlyArray<string>
  readonly operations: Operations
  /** How the kind is defined: a client that opens an object must have the same. Absent: each object has its own. */
  readonly fingerprint?: string
  /** The options of its objects, checked before `initial`; absent: any words (those of a record are its fields). */
  readonly options?: P
  /** The initial state from the creator's options and values, or a refusal. Retains no value. */
  readonly initial: (options: OptionsOf<P>, values: ReadonlyArray<Cell>) => State | Refusal<"InvalidOptions">
  /** Back in the fixed initial state, so that an unused name may be forgotten (S-27). */
  readonly pristine: (state: State) => boolean
  /** Takes back a grant: under an index of its own after a cancellation, in the step of the session's end otherwise. */
  readonly revoke?: (state: State, grant: Grant, reason: Withdrawal, at: At) => void
  /** The client has acknowledged the reply of a grant that is settled by receipt. */
  readonly received?: (state: State, grant: Grant, at: At) => void
  /** The snapshot for a new watcher; absent: the kind cannot be watched. */
  readonly snapshot?: (state: State) => Reply
  /** Whether the holds it grants may stand in a guard (S-21). */
  readonly fences?: boolean
  /** Every value the state holds, once for each time it was retained. */
  readonly values: (state: State) => Iterable<Cell>
  /** The bytes of a state besides its values, which `At.grow` changes; absent: they are few, and stay. */
  readonly bytes?: (state: State) => number
  /** Grows whenever `format` changes: data of another version is not loaded. */
  readonly version: number
  /** How the whole state is saved and loaded. */
  readonly format: Format<State>
  /** The invariants of this kind that do not hold, as sentences. Empty: all is well. */
  readonly check: (state: State, grants: ReadonlyArray<Grant>) => ReadonlyArray<string>
}

/** Any kind, for the registry and the loop. */
// oxlint-disable-next-line typescript/no-explicit-any -- a registry holds kinds of unrelated states; each state only ever meets its own kind
export type AnyKind = Kind<any, any, string, any>

/**
 * Defines a kind over a type of state: `kindOf<State>()({ name: "Lock", ... })`. A lane in which an operation waits, and
 * that is none of `lanes`, does not compile.
 */
export const kindOf = <State>() =>
<
  const Name extends string,
  const Lane extends string,
  Operations extends Record<string, Operation<State, ReadonlyArray<Argument>, Reply, string, NoInfer<Lane>>>,
  const P extends OptionParameters
>(
  kind: Kind<State, Operations, Name, P> & { readonly lanes: ReadonlyArray<Lane> }
): Kind<State, Operations, Name, P> => kind
