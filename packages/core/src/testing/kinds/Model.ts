/**
 * What a shared object must do, said as plainly as possible: the judge of the engine, and so written without it.
 *
 * A model is sequential: one call after the other, no waiting, no sessions, no references. It knows the operations'
 * meaning and what becomes of grants, and keeps everything in plain arrays and maps. Adding a kind adds a file here.
 */
import type { Withdrawal } from "../../engine/Operation.ts"
import { type Argument, type Cell, isCell, isEqual } from "../../engine/Value.ts"

/** The parts of a reply. */
export type Reply = ReadonlyArray<Argument>

/** One call, as the model sees it. */
export interface Call {
  readonly session: number
  /** What names the change and orders it among all: its commit index. `NaN`: nobody was told. */
  readonly index: number
  /** Engine time in milliseconds; absent: nobody was told. */
  readonly now?: number | undefined
  readonly operation: string
  readonly args: ReadonlyArray<Argument>
  /** The index at which it began to wait, if that was a change. */
  readonly since?: number | undefined
}

/** How a call ends that changes nothing. */
export type Answer =
  | {
    readonly reply: Reply
    /** Only if others wait, of whom a model does not know; if none does, the call is carried out. */
    readonly ifOthersWait?: true
  }
  | {
    readonly error: string
    /** Only if others wait in a way that a model does not know; else the call is carried out. */
    readonly ifOthersWait?: true
  }
  /** It depends on the time, which nobody was told. */
  | { readonly isTimed: true }

/** Something granted and not settled. */
export interface Granted {
  readonly session: number
  /** Settled when the client has its reply, of which a journal does not tell. */
  readonly byReceipt: boolean
}

/** One shared object as it should behave. */
export interface Model {
  readonly grants: Map<number, Granted>
  /** What the call answers without changing anything. `undefined`: it changes something, or has to wait. */
  readonly look: (call: Call) => Answer | undefined
  /** Carries the call out and gives its reply. `undefined`: it may not be carried out now. */
  readonly change: (call: Call) => Reply | undefined
  /** The call begins to wait, which is a change of this kind. */
  readonly enter?: (call: Call) => void
  /** A call that had entered is gone; one that was refused meanwhile is not known any more. */
  readonly withdraw?: (call: Call, reason: Withdrawal) => void
  /** Operations that may stand under a hold that has ended (S-21). */
  readonly unguarded: ReadonlySet<string>
  /** Takes back what a change granted, under an index. */
  readonly revoke: (grant: number, reason: Withdrawal, index: number) => void
  /** All a watcher needs to know; absent: the kind cannot be watched. */
  readonly snapshot?: () => Reply
  /** What the last change or revocation tells watchers. */
  readonly told?: ReadonlyArray<Reply>
  /** As good as new, so that the manager may have forgotten it. */
  readonly isPristine: () => boolean
  /** The state as plain data: equal states have equal texts. */
  readonly state: () => unknown
  /** Another one in the same state. */
  readonly copy: () => Model
}

/** Makes the model of a new object from its options and first values. */
export type MakeModel = (options: Readonly<Record<string, Argument>>, values: ReadonlyArray<Argument>) => Model

/** Whether an answer holds whoever else waits: then the call changes nothing. */
export const isFinal = (answer: Answer | undefined): boolean => answer !== undefined && !("ifOthersWait" in answer)

/** A call that is refused because what it names is not held. */
export const notHeld: Answer = { error: "NotHeld" }

/** Whether a session holds a grant. */
export const holds = ({ grants }: Model, session: number, grant: Argument | undefined): boolean =>
  grants.get(Number(grant))?.session === session

/** Whether a reply is what was expected; `NaN` in what is expected stands for an index that nobody was told. */
export const sameReply = (expected: Reply, actual: Reply): boolean => {
  if (expected === actual) return true
  if (expected.length !== actual.length) return false
  for (let i = 0; i < expected.length; i++) if (!sameArgument(expected[i]!, actual[i]!)) return false
  return true
}

const sameArgument = (expected: Argument, actual: Argument): boolean => {
  if (expected === actual || Number.isNaN(expected)) return true
  if (!isCell(expected) || !isCell(actual) || !isEqual(expected, actual)) return false
  return expected.handles.length === actual.handles.length &&
    expected.handles.every((handle, i) => handle === actual.handles[i])
}

/** A reply or arguments for people. A kind with a bug may have replied anything. */
export const show = (parts: Reply): string => `(${parts.map(showPart).join(", ")})`

const showPart = (part: Argument): string => {
  if (!isCell(part)) return String(part)
  const { bytes, handles = [], text = `bytes ${bytes}` }: Partial<Cell> = part
  return text + handles.map((id) => ` #${id}`).join("")
}
