/**
 * The dead letters of a queue, as a stream that reads page by page. A letter that is there from the beginning of the
 * stream to its end is read exactly once. Letters that come later are not read, so a reader that retries what it reads
 * comes to an end.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { queue } from "../engine/kinds/queue.ts"
import type { Argument, Cell } from "../engine/Value.ts"
import type { ManagerError } from "../ManagerError.ts"
import { pageBytes } from "./pages.ts"
import type { Remote } from "./Remote.ts"

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
export const letters = (remote: Remote<typeof queue>, bytes = pageBytes): Stream.Stream<Letter, ManagerError> => {
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
  remote: Remote<typeof queue>,
  { cell, ...row }: Row
): Effect.Effect<ReadonlyArray<Letter>, ManagerError> =>
  cell === null
    ? remote.call("deadLetter", [row.id], (cells) => Exit.succeed(cells.map((cell) => ({ ...row, cell }))))
    : Effect.succeed([{ ...row, cell }])
