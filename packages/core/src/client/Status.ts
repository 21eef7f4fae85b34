/** Whether a client has a connection to its manager. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"

/** The connection of a client to its manager. */
export type Status =
  | { readonly _tag: "Connected" }
  /** The connection is lost, and the client makes another one. Calls wait. `since`: milliseconds of the epoch. */
  | { readonly _tag: "Reconnecting"; readonly since: number }
  /** The session is over: it had no grace, or the grace is over. All calls fail. */
  | { readonly _tag: "Lost"; readonly why: string }

/** The status of one connection. */
export class StatusCell {
  #current: Status = { _tag: "Connected" }
  readonly #readers = new Set<Queue.Queue<Status>>()

  set(status: Status): void {
    this.#current = status
    for (const reader of this.#readers) Queue.offerUnsafe(reader, status)
  }

  /** The status, and then every other one. A reader that is slow gets the newest. Ends after `Lost`. */
  readonly changes: Stream.Stream<Status> = Stream.unwrap(Effect.map(
    Effect.acquireRelease(
      Effect.map(Queue.sliding<Status>(1), (reader) => {
        this.#readers.add(reader)
        Queue.offerUnsafe(reader, this.#current)
        return reader
      }),
      (reader) => Effect.sync(() => this.#readers.delete(reader))
    ),
    (reader) => Stream.takeUntil(Stream.fromQueue(reader), ({ _tag }) => _tag === "Lost")
  ))
}
