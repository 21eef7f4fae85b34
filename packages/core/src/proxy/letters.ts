/**
 * The dead letters of a queue, as a stream that reads page by page. A letter that is there from the beginning of the
 * stream to its end is read exactly once. Letters that come later are not read, so a reader that retries what it reads
 * comes to an end.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Argument, Cell } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import { type QueueClosed, type QueueRemote, whenClosed } from "./offers.ts"
import { pageBytes } from "./pages.ts"
import type { ValueCodec } from "./ValueCodec.ts"

/** A dead letter whose item is not decoded. */
export interface Letter {
  readonly id: number
  readonly attempts: number
  readonly reason: string
  readonly cell: Cell
}

/** A letter of a page, without its item if that is too large for the page. */
interface Row extends Omit<Letter, "cell"> {
  readonly cell: Cell | null
}

/** The dead letters, oldest first. Each page is requested when it is pulled. */
export const letters = (remote: QueueRemote, bytes = pageBytes): Stream.Stream<Letter, ManagerError> => {
  const bytesMax = Math.min(bytes, remote.connection.argumentBytesMax)
  return Stream.paginate(
    { after: 0, to: Number.MAX_SAFE_INTEGER },
    ({ after, to }) =>
      remote.call("deadLetters", [after, to, bytesMax], ([newest, more, ...parts]) => {
        const page = rows(parts)
        return Exit.succeed([page, more === 1 ? Option.some({ after: page.at(-1)!.id, to: newest }) : Option.none()])
      })
  ).pipe(
    Stream.mapEffect((row) => complete(remote, row)),
    Stream.flattenIterable
  )
}

const rows = (parts: ReadonlyArray<Argument>): ReadonlyArray<Row> =>
  Array.from({ length: parts.length / 4 }, (_, i) => ({
    id: parts[i * 4] as number,
    attempts: parts[i * 4 + 1] as number,
    reason: parts[i * 4 + 2] as string,
    cell: parts[i * 4 + 3] as Cell | null
  }))

/** The letter of a row; none if it had no item and is gone. */
const complete = (
  remote: QueueRemote,
  { cell, ...row }: Row
): Effect.Effect<ReadonlyArray<Letter>, ManagerError> =>
  cell === null
    ? remote.call("deadLetter", [row.id], (cells) => Exit.succeed(cells.map((cell) => ({ ...row, cell }))))
    : Effect.succeed([{ ...row, cell }])

/** An item that failed `attempts` times, or that did not decode. */
export interface DeadLetter<out A> {
  /** Unique in its queue. Later dead letters have larger ids. */
  readonly id: number
  /** A failure if the item does not decode with this program's schema. */
  readonly item: Exit.Exit<A, ManagerError>
  readonly attempts: number
  /** The reason of the last failed delivery: its first 500 characters. */
  readonly reason: string
  /** Removes the letter for good, and returns whether it was still there. */
  readonly drop: Effect.Effect<boolean, ManagerError>
  /**
   * Adds the item at the end of the queue, as a new one, with no failed attempt; waits while the queue is full. The
   * letter is removed in the same step. Returns whether it was still there.
   *
   * **Fairness** FIFO, with offers. **Cancellation** Interruptible while it waits; the letter stays. **On disconnect**
   * `ManagerError`, whose reason says whether the item was added.
   */
  readonly retry: Effect.Effect<boolean, QueueClosed | ManagerError>
}

/** A letter as a reader of the queue gets it. */
export const deadLetter = <A>(
  remote: QueueRemote,
  codec: ValueCodec<A>,
  { attempts, cell, id, reason }: Letter
): DeadLetter<A> => ({
  id,
  item: remote.decode("deadLetters", codec, cell),
  attempts,
  reason,
  drop: remote.call("drop", [id], ([dropped]) => Exit.succeed(dropped === 1)),
  retry: remote.call("retry", [id], ([retried]) => Exit.succeed(retried === 1), whenClosed)
})
