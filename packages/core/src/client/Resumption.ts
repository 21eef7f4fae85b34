/**
 * What a client says again over a new link. Any of its messages may have been lost with the old one, and any of the
 * manager's. So it does not count what was lost, but says how it stands: all calls that are not among the unsettled ones
 * are acknowledged, whatever handles and holds it does not name it does not have, and calls without a reply are sent
 * again under their old sequences, which the manager knows or has never got (S-7).
 */
import type { Reply } from "../engine/Operation.ts"
import type { ObjectId } from "../engine/Value.ts"
import type { ClientWriter } from "../protocol/Message.ts"
import type { Call } from "./Call.ts"
import type { Holds } from "./Holds.ts"
import type { Outbox } from "./Outbox.ts"
import type { Received } from "./Received.ts"

/** How a client stands when it has lost a link. */
export interface Standing {
  /** The calls that it has not acknowledged, by sequence. */
  readonly calls: ReadonlyArray<Call>
  /** The last sequence that it has used. */
  readonly sequence: number
  readonly received: Received
  readonly holds: Holds
}

/** Objects, or holds, of one message. */
const batch = 100

/** Says everything but the calls without a reply, which come after it. */
export const say = (outbox: Outbox, { calls, holds, received, sequence }: Standing): void => {
  const tell = (write: (writer: ClientWriter) => void) => {
    write(outbox.writer)
    outbox.written()
  }
  let from = 1
  for (const call of calls) {
    const [first, last] = [from, call.sequence - 1]
    if (first <= last) tell((writer) => writer.acknowledge(first, last))
    from = call.sequence + 1
  }
  if (from <= sequence) tell((writer) => writer.acknowledge(from, sequence))
  // Before the handles: what a cancelled call was told does not count as unread any more.
  for (const call of calls) if (call.state === "Cancelling") tell((writer) => writer.cancel(call.sequence))
  sayHandles(
    received.timesWithout(calls.flatMap(unread)),
    (from, to, pairs) => tell((writer) => writer.imports(from, to, pairs))
  )
  const { tokens } = holds
  for (let i = 0; i < tokens.length; i += batch) tell((writer) => writer.holds(tokens.slice(i, i + batch)))
}

/** A reply that has been read, which the manager does not know. */
const unread = ({ late, state }: Call): ReadonlyArray<Reply> =>
  state === "Answered" && late?._tag === "Success" ? [late.reply] : []

/** In ranges of ids, because all of them may be more than fits into one frame. */
const sayHandles = (
  handles: ReadonlyMap<ObjectId, number>,
  tell: (from: ObjectId, to: ObjectId, pairs: ReadonlyArray<number>) => void
): void => {
  const pairs = [...handles].sort(([a], [b]) => a - b)
  let from = 0
  for (let i = 0; i === 0 || i < pairs.length; i += batch) {
    const part = pairs.slice(i, i + batch)
    const to = i + batch < pairs.length ? part.at(-1)![0] : Number.MAX_SAFE_INTEGER
    tell(from, to, part.flat())
    from = to + 1
  }
}
