/**
 * The journal: one entry for each index, in order, told as the index is taken (S-31).
 */
import type { CallInput, JournalEntry, SessionId } from "./Inputs.ts"
import type { Reply } from "./Operation.ts"
import type { EngineState, SharedObject } from "./State.ts"

/** Receives every entry. */
export type Journal = (entry: JournalEntry) => void

/** Which call of which request an entry is about; without a call: something that the engine did. */
export interface Subject {
  readonly session: SessionId
  readonly sequence: number
  readonly calls?: ReadonlyArray<CallInput>
}

const noArguments: Reply = []

/** Tells of the index that was just taken. */
export const record = (
  journal: Journal | undefined,
  state: EngineState,
  cause: JournalEntry["cause"],
  { calls, sequence, session }: Subject,
  object: SharedObject,
  reply: Reply,
  position = 0
): void => {
  if (journal === undefined) return
  const call = calls?.[position]
  journal({
    index: state.index,
    now: state.now,
    cause,
    session,
    sequence,
    call: position,
    object: object.id,
    kind: object.kind.name,
    operation: call === undefined ? "" : object.operations[call.operation]![0],
    args: call?.args ?? noArguments,
    reply
  })
}
